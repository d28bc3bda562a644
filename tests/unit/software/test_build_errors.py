"""Why a build failed: one sentence for each of EasyBuild's exit codes, with its reason and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software.build_errors import (
    MEANINGS,
    Logs,
    build_error,
    reject_missing_sources,
    source_problems,
)
from ansible_collections.odh.persistency.plugins.module_utils._software.errors import PhaseError

OUTPUT = """\
== building...
  >> command failed: exit 2, ran in < 1s
ERROR: Installation of tool-1.0.eb failed: {reason}

== Results of the build can be found in the log file(s) /tmp/somewhere
"""


def failed(folder: Path, code: int, reason: str = "shell command 'make ...' failed", debug: str = "") -> PhaseError:
    output = folder / "tool-1.0.log"
    output.write_text(OUTPUT.format(reason=reason))
    (folder / "debug").write_text(debug)
    return build_error("tool/1.0", code, "building", Logs(str(output), str(folder / "debug"), (str(folder),)))


@pytest.mark.parametrize("code", [*MEANINGS, 1, 99])
def test_every_exit_code_is_one_sentence(tmp_path: Path, code: int) -> None:
    error = failed(tmp_path, code)
    meaning, way_out = MEANINGS.get(code, ("EasyBuild failed", "see the log"))
    log = tmp_path / "tool-1.0.log"
    assert error.message == f"tool/1.0: {meaning} (shell command 'make ...' failed): {way_out} (log: {log})"
    assert error.kind == "failed"
    assert error.details["exit_code"] == code
    assert error.details["step"] == "building"
    assert "  >> command failed: exit 2, ran in < 1s" in error.details["last_lines"]


def test_without_a_reason_the_step_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("== building...\n")
    message = build_error("tool/1.0", 16, "building", Logs(str(log), "", (str(tmp_path),))).message
    assert message == (
        f"tool/1.0: compiling failed in the step 'building' with exit code 16: see the last lines of the log (log: {log})"
    )


def test_a_signal_is_no_failure_of_the_software(tmp_path: Path) -> None:
    assert "EasyBuild was ended by signal 9 in the step 'building': run again" in failed(tmp_path, -9).message


@pytest.mark.parametrize(
    ("code", "lasting"), [(16, True), (45, True), (1, True), (41, False), (42, False), (32, False), (-9, False)]
)
def test_what_another_attempt_would_not_change(tmp_path: Path, code: int, lasting: bool) -> None:
    """A source that was put there, an installed package or more memory changes no hash of an entry."""
    assert failed(tmp_path, code).details["lasting"] is lasting
    reason = "Failed to create directory /opt/apps/store/tool: [Errno 13] Permission denied: '/opt/apps/store/tool'"
    assert not failed(tmp_path, code, reason).details["lasting"]


def test_a_long_reason_is_cut(tmp_path: Path) -> None:
    error = failed(tmp_path, 1, "x" * 5000)
    assert len(error.message) < 500
    assert "x" * 300 + "...): see the log" in error.message


@pytest.mark.parametrize("text", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_found_in_either_log(tmp_path: Path, text: str) -> None:
    for error in (failed(tmp_path, 16, f"cannot write: {text}"), failed(tmp_path, 16, debug=f"cc: {text}\n")):
        assert error.kind == "no_space"
        assert error.details["path"] == str(tmp_path)
        assert error.message == (
            f"tool/1.0: the file system of {tmp_path} is full: free some space, or raise its quota, and run again"
        )


def test_sources_that_a_build_lacks() -> None:
    right = {"file": "a.tar", "sha256": "1" * 64, "found": "/sources/a.tar", "valid": True}
    absent = {"file": "b.tar", "sha256": None, "found": None, "valid": None}
    wrong = {"file": "c.tar", "sha256": "3" * 64, "found": "/sources/c.tar", "valid": False}
    entry = {"module": "tool/1.0", "sources": [right, absent, wrong]}
    assert source_problems([entry]) == [
        "b.tar is missing (no checksum in the easyconfig): put it into `source_paths`",
        "/sources/c.tar has another checksum than the easyconfig says (SHA256 " + "3" * 64 + "): replace it",
    ]
    with pytest.raises(PhaseError, match=r"tool/1\.0: b\.tar is missing") as error:
        reject_missing_sources(entry)
    assert error.value.kind == "rejected"
    reject_missing_sources({"module": "tool/1.0", "sources": [right]})
