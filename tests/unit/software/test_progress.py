"""Progress never ends a run."""

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.module_utils._io.software.progress import Progress


def test_a_full_file_system_ends_progress_and_not_the_run():
    with Progress("/dev/full") as progress:
        for _line in range(3):
            progress.say("configuring")


def test_lines_are_written_at_once(tmp_path):
    with Progress(str(tmp_path / "progress")) as progress:
        progress.event({"entry": "tool/1.0", "step": "building", "elapsed": 2.4})
        assert (tmp_path / "progress").read_text() == "tool/1.0: building (2 s)\n"
