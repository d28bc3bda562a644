"""A software tree in a temporary folder with one release in staging, shown through `current`, and real modulefiles.

def test_it(release_tree):
    release_tree.add("tool/1.0", 'prepend_path("PATH", pathJoin(root, "bin"))', {"bin/tool": "#!/bin/sh\n"})
    assert release_tree.verify() == []
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils._software import verify
from plugins.module_utils._software.assemble import DEFAULTS_FILE
from plugins.module_utils._software.lmod import TIMESTAMP, UPDATE_CACHE, default_version, lmodrc
from plugins.module_utils._software.tree_layout import ReleaseLayout, TreeLayout

__all__ = ["ReleaseTree", "release_tree"]

LMOD = Path("/usr/share/lmod/lmod/libexec/lmod")
RELEASE = "20261129T101500Z-0a1b2c3d"
PREVIOUS = "20261128T101500Z-0a1b2c3d"


class ReleaseTree:
    """Modules are added one by one. `verify` makes the manifest and the cache unless they exist."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder
        self.tree = TreeLayout(str(folder))
        self.staging = ReleaseLayout(self.tree.staging(RELEASE))
        for path in (self.tree.store, self.tree.locks, self.staging.modules, self.staging.lmod):
            os.makedirs(path)
        os.symlink(os.path.relpath(self.staging.folder, folder), self.tree.current)
        self.current = ReleaseLayout(self.tree.current)
        self.manifest: dict[str, Any] = {"schema": 1, "id": RELEASE, "prefix": str(folder), "entries": []}
        self.manifest.update(defaults={}, failed=[], collections={}, tests={})

    def add(self, module: str, body: str = "", files: Mapping[str, str | bytes] | None = None) -> Path:
        """Install a module with these files, and return the folder of its installation, the local `root` of `body`."""
        path = f"{module}-{hashlib.sha256(module.encode()).hexdigest()[:12]}"
        root = Path(self.tree.installation(path))
        for name, content in {**(files or {}), ".odh-persistency/entry.json": "{}"}.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
            file.chmod(0o755)
        modulefile = Path(self.staging.modulefile(module))
        modulefile.parent.mkdir(parents=True, exist_ok=True)
        modulefile.write_text(f'local root = "{root}"\n{body}\n')
        digest = hashlib.sha256(modulefile.read_bytes()).hexdigest()
        self.manifest["entries"].append(
            {"module": module, "hash": "0" * 64, "path": path, "modulefile_digest": digest, "state": "built"}
        )
        return root

    def remove(self, module: str) -> None:
        """Take a module out of the release, and its installation out of the store."""
        [entry] = [entry for entry in self.manifest["entries"] if entry["module"] == module]
        self.manifest["entries"].remove(entry)
        shutil.rmtree(self.tree.installation(entry["path"]))
        os.remove(self.staging.modulefile(module))
        os.remove(self.staging.manifest)

    def set_default(self, name: str, version: str) -> None:
        """Make a version the default of its module."""
        Path(self.staging.modules, name, DEFAULTS_FILE).write_text(default_version(name, version))

    def write_manifest(self) -> None:
        """Write the manifest as it is now."""
        Path(self.staging.manifest).write_text(json.dumps(self.manifest))

    def write_previous(self, manifest: dict[str, Any] | None) -> str | None:
        """Write the manifest of a release that was published before, and return its id."""
        if manifest is None:
            return None
        layout = ReleaseLayout(self.tree.release(PREVIOUS))
        os.makedirs(layout.folder, exist_ok=True)
        Path(layout.manifest).write_text(json.dumps({**manifest, "id": PREVIOUS}))
        return PREVIOUS

    def write_cache(self, modules: str | None = None) -> None:
        """Have Lmod build the cache of the release, as it is shown through `current`."""
        os.makedirs(self.staging.cache, exist_ok=True)
        Path(self.staging.lmodrc).write_text(lmodrc(self.tree))
        cache = self.current.cache
        command = [
            LMOD.with_name(UPDATE_CACHE),
            "-d",
            cache,
            "-t",
            f"{cache}/{TIMESTAMP}",
            modules or self.current.modules,
        ]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)

    def result(self, **request: Any) -> dict[str, Any]:
        """Return the result of the phase `verify`."""
        if not os.path.exists(self.staging.manifest):
            self.write_manifest()
        if not os.path.exists(self.staging.cache):
            self.write_cache()
        return verify.run(self.request(**request), lambda event: None)

    def request(self, **more: Any) -> dict[str, Any]:
        """Return a request of the phase `verify`."""
        return {"prefix": str(self.prefix), "release": RELEASE, "scope": "all", "lmod_cmd": str(LMOD), **more}

    def verify(self, **request: Any) -> list[tuple[str, str, str]]:
        """Return what fails, as (module, check, reason)."""
        failures = self.result(**request)["failures"]
        return [(failure["module"], failure["check"], failure["reason"]) for failure in failures]


@pytest.fixture
def release_tree(tmp_path: Path) -> ReleaseTree:
    """A tree with one release in staging and no modules; see the docstring of this file."""
    return ReleaseTree(tmp_path / "apps")
