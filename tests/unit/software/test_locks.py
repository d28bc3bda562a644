"""Locks of trees: candidates that others remove, several entries at once, and holders that somebody edited."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from unittest import mock

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software import build, locks
from ansible_collections.odh.persistency.plugins.module_utils._software.tree_layout import SKELETON, TreeLayout


@pytest.fixture
def tree(tmp_path):
    for name in SKELETON:
        (tmp_path / name).mkdir()
    os.makedirs(TreeLayout(str(tmp_path)).easybuild_locks)
    return TreeLayout(str(tmp_path))


@pytest.mark.parametrize("attempt", ["sync_path", "write_new"])
def test_a_candidate_that_somebody_removes_is_written_again(tree, monkeypatch, attempt):
    real, calls = getattr(locks, attempt), []

    def once(path, *content):
        calls.append(path)
        if len(calls) == 1:
            raise FileNotFoundError(path)
        return real(path, *content)

    monkeypatch.setattr(locks, attempt, once)
    token = locks.acquire(tree, locks.run_holder("one", os.getpid()), {})
    assert locks.read_lock(tree)["token"] == token
    assert len(calls) == 2


def test_a_candidate_that_somebody_removes_after_it_was_linked_is_a_lock(tree, monkeypatch):
    real = os.link

    def link(source, target):
        real(source, target)
        os.unlink(source)

    monkeypatch.setattr(os, "link", link)
    token = locks.acquire(tree, locks.run_holder("one", os.getpid()), {})
    assert locks.read_lock(tree)["token"] == token


def _lock_entry(prefix, number):
    tree = build._EntryLock(prefix, f"tool/{number}")
    for _round in range(60):
        with locks.hold(tree, {"run": "one"}, "build"):
            pass


def test_builds_of_different_entries_do_not_disturb_each_other(tree):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_lock_entry, args=(tree.prefix, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4


@pytest.mark.parametrize("holder", [{}, {"pid": "x"}, {"pid": [1]}, {"expires": "soon"}, {"run": None}], ids=str)
def test_a_holder_that_somebody_edited_is_an_unseen_process(holder):
    mine = {"machine": locks._machine(), "boot": "", "pids": "", **holder}
    mine = {key: value for key, value in mine.items() if key != "boot"} if "pid" in holder else mine
    assert not locks.is_ended(mine, 0)
    assert locks.is_ended(mine, locks.NOBODY_AFTER + 1)


def test_a_run_in_jobs_keeps_its_lock_while_a_pod_waits(tree):
    holder = locks.run_holder("one", None, 2400)
    assert not locks.is_ended(holder, 2399)
    assert locks.is_ended(holder, 2401)
    assert locks.is_ended(locks.run_holder("one", None), locks.NOBODY_AFTER + 1)


@pytest.mark.parametrize("hidden", ["then", "now", "both"])
def test_a_process_that_proc_hides_is_an_unseen_one(monkeypatch, hidden):
    """With `hidepid`, or in some sandboxes, a user sees no processes of others."""
    holder = locks.run_holder("one", os.getpid())
    if hidden != "now":
        holder["started"] = None
    if hidden != "then":
        monkeypatch.setattr(locks, "_started", lambda _pid: None)
    assert not locks.is_ended(holder, locks.NOBODY_AFTER)
    assert locks.is_ended(holder, locks.NOBODY_AFTER + 1)
    # Of another user.
    monkeypatch.setattr(os, "kill", mock.Mock(side_effect=PermissionError))
    assert not locks.is_ended(holder, 0)


@pytest.mark.parametrize("started", [None, "1"])
def test_a_process_that_has_ended(started):
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        holder = {**locks.run_holder("one", process.pid), "started": started}
        assert locks.is_ended(holder, 0)  # nobody has waited for it yet
    assert locks.is_ended(holder, 0)
