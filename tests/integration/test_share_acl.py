"""share_acl against a real API server: publication, a second run, check mode, guards, repair, deletion."""

from __future__ import annotations

import pytest

from tests.support.acl import AGENT, DIGEST, INDEX, KIND, digest_of, objects, options, read, share

GROUPS = {"analysts": ["ann", "ben"], "guests": ["cat"]}
SHARES = [
    share("public-data", "public", write={"groups": ["analysts"]}),
    share("notebooks", read={"groups": ["guests", "hub:visitors"]}, write={"groups": ["analysts"], "users": ["dan"]}),
    share("payroll", "secret", read={"users": ["ann"]}),
]


@pytest.fixture
def published(modules, namespace):
    """Publish an ACL. Return the options with which it was published."""
    chosen = options(namespace, SHARES, groups=GROUPS)
    modules.ok("share_acl", chosen)
    return chosen


def test_it_is_published_and_reads_as_a_hub_reads_it(cluster, namespace, modules):
    result = modules.ok("share_acl", options(namespace, SHARES, groups=GROUPS))
    assert result.changed
    view = read(cluster, namespace, "ann")
    assert (view.mode("public-data"), view.mode("notebooks"), view.mode("payroll")) == ("rw", "rw", "ro")
    view = read(cluster, namespace, "cat")
    assert (view.mode("public-data"), view.mode("notebooks"), view.mode("payroll")) == ("ro", "ro", None)
    assert read(cluster, namespace, "somebody").mode("public-data") == "ro"
    assert result.acl["digest"] == view.digest
    assert (result.acl["shares"], result.acl["people"], result.acl["parts"]) == (3, 4, 2)
    found = objects(cluster, namespace)
    index = found.pop(INDEX)
    assert index["metadata"]["labels"] == {KIND: "acl-index"}
    marks = index["metadata"]["annotations"]
    assert marks["odh.persistency/schema"] == "1"
    assert marks["odh.persistency/writer"].startswith("odh.persistency ")
    assert marks["odh.persistency/published-at"] == result.acl["published"]
    assert len(found) == 2
    for part in found.values():
        assert part["immutable"] is True
        assert part["metadata"]["labels"] == {KIND: "acl-part"}
        assert digest_of(part["data"]["part.json"]) == part["metadata"]["annotations"][DIGEST]


def test_the_second_run_is_two_lists(published, modules, audit):
    with audit(user_agent=AGENT) as log:
        result = modules.ok("share_acl", published, diff=True)
    assert not result.changed
    assert result.changes == []
    assert result.summary == {"keep": 3}
    assert result.diff == {"before": "", "after": ""}
    asked = [(request.verb, request.resource) for request in log.requests]
    assert asked[:2] == [("list", "configmaps"), ("list", "persistentvolumeclaims")]
    # The claims of these shares do not exist: each is asked for.
    assert asked[2:] == [("get", "persistentvolumeclaims")] * 3


def test_the_order_of_the_input_and_the_writer_have_no_effect(cluster, namespace, published, modules):
    turned = [dict(reversed(one.items())) for one in reversed(SHARES)]
    groups = {name: list(reversed(GROUPS[name])) for name in reversed(GROUPS)}
    assert not modules.ok("share_acl", options(namespace, turned, groups=groups)).changed
    body = {"metadata": {"annotations": {"odh.persistency/writer": "odh.persistency 0.0.9"}}}
    cluster.patch("configmaps", INDEX, body, namespace)
    assert not modules.ok("share_acl", published).changed


def test_check_mode_shows_the_same_and_stores_nothing(cluster, namespace, modules, audit):
    chosen = options(namespace, SHARES, groups=GROUPS)
    with audit(user_agent=AGENT) as log:
        shown = modules.ok("share_acl", chosen, check=True, diff=True)
    assert not log.writes
    assert sorted(request.verb for request in log.dry_runs) == ["create", "create", "create"]
    assert objects(cluster, namespace) == {}
    done = modules.ok("share_acl", chosen, diff=True)
    for key in ("changed", "changes", "summary", "diff"):
        assert getattr(shown, key) == getattr(done, key), key
    assert shown.acl == {**done.acl, "published": ""}

    fewer = {**chosen, "groups": {"analysts": ["ann"], "guests": ["cat", "eve"]}}
    stored = objects(cluster, namespace)
    with audit(user_agent=AGENT) as log:
        shown = modules.ok("share_acl", fewer, check=True, diff=True)
    assert not log.writes
    assert sorted(request.verb for request in log.dry_runs) == ["create", "patch"]
    assert objects(cluster, namespace) == stored
    done = modules.ok("share_acl", fewer, diff=True)
    for key in ("changed", "changes", "summary", "diff"):
        assert getattr(shown, key) == getattr(done, key), key
    sentences = done.diff["after"].splitlines()
    assert "eve gains ro on notebooks (group guests)" in sentences
    assert "ben loses rw on notebooks (left group analysts), except members of hub:visitors" in sentences
    reported = {(item["name"], item.get("owner")): item for item in done.changes if item["kind"] == "acl"}
    assert reported["notebooks", "eve"]["action"] == "create"
    assert reported["notebooks", "ben"]["action"] == "delete"


def test_a_namespace_that_is_missing(modules, namespace):
    chosen = options("odhp-nowhere", SHARES, groups=GROUPS)
    assert "Namespace odhp-nowhere does not exist" in modules.refused("share_acl", chosen)
    shown = modules.ok("share_acl", chosen, check=True)
    assert shown.changed
    assert any("Namespace odhp-nowhere does not exist" in warning for warning in shown.warnings)
