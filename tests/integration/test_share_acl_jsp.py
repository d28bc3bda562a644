"""share_acl for classic Open Data Hub: its ConfigMap, what it cannot carry, and the same guards."""

from __future__ import annotations

import pytest
import yaml

from tests.support.acl import AGENT, KIND, options, share

NAME = "odh-persistency-shares-profiles"
KEY = "jupyterhub-singleuser-profiles.yaml"
GROUPS = {"analysts": ["ann", "ben"], "nobody": []}
SHARES = [
    share("public-data", "public"),
    share("notebooks", read={"users": ["cat"]}, write={"groups": ["analysts"]}),
    share("empty", read={"groups": ["nobody"]}),
    share("payroll", "secret", read={"users": ["ann"]}),
    share("past", read={"users": ["ann"]}, until="2020-01-01"),
]


@pytest.fixture
def chosen(namespace):
    return options(namespace, SHARES, groups=GROUPS, format="jsp")


def volumes(cluster, namespace, person):
    """What a person's server mounts, by JSP's rules: `{claim: (path, read only)}`."""
    found = cluster.get("configmaps", NAME, namespace)
    mounts = {}
    for profile in yaml.safe_load(found["data"][KEY])["profiles"]:
        assert profile["users"], "a profile without users is everybody's"
        if "*" in profile["users"] or person in profile["users"]:
            for volume in profile["volumes"]:
                claim = volume["persistentVolumeClaim"]
                assert claim["claimName"] not in mounts
                mounts[claim["claimName"]] = (volume["mountPath"], claim["readOnly"])
    return mounts


def test_profiles_are_made_once(cluster, namespace, modules, audit, chosen):
    with audit(user_agent=AGENT) as log:
        shown = modules.ok("share_acl", chosen, check=True, diff=True)
    assert not log.writes
    assert [request.verb for request in log.dry_runs] == ["create"]
    result = modules.ok("share_acl", chosen, diff=True)
    for key in ("changed", "changes", "summary", "diff"):
        assert getattr(shown, key) == getattr(result, key), key
    found = cluster.get("configmaps", NAME, namespace)
    assert found["metadata"]["labels"] == {"jupyterhub": "singleuser-profiles", KIND: "acl-profiles"}
    below = "/opt/app-root/src"
    public = {"public-data": (f"{below}/public-data", True)}
    assert volumes(cluster, namespace, "ann") == {**public, "notebooks": (f"{below}/notebooks", False)}
    assert volumes(cluster, namespace, "cat") == {**public, "notebooks": (f"{below}/notebooks", True)}
    assert volumes(cluster, namespace, "eve") == public
    assert sum("only offer mounts" in warning for warning in result.warnings) == 1
    assert {left.split()[0] for left in (one["reason"] for one in result.drift)} >= {"empty", "payroll", "past"}
    with audit(user_agent=AGENT) as log:
        again = modules.ok("share_acl", chosen)
    assert not again.changed
    assert [(request.verb, request.resource) for request in log.requests] == [("get", "configmaps")]


def test_changes_are_told_and_hand_edits_undone(cluster, namespace, modules, chosen):
    modules.ok("share_acl", chosen)
    result = modules.ok("share_acl", {**chosen, "groups": {"analysts": ["ann", "dan"], "nobody": []}}, diff=True)
    sentences = result.diff["after"].splitlines()
    assert any(sentence.startswith("ben loses rw on notebooks") for sentence in sentences)
    assert any(sentence.startswith("dan gains rw on notebooks") for sentence in sentences)
    cluster.patch("configmaps", NAME, {"metadata": {"labels": {"jupyterhub": None}}}, namespace)
    assert modules.ok("share_acl", chosen).changed
    assert not modules.ok("share_acl", chosen).changed
    # By hand, and as YAML that only people write: what it offered cannot be compared.
    cluster.patch("configmaps", NAME, {"data": {KEY: "profiles:\n- name: mine\n"}}, namespace)
    assert "cannot be compared" in modules.refused("share_acl", chosen)
    result = modules.ok("share_acl", {**chosen, "max_withdrawals": -1})
    assert any("could not be compared" in warning for warning in result.warnings)
    assert "notebooks" in volumes(cluster, namespace, "ann")


def test_guards_and_refusals(cluster, namespace, modules, chosen):
    hub = share("more", read={"groups": ["hub:visitors"]})
    message = modules.refused("share_acl", {**chosen, "shares": [*SHARES, hub]})
    assert "know no groups of the hub's" in message
    modules.ok("share_acl", chosen)
    assert "allow_empty" in modules.refused("share_acl", {**chosen, "shares": []})
    assert "max_withdrawals" in modules.refused(
        "share_acl", {**chosen, "groups": {"analysts": [], "nobody": []}, "max_withdrawals": 1}
    )
    opened = [{**one, "level": "public", "read": {}} if one["name"] == "notebooks" else one for one in SHARES]
    assert "declassify" in modules.refused("share_acl", {**chosen, "shares": opened})
    assert modules.ok("share_acl", {**chosen, "shares": opened, "declassify": ["notebooks"]}).changed
    assert "max_withdrawals" in modules.refused("share_acl", {**chosen, "state": "absent", "max_withdrawals": 0})
    gone = modules.ok("share_acl", {**chosen, "state": "absent"}, diff=True)
    assert "everyone loses ro on public-data" in gone.diff["after"]
    assert cluster.get("configmaps", NAME, namespace) is None
    assert not modules.ok("share_acl", {**chosen, "state": "absent"}).changed


def test_somebody_elses_configmap_is_left_alone(cluster, namespace, modules, chosen):
    cluster.create("configmaps", {"metadata": {"name": NAME}, "data": {KEY: "profiles: []\n"}}, namespace)
    assert "is not of this collection" in modules.refused("share_acl", chosen)
    assert not modules.ok("share_acl", {**chosen, "state": "absent"}).changed
    assert cluster.get("configmaps", NAME, namespace)["data"] == {KEY: "profiles: []\n"}
