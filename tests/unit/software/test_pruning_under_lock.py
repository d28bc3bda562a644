"""Which servers run is asked again once a prune has the lock: it may have waited for a publication."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

from ansible_collections.odh.persistency.plugins.module_utils._core.plan import CREATE, Change, Plan
from ansible_collections.odh.persistency.plugins.module_utils._io.modules import lmod_release
from ansible_collections.odh.persistency.plugins.module_utils._io.software import switching


def test_servers_are_listed_again_with_the_lock(monkeypatch):
    seen = []
    change = Change(CREATE, "release", "", "x", "r", after="x", operations=("delete",))

    def tree(name):
        return SimpleNamespace(raw=name, current=None, previous=None)

    @contextlib.contextmanager
    def locked(*_options):
        seen.append("locked")
        yield tree("then"), 0.0

    def decide(raw, _settings):
        seen.append(raw)
        return SimpleNamespace(removed=False, request=dict)

    run = SimpleNamespace(locked=locked, observe=lambda: tree("before"), phase=lambda *_given, **_more: {"bytes": 0})
    servers = iter([None, "a server"])
    monkeypatch.setattr(lmod_release, "open_builder", lambda module: contextlib.nullcontext())
    monkeypatch.setattr(lmod_release, "ReleaseRun", lambda *_given: run)
    monkeypatch.setattr(switching, "oldest_server", lambda _module: next(servers))
    monkeypatch.setattr(switching, "used_since", lambda _now, _age, oldest, _known: seen.append(oldest))
    monkeypatch.setattr(switching, "decide", decide)
    monkeypatch.setattr(switching, "plan_pruning", lambda _decided: Plan((change,)))
    monkeypatch.setattr(lmod_release, "finish", lambda *_given, **results: results)
    params = {
        "state": "pruned",
        "prefix": "/opt/apps",
        "server_namespaces": ["hub"],
        "when_locked": "wait",
        "lock_timeout": 1,
        "keep": 1,
        "minimum_age": "1d",
    }
    lmod_release._switch(SimpleNamespace(params=params, check_mode=False), None)
    assert seen == [None, "before", "locked", "a server", "then"]
