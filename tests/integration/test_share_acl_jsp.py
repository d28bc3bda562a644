"""share_acl for classic Open Data Hub: its ConfigMap, what profiles omit, and the same guards."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from testbed.faults import Rule, clock
from testbed.proxy import FaultProxy
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
    assert {left.split()[0] for left in (one["reason"] for one in result.unreconcilable)} >= {
        "empty",
        "payroll",
        "past",
    }
    with audit(user_agent=AGENT) as log:
        again = modules.ok("share_acl", chosen)
    assert not again.changed
    requests = [(request.verb, request.resource) for request in log.requests]
    assert requests[:2] == [("get", "configmaps"), ("list", "persistentvolumeclaims")]
    # These claims do not exist: each is asked for.
    assert set(requests[2:]) == {("get", "persistentvolumeclaims")}


def test_changes_are_reported_and_manual_edits_undone(cluster, namespace, modules, chosen):
    modules.ok("share_acl", chosen)
    result = modules.ok("share_acl", {**chosen, "groups": {"analysts": ["ann", "dan"], "nobody": []}}, diff=True)
    sentences = result.diff["after"].splitlines()
    assert any(sentence.startswith("ben loses rw on notebooks") for sentence in sentences)
    assert any(sentence.startswith("dan gains rw on notebooks") for sentence in sentences)
    cluster.patch("configmaps", NAME, {"metadata": {"labels": {"jupyterhub": None}}}, namespace)
    assert modules.ok("share_acl", chosen).changed
    assert not modules.ok("share_acl", chosen).changed
    # By hand, and as YAML that only people write: what it offered cannot be compared, and does not block the operator.
    cluster.patch("configmaps", NAME, {"data": {KEY: "profiles:\n- name: mine\n"}}, namespace)
    result = modules.ok("share_acl", {**chosen, "max_withdrawals": 0})
    assert any("could not be compared" in warning for warning in result.warnings)
    assert "notebooks" in volumes(cluster, namespace, "ann")


def test_guards_and_refusals(cluster, namespace, modules, chosen):
    hub = share("more", read={"groups": ["hub:visitors"]})
    message = modules.refused("share_acl", {**chosen, "shares": [*SHARES, hub]})
    assert "singleuser-profiles do not support groups of the hub" in message
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
    assert "does not belong to this collection" in modules.refused("share_acl", chosen)
    assert not modules.ok("share_acl", {**chosen, "state": "absent"}).changed
    assert cluster.get("configmaps", NAME, namespace)["data"] == {KEY: "profiles: []\n"}


def test_a_day_that_passes_is_no_withdrawal_and_ends_the_offer(cluster, namespace, modules):
    """As in the ACL itself: guards do not hold back what expires, because otherwise the profiles would offer it indefinitely."""
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).date().isoformat()
    shares = [share("course", read={"users": [f"p{number}" for number in range(60)]}, until=tomorrow)]
    chosen = options(namespace, shares, format="jsp")
    assert modules.ok("share_acl", chosen).changed
    later = Rule(clock(2 * 86_400))
    with FaultProxy(cluster.kubeconfig, [later]) as proxy:
        result = modules.ok("share_acl", chosen, diff=True, kubeconfig=Path(proxy.kubeconfig))
        assert result.changed
        assert "loses" not in result.diff["after"]
        assert any(f"expired after {tomorrow}" in difference["reason"] for difference in result.unreconcilable)
        assert not modules.ok("share_acl", chosen, kubeconfig=Path(proxy.kubeconfig)).changed
    assert volumes(cluster, namespace, "p1") == {}
    # A last day that is set to one gone by does withdraw.
    modules.ok("share_acl", chosen)
    past = [{**shares[0], "until": "2020-01-01"}]
    message = modules.refused("share_acl", {**chosen, "shares": past})
    assert "60 grants would be withdrawn" in message
    result = modules.ok("share_acl", {**chosen, "shares": past, "max_withdrawals": 60}, diff=True)
    assert "60 people lose ro on course (expired after 2020-01-01)" in result.diff["after"]


def test_levels_and_groups_are_guarded_as_in_the_acl_itself(cluster, namespace, modules):
    name = cluster.make_group(["eve"])
    groups = {name: ["ann"], "staff": ["ann"]}
    shares = [share("cases", "secret", read={"groups": ["staff"]}), share("lab", read={"groups": [name]})]
    chosen = options(namespace, shares, groups=groups, format="jsp")
    modules.ok("share_acl", chosen)
    opened = [{**shares[0], "level": "public", "read": {}}, shares[1]]
    message = modules.refused("share_acl", {**chosen, "shares": opened})
    assert (
        "cases is secret and would become public, and everyone would gain access: set `declassify: [cases]`" in message
    )
    moved = [shares[0], {**shares[1], "read": {"groups": [f"openshift:{name}"]}}]
    message = modules.refused("share_acl", {**chosen, "shares": moved})
    assert f"set `allow_source_change: [{name}]`" in message
    assert "names 'misspelt'" in modules.refused(
        "share_acl", {**chosen, "shares": moved, "allow_source_change": ["misspelt"]}
    )
    result = modules.ok("share_acl", {**chosen, "shares": moved, "allow_source_change": [name]}, diff=True)
    assert "eve gains ro on lab" in result.diff["after"]
    # What becomes secret, or is retired, leaves the profiles for that reason.
    result = modules.ok("share_acl", {**chosen, "shares": [shares[0], {**shares[1], "level": "secret"}]}, diff=True)
    assert "eve loses ro on lab (it is secret, and profiles have no way to ask for it)" in result.diff["after"]
    modules.ok("share_acl", {**chosen, "declassify": ["lab"]})
    retired = modules.ok("share_acl", {**chosen, "shares": [shares[0], {"name": "lab", "state": "retired"}]}, diff=True)
    assert "ann loses ro on lab (share retired)" in retired.diff["after"]
