"""What the process of a Job does before and after its phase."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software import job
from ansible_collections.odh.persistency.plugins.module_utils._software.packed import pack, unpack
from ansible_collections.odh.persistency.plugins.module_utils._software.tree_layout import SKELETON

RELEASE = "20261129T101500Z-0a1b2c3d"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that phases get. None runs, and SIGTERM stays as it is."""
    found: list[Any] = []
    monkeypatch.setattr(job, "serve", lambda _phase, request, _last: found.append(request) or 0)
    monkeypatch.setattr(job.signal, "signal", lambda *_arguments: None)
    return found


def run(tmp_path: Path, phase: str, view: str = "tree") -> Path:
    prefix = tmp_path / "apps"
    request = tmp_path / "request"
    request.write_text(pack({"prefix": str(prefix), "release": RELEASE}))
    assert job.main([phase, view, str(request)]) == 0
    return prefix


def test_the_first_run_makes_a_tree_of_an_empty_volume(served, tmp_path):
    (tmp_path / "apps" / "sources").mkdir(parents=True)
    (tmp_path / "apps" / "lost+found").mkdir()
    prefix = run(tmp_path, "lock")
    assert sorted(os.listdir(prefix)) == sorted([*SKELETON, "lost+found", "sources"])


def test_a_plan_writes_nothing_to_an_empty_volume(served, tmp_path):
    (tmp_path / "apps").mkdir()
    prefix = run(tmp_path, "resolve")
    assert os.listdir(prefix) == []
    assert sorted(os.listdir(served[0]["prefix"])) == sorted(SKELETON)
    assert served[0]["source_paths"] == [f"{prefix}/sources"]


def test_a_volume_with_something_else_is_no_tree(served, tmp_path):
    (tmp_path / "apps" / "photos").mkdir(parents=True)
    prefix = run(tmp_path, "lock")
    assert os.listdir(prefix) == ["photos"]


@pytest.mark.parametrize(("folder", "shown"), [(f".new-{RELEASE}", f".new-{RELEASE}"), (RELEASE, RELEASE)])
def test_the_view_of_a_release_shows_it_as_the_current_one(served, tmp_path, folder, shown):
    (tmp_path / "apps" / "releases" / folder).mkdir(parents=True)
    prefix = run(tmp_path, "verify", "release")
    assert os.readlink(prefix / "current") == f"releases/{shown}"


def test_the_log_of_a_failed_job_has_its_error_as_text():
    error = {"event": "error", "message": "no luck", "kind": "failed", "details": {}}
    assert job._packed(error) == error
    result = {"event": "result", "result": {"entries": []}}
    assert unpack(job._packed(result)["value"]) == result
