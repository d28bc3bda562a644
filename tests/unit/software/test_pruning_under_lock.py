"""Which servers run is asked again once a prune has the lock: it may have waited for a publication."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

from ansible_collections.odh.persistency.plugins.module_utils._core.plan import CREATE, Change, Plan
from ansible_collections.odh.persistency.plugins.module_utils._io.modules import lmod_release
from ansible_collections.odh.persistency.plugins.module_utils._io.software.switching import Switching


def test_servers_are_listed_again_with_the_lock(monkeypatch):
    seen = []
    change = Change(CREATE, "release", "", "x", "r", after="x", operations=("delete",))

    @contextlib.contextmanager
    def locked(*_options):
        seen.append("locked")
        yield

    def pruning(_run, _params, oldest, _known):
        seen.append(oldest)
        return Switching(Plan((change,)), lambda: {"bytes": 0}, {})

    servers = iter([None, "a server"])
    monkeypatch.setattr(lmod_release, "open_builder", lambda module: contextlib.nullcontext())
    monkeypatch.setattr(lmod_release, "ReleaseRun", lambda *_given: SimpleNamespace(locked=locked))
    monkeypatch.setattr(lmod_release, "oldest_server", lambda _module, _namespaces: next(servers))
    monkeypatch.setattr(lmod_release, "pruning", pruning)
    monkeypatch.setattr(lmod_release, "finish", lambda *_given, **results: results)
    params = {
        "state": "pruned",
        "prefix": "/opt/apps",
        "server_namespaces": ["hub"],
        "when_locked": "wait",
        "lock_timeout": 1,
    }
    lmod_release._switch(SimpleNamespace(params=params, check_mode=False), None)
    assert seen == [None, "locked", "a server"]
