"""The phase `build` on the real EasyBuild: what it leaves in the store, and what it says when it fails."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.software.executor import PhaseFailed
from ansible_collections.odh.persistency.plugins.module_utils._software.store import content_of

from testbed.software.sources import EASYCONFIGS, sources
from testbed.software.stack import DemoStack
from tests.support.phases import *  # noqa: F403
from tests.support.phases import Phases, snapshot


def test_an_entry_is_built_once_and_immutable(phases: Phases) -> None:
    software = phases.software
    software.add("lib", "1.0")
    software.add("tool", "1.0", "dependencies = [('lib', '1.0')]")
    entries = phases.resolve("tool-1.0.eb")
    lib, tool = entries["lib/1.0"], entries["tool/1.0"]
    with pytest.raises(PhaseFailed, match=r"tool/1\.0: the store has no lib/1\.0-[0-9a-f]{12}, which it needs"):
        phases.build(tool, store=[lib])

    phases.build(lib)
    written = phases.build(tool, store=[lib])
    assert [event["step"] for event in phases.events][:4] == [
        "building and installing tool/1.0",
        "fetching files and verifying checksums",
        "creating build dir, resetting environment",
        "unpacking",
    ]
    assert {event["entry"] for event in phases.events} == {"tool/1.0"}
    elapsed = [event["elapsed"] for event in phases.events]
    assert elapsed == sorted(elapsed)

    folder = phases.installation(tool)
    for parent, folders, files in os.walk(folder):
        for path in [Path(parent), *(Path(parent, name) for name in folders + files)]:
            assert path.is_symlink() or not stat.S_IMODE(path.stat().st_mode) & 0o222, path
            assert path.stat().st_mode & 0o004, path
    content = content_of(str(folder))
    modulefile = (folder / ".odh-persistency/module.lua").read_bytes()
    assert {key: written[key] for key in ("digest", "size", "files")} == content._asdict()
    assert written["modulefile_digest"] == hashlib.sha256(modulefile).hexdigest()
    assert f'local root = "{software.prefix}/store/{tool["path"]}"'.encode() in modulefile
    assert b'depends_on("lib/1.0")' in modulefile
    assert (written["module"], written["path"], written["hash"]) == ("tool/1.0", tool["path"], tool["hash"])
    assert (written["toolchain"], written["easybuild"], written["easyconfig"]) == ("system", "5.4.1", "tool-1.0.eb")
    assert written["dependencies"] == {"lib/1.0": lib["hash"]}
    assert phases.shell("module load tool; tool", lib, tool) == "tool 1.0\n"
    assert "COMPLETED" in (software.path / "locks/work/test/logs/tool-1.0.log").read_text()
    assert list(software.path.glob("locks/easybuild/[!.]*")) == []

    before = snapshot(software.path / "store")
    assert phases.build(tool, store=[lib], run="another") == written
    assert phases.events == []
    assert snapshot(software.path / "store") == before
    assert phases.resolve("tool-1.0.eb")["tool/1.0"]["path"] == tool["path"]


def test_the_demo_stack_works(make_phases: Callable[..., Phases], demo: DemoStack) -> None:
    """Stock easyconfigs, a dependency between them, our own application, and Python packages. The optional entry fails."""
    phases = make_phases(prefix=demo.prefix)
    demo.copy(phases.software.path)
    commands = """
        module load hello/1.1 UnZip tables
        hello
        bzip2 --version 2>&1 | head -n 1
        unzip -v | grep -i bzip2
        tabulate --help | head -n 1
        python3 -c 'import tabulate; print(tabulate.__version__)'
    """
    printed = phases.shell(commands, *demo.entries.values()).splitlines()
    assert printed[0] == "hello 1.1"
    assert "Version 1.0.8" in printed[1]
    assert any("USE_BZIP2" in line for line in printed)
    assert printed[-1] == "0.9.0"

    phases.kept = {"robot_paths": [str(EASYCONFIGS)], "source_paths": [str(sources())]}
    broken = phases.resolve("broken-1.0.eb")["broken/1.0"]
    with pytest.raises(PhaseFailed) as error:
        phases.build(broken)
    assert error.value.details["exit_code"] == 45
    assert "no file found at 'bin/missing'" in str(error.value)


def test_each_failure_is_one_sentence(phases: Phases) -> None:
    """What is checked before EasyBuild runs, and EasyBuild's own exit codes."""
    software = phases.software
    software.add("missing", "1.0", source=False)
    software.add("wrong", "1.0")
    (software.sources / "wrong-1.0.tar").write_bytes(b"something else")
    software.add("sanity", "1.0", "sanity_check_commands = ['false']")
    software.add("command", "1.0", "postinstallcmds = ['echo no such luck >&2; exit 7']")
    names = ("missing", "wrong", "sanity", "command")
    entries = phases.resolve(*(f"{name}-1.0.eb" for name in names))

    def failure(name: str, **changes: object) -> PhaseFailed:
        with pytest.raises(PhaseFailed) as error:
            phases.build({**entries[f"{name}/1.0"], **changes})
        assert str(error.value).startswith(f"{name}/1.0: ")
        assert "\n" not in str(error.value)
        assert not phases.installation(entries[f"{name}/1.0"]).exists()
        assert list(software.path.glob("locks/easybuild/[!.]*")) == []
        return error.value

    checksum = entries["missing/1.0"]["sources"][0]["sha256"]
    assert str(failure("missing")) == (
        f"missing/1.0: missing-1.0.tar is missing (SHA256 {checksum}): put it into `source_paths`"
    )
    assert failure("missing").kind == "rejected"
    wrong = str(failure("wrong"))
    assert f"{software.sources}/wrong-1.0.tar has another checksum than the easyconfig says (SHA256 " in wrong
    assert not (software.path / "locks/work").exists()  # EasyBuild did not run

    # As if the file had changed since the plan.
    error = failure("wrong", sources=[])
    assert error.details["exit_code"] == 42
    assert "a checksum is wrong (Checksum verification for " in str(error)
    error = failure("missing", sources=[])
    assert error.details["exit_code"] in (30, 41)
    assert "a source is missing" in str(error)

    error = failure("sanity")
    assert error.details["exit_code"] == 45
    assert "the sanity check failed (" in str(error)
    assert error.details["log"] == f"{software.prefix}/locks/work/test/logs/sanity-1.0.log"
    assert str(error).endswith(f"(log: {error.details['log']})")
    assert error.details["last_lines"]
    error = failure("command")
    assert error.details["step"] == "postprocessing"
    assert "in postprocessing step" in str(error) or "in post_processing step" in str(error) or "echo" in str(error)
    debug = software.path / "locks/work/test/logs/command-1.0.debug.log"
    assert "no such luck" in debug.read_text()


def test_a_missing_source_is_downloaded_if_the_run_may(phases: Phases, tmp_path: Path) -> None:
    """By EasyBuild itself, from the address in the easyconfig, into a temporary folder if `source_paths` is read-only."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        phases.software.add("tool", "1.0", f"source_urls = ['http://127.0.0.1:{server.server_port}']")
        os.rename(phases.software.sources / "tool-1.0.tar", tmp_path / "tool-1.0.tar")
        entry = phases.resolve("tool-1.0.eb", download=True)["tool/1.0"]
        assert entry["sources"][0]["urls"] == [f"http://127.0.0.1:{server.server_port}/tool-1.0.tar"]
        with pytest.raises(PhaseFailed, match=r"tool-1\.0\.tar is missing"):
            phases.build(entry)
        assert phases.build(entry, download=True)["module"] == "tool/1.0"
        assert list(phases.software.sources.iterdir()) == []
        server.shutdown()
