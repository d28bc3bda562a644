"""tests/support/module_server.py: a fork is what a new interpreter would be."""

from __future__ import annotations

import os

import pytest

from tests.support import module_server
from tests.support.modules import Running

OPTIONS = {"users": ["ann"], "namespace": "Not a name", "api_key": "s3cret"}


def run(environment, options=OPTIONS, how=None):
    return Running("user_pvc", options, environment, check=False, diff=False, how=how).wait()


@pytest.fixture
def environment(tmp_path):
    return dict(os.environ) | {
        "TMPDIR": str(tmp_path),
        "KUBECONFIG": "",
        "K8S_AUTH_KUBECONFIG": "",
        "HOME": str(tmp_path),
    }


@pytest.mark.parametrize("options", [OPTIONS, {"users": ["ann"], "namespace": "hub"}])
def test_it_returns_what_a_new_interpreter_returns(environment, options):
    forked = run(environment, options)
    started = run(environment | {"PYTHONHASHSEED": "0"}, options)
    assert forked.failed
    assert (forked.code, forked.output) == (started.code, started.output)
    assert "s3cret" not in str(forked.output)


def test_only_what_python_itself_reads_takes_a_new_interpreter(environment):
    assert module_server.can_serve(environment)
    assert not module_server.can_serve(environment | {"PYTHONPATH": "/somewhere"})


def test_runs_know_nothing_of_each_other(environment):
    options = {"users": ["ann"], "namespace": "hub"}
    first = run(environment, options).output["msg"]
    assert "/nowhere" in run(environment | {"K8S_AUTH_KUBECONFIG": "/nowhere"}, options).output["msg"]
    assert run(environment, options).output["msg"] == first


def test_a_killed_one_ends_with_the_signal(environment, tmp_path):
    options = {"path": str(tmp_path), "shares": [{"name": "data", "level": "public", "directory": "data"}]}
    how = {"fault": {"calls": ["mkdir"], "at": 1, "how": "kill"}}
    running = Running("share_directory", options, environment, check=False, diff=False, how=how)
    assert running.process.wait(60) == -9
    running.kill()
