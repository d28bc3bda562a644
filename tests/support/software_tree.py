"""A software tree in a temporary folder: store entries made by hand, releases made by the real phases, and the real Lmod.

def test_it(software_tree):
    software_tree.add("tool/1.0", files={"bin/tool": "#!/bin/sh\n"})
    release = software_tree.publish("tool/1.0")
    assert software_tree.load("tool/1.0")["VERSION_TOOL"] == "1.0"

A phase runs in a process of its own, forked to save the start of an interpreter, and with `kill_at` it is killed before one of
its changes of the file system.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software import files, mounted_view, phases, store
from ansible_collections.odh.persistency.plugins.module_utils._software.lmod import lmod_environment
from ansible_collections.odh.persistency.plugins.module_utils._software.tree_layout import (
    SKELETON,
    ReleaseLayout,
    TreeLayout,
)

from tests.support.repeated import Repeated

__all__ = ["LMOD", "Loading", "PhaseEnded", "SoftwareTree", "assert_whole", "software_tree", "software_trees"]

LMOD = "/usr/share/lmod/lmod/libexec/lmod"
#: Audit events of Python before it changes a file system. `open` counts if it is for writing.
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.utime")


class PhaseEnded(Exception):
    """A phase ended with an error. `kind` and `details` are those of the phase."""

    def __init__(self, event: dict[str, Any]) -> None:
        super().__init__(event["message"])
        self.kind, self.details = event["kind"], event["details"]


class Killed(Exception):
    """A phase was killed, as the test wanted."""


class SoftwareTree:
    """A tree at `prefix`, whose volume is at `path`."""

    def __init__(self, prefix: Path, path: Path | None = None) -> None:
        self.prefix, self.path = prefix, path or prefix
        self.tree, self.volume = TreeLayout(str(prefix)), TreeLayout(str(self.path))
        self.entries: dict[str, dict[str, Any]] = {}
        self.releases = 0
        for name in SKELETON:
            (self.path / name).mkdir(parents=True)

    def add(
        self, module: str, body: str = "", files_of: dict[str, str] | None = None, needs: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Put a complete installation into the store, and return its entry. `body` sees the local `root`."""
        name, version = module.split("/")
        loads = "".join(f'depends_on("{other}")\n' for other in needs)
        text = f'whatis("Description: {name}")\nsetenv("VERSION_{name.upper()}", "{version}")\n{loads}{body}\n'
        digest = hashlib.sha256((module + text + json.dumps(files_of or {}, sort_keys=True)).encode()).hexdigest()
        path = f"{module}-{digest[:12]}"
        root = Path(self.volume.installation(path))
        for file, content in {"bin/tool": f"#!/bin/sh\necho {module}\n", **(files_of or {})}.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(content)
            (root / file).chmod(0o755)
        modulefile = Path(self.volume.entry_modulefile(path))
        modulefile.parent.mkdir()
        modulefile.write_text(f'local root = "{self.tree.installation(path)}"\n{text}')
        content = store.content_of(str(root))
        entry = {"schema": 1, "module": module, "name": name, "version": version, "hash": digest, "path": path}
        entry.update(content._asdict(), modulefile_digest=hashlib.sha256(modulefile.read_bytes()).hexdigest())
        entry.update(dependencies={other: self.entries[other]["hash"] for other in needs}, build_dependencies={})
        entry.update(built_at="2026-11-01T00:00:00Z", easybuild="5.4.1")
        files.write_new(self.volume.entry_file(path), files.as_json(entry))
        files.make_read_only(str(root))
        self.entries[module] = entry
        return entry

    def manifest(self, *modules: str, **values: Any) -> dict[str, Any]:
        """Return the manifest of a release with these modules; `featured` names some of them."""
        featured = values.pop("featured", ())
        entries = [
            {**{key: self.entries[module][key] for key in ("module", "hash", "path")}, "featured": module in featured}
            for module in modules
        ]
        return {"schema": 1, "entries": entries, "defaults": {}, "collections": {}, "tests": {}, **values}

    def new_id(self) -> str:
        """Return the id of a new release."""
        self.releases += 1
        return f"20261129T10{self.releases // 60:02}{self.releases % 60:02}Z-{self.releases:08x}"

    def stage(self, *modules: str, **values: Any) -> str:
        """Assemble a release and build its cache, and return its id."""
        release = values.pop("release", None) or self.new_id()
        self.run("assemble", release=release, manifest=self.manifest(*modules, **values))
        self.run("cache", view="release", release=release, lmod_cmd=LMOD)
        return release

    def publish(self, *modules: str, **values: Any) -> str:
        """Publish a release and return its id."""
        release = self.stage(*modules, **values)
        self.run("publish", release=release)
        return release

    def observe(self, **request: Any) -> dict[str, Any]:
        """Return what the phase `observe` sees."""
        return self.run("observe", **request)

    @property
    def current(self) -> str:
        """The id of the current release."""
        return os.readlink(self.volume.current).rpartition("/")[2]

    def run(self, phase: str, view: str = "tree", kill_at: int | None = None, **request: Any) -> Any:
        """Run a phase. Raises PhaseEnded, and Killed if `kill_at` is not beyond its last change.

        The functions of `os` in `faults` stand for a file system that behaves in another way.
        """
        faults = request.pop("faults", {})
        import_module(f"{phases.__package__}.{phase}")
        asked = {"prefix": str(self.prefix), **request}
        mounted = {"path": str(self.path), "prefix": str(self.prefix), "parent": os.getpid(), "uid": None}
        mounted.update(release=request["release"] if view == "release" else None)
        mounted.update(mount=view == "release" or self.path != self.prefix)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            for name, function in faults.items():
                setattr(os, name, function)
            _run_in_child(writer, mounted, phase, asked, kill_at)
        os.close(writer)
        with open(reader, encoding="utf-8") as answers:
            answer = answers.read()
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            raise Killed(os.WTERMSIG(status))
        event = json.loads(answer)
        if event["event"] == "error":
            raise PhaseEnded(event)
        return event["result"]

    def kill_everywhere(self, phase: str, view: str = "tree", **request: Any) -> Iterator[int]:
        """Run a phase again and again, killed before its first change, its second, and so on, until it ends by itself.

        Yields after each kill. The loop's body brings the tree back to where the phase can run again.
        """
        number = 0
        while True:
            number += 1
            try:
                self.run(phase, view=view, kill_at=number, **request)
            except Killed:
                yield number
            else:
                assert number > 2, "the phase changed nothing"
                return

    def lmod(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Lmod as a server does, whose environment has LMOD_CACHED_LOADS and the rest."""
        variables = {**lmod_environment(self.tree, LMOD), "PATH": "/usr/bin:/bin", **environment}
        return subprocess.run([LMOD, *arguments], env=variables, capture_output=True, text=True, check=False)

    def load(self, *modules: str, **environment: str) -> dict[str, str]:
        """Return the environment after loading modules. Raises AssertionError if Lmod fails."""
        done = self.lmod("bash", "load", *modules, **environment)
        assert done.returncode == 0, done.stderr
        assert "false" not in done.stdout.splitlines(), done.stderr
        assigned = (word for word in shlex.split(done.stdout.replace(";", " ")) if "=" in word)
        return dict(word.split("=", 1) for word in assigned)

    def available(self) -> list[str]:
        """Return the modules that JupyterLab's tab lists."""
        done = self.lmod("bash", "--terse", "avail")
        return [line for line in done.stderr.splitlines() if "/" in line and not line.endswith((":", "/"))]

    def assert_whole(self) -> None:
        """Assert that the current release and everything that it uses is complete."""
        assert_whole(self.volume)

    def names(self) -> list[str]:
        """Return what is in the tree besides its skeleton: the link, releases, store entries, locks and what runs left."""
        folders = [self.path, *(self.path / name for name in SKELETON), *(self.path / "store").iterdir()]
        found = {str(path.relative_to(self.path)) for folder in folders for path in folder.iterdir()}
        names = {str(folder.relative_to(self.path)) for folder in folders}
        return sorted(found - names - {"releases/.journal", "locks/.breaking", "locks/.reserve", "locks/work"})


def assert_whole(volume: TreeLayout) -> None:
    """Assert that the current release of a volume and everything that it uses is complete."""
    current = os.path.basename(os.readlink(volume.current))
    layout = ReleaseLayout(volume.release(current))
    manifest = json.loads(Path(layout.manifest).read_text())
    assert manifest["id"] == current
    cache = Path(layout.cache, "spiderT.lua")
    assert int(cache.stat().st_mtime) >= int(Path(layout.cache, "timestamp").stat().st_mtime)
    for entry in manifest["entries"]:
        content = Path(layout.modulefile(entry["module"])).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["modulefile_digest"]
        assert store.read_entry(volume, entry["path"])["digest"] == entry["digest"]
        assert store.content_of(volume.installation(entry["path"])).digest == entry["digest"]


class Loading(Repeated):
    """Load a module again and again, and remember what failed."""

    def __init__(self, tree: SoftwareTree, module: str) -> None:
        variable = f"VERSION_{module.split('/')[0].upper()}"

        def load() -> None:
            assert variable in tree.load(module)

        super().__init__(load)


def _run_in_child(writer: int, view: dict[str, Any], phase: str, request: dict[str, Any], kill_at: int | None) -> None:
    code = 1
    try:
        mounted_view.enter(view)
        if kill_at is not None:
            _kill_before(kill_at)
        event = phases.run_phase(phase, request, lambda progress: None)
        os.write(writer, json.dumps(event).encode())
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _kill_before(number: int) -> None:
    """Kill this process before its change of this number."""
    changes = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGES or writes or event == "subprocess.Popen":
            changes += 1
            if changes == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


@pytest.fixture
def software_tree(tmp_path: Path) -> SoftwareTree:
    """An empty tree; see the docstring of this file."""
    return SoftwareTree(tmp_path / "apps")


@contextlib.contextmanager
def _trees(folder: Path) -> Iterator[tuple[SoftwareTree, SoftwareTree]]:
    prefix = folder / "apps"
    prefix.mkdir()
    yield SoftwareTree(prefix, folder / "staging"), SoftwareTree(prefix, folder / "production")


@pytest.fixture
def software_trees(tmp_path: Path) -> Iterator[tuple[SoftwareTree, SoftwareTree]]:
    """Two trees of the same prefix, for promotions. Phases see the one that they run for."""
    with _trees(tmp_path) as trees:
        yield trees
