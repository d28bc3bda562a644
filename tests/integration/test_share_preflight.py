"""share_preflight against a real API server: all errors at once, before anything is written."""

from __future__ import annotations

import json

import pytest

from tests.support.acl import AGENT, options, share

GROUPS = {"analysts": ["ann", "ben"]}
DATA = share("data", read={"groups": ["analysts"]}, size="1Gi")


def test_errors_of_all_modules_are_reported_at_once(cluster, namespace, modules, audit):
    unsized = share("unsized", read={"users": ["ann"]})
    unsized.pop("size", None)
    directories = {"msg": "...", "changes": [{"action": "refuse", "reason": "data: /srv/data is a symbolic link"}]}
    modules.ok("share_acl", options(namespace, [{**DATA, "level": "secret"}], groups=GROUPS))
    chosen = options(namespace, [DATA, unsized], groups=GROUPS, namespaces=[namespace])
    with audit(user_agent=AGENT) as log:
        result = modules.run("share_preflight", {**chosen, "other_results": [directories]})
    assert result.failed
    assert result.msg.startswith("Nothing was changed, for 3 reasons:")
    for part in ("is a symbolic link", "declassify: [data]", "(unsized): `size` is missing"):
        assert part in result.msg
    assert [change["action"] for change in result.changes] == ["refuse"] * 3
    assert [str(request) for request in log.writes if not request.dry_run] == []
    assert cluster.claims(namespace) == {}


def test_namespaces_that_are_missing_and_shares_that_are_deleted(namespace, modules):
    shares = [DATA, share("jobs", namespaces=[f"{namespace}-jobs"], read={"users": ["ann"]}, size="1Gi")]
    chosen = options(namespace, shares, groups=GROUPS, namespaces=[namespace], create_namespace=True)
    result = modules.ok("share_preflight", chosen)
    assert result.changed is False
    assert result.missing_namespaces == [f"{namespace}-jobs"]
    assert result.deletions == 0
    assert result.warnings == []
    # Without it, what share_pvc rejects in a real run is rejected. In check mode an earlier task may be what creates it.
    chosen["create_namespace"] = False
    message = modules.refused("share_preflight", chosen)
    assert f"{namespace}-jobs does not exist" in message
    assert "Nothing was changed." in message
    assert modules.ok("share_preflight", chosen, check=True).missing_namespaces == []
    chosen["shares"] = [DATA]
    result = modules.ok("share_preflight", {**chosen, "retired": ["old"]})
    assert result.missing_namespaces == []
    assert result.deletions == 1
    # Claims and volumes are previewed only if something precedes them: this one was never retired.
    modules.ok("share_pvc", {"namespaces": [namespace], "shares": [share("old", size="1Gi", read={"users": ["ann"]})]})
    assert "old" in modules.refused("share_preflight", {**chosen, "absent": ["old"]})


def test_an_existing_claim_that_is_missing(cluster, namespace, modules):
    given = share("given", read={"users": ["ann"]}, backend={"type": "existing_claim", "claim": "missing"})
    chosen = options(namespace, [{**DATA, "read": {"users": ["zoe"]}}, given], groups=GROUPS, namespaces=[namespace])
    assert "claim missing does not exist" in modules.refused("share_preflight", chosen)
    modules.ok("share_preflight", chosen, check=True)
    # A claim in a namespace that the run creates cannot exist either.
    new = {**chosen, "namespaces": [namespace, f"{namespace}-new"], "create_namespace": True}
    assert "claim missing does not exist" in modules.refused("share_preflight", new)
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.create("persistentvolumeclaims", {"metadata": {"name": "missing"}, "spec": spec}, namespace)
    modules.ok("share_preflight", chosen)


@pytest.mark.parametrize("form", ["acl", "jsp"])
def test_the_namespace_of_the_access_list_is_missing(namespace, modules, form):
    """share_pvc creates it only if it has claims there."""
    missing = f"{namespace}-hub"
    data = {**DATA, "read": {"users": ["ann"]}}
    chosen = {**options(missing, [data], namespaces=[namespace]), "format": form}
    for create in (False, True):
        rejected = {**chosen, "create_namespace": create}
        assert f"{missing} does not exist" in modules.refused("share_preflight", rejected)
        modules.ok("share_preflight", rejected, check=True)
    both = [namespace, missing]
    for more in ({"namespaces": both}, {"shares": [{**data, "namespaces": both}]}):
        created = modules.ok("share_preflight", {**chosen, **more, "create_namespace": True})
        assert created.missing_namespaces == [missing]


def test_a_root_of_directories_that_is_missing(namespace, modules):
    chosen = options(namespace, [DATA], groups=GROUPS, namespaces=[namespace])
    chosen["other_results"] = [
        {"changes": [], "root_error": "path: /srv does not exist on the host"},
        {"skipped": True},
    ]
    assert "/srv does not exist" in modules.refused("share_preflight", chosen)
    # In check mode an earlier playbook may be what creates it.
    modules.ok("share_preflight", chosen, check=True)


def test_directories_that_this_host_sees(namespace, modules, tmp_path):
    data = {**DATA, "directory": "data", "gid": 100}
    chosen = {**options(namespace, [data], groups=GROUPS, namespaces=[namespace]), "path": str(tmp_path)}
    directories = {"path": str(tmp_path), "shares": [data]}
    volumes = {name: chosen[name] for name in ("namespaces", "shares")}
    acl = {name: option for name, option in chosen.items() if name not in ("path", "namespaces")}
    assert modules.ok("share_preflight", chosen).nothing_to_do is False
    modules.ok("share_pvc", volumes)
    modules.ok("share_acl", acl)
    assert modules.ok("share_preflight", chosen).nothing_to_do is False  # only the directory is missing
    assert list(tmp_path.iterdir()) == []
    modules.ok("share_directory", directories)
    done = modules.ok("share_preflight", chosen)
    assert done.nothing_to_do is True
    assert done.previews["directories"]["summary"] == {"keep": 1}
    without = modules.ok("share_preflight", {**chosen, "path": None})
    assert without.previews["directories"]["skipped"] is True
    # What is wrong with them is reported together with the rest.
    (tmp_path / "data").rmdir()
    (tmp_path / "data").symlink_to("/etc")
    unsized = {**share("unsized", read={"users": ["ann"]}), "size": None, "directory": "other"}
    message = modules.refused("share_preflight", {**chosen, "shares": [data, unsized]})
    assert "symbolic link" in message
    assert "(unsized): `size` is missing" in message
    missing = {**chosen, "path": str(tmp_path / "missing")}
    assert "missing does not exist" in modules.refused("share_preflight", missing)
    # In check mode an earlier playbook may be what creates it.
    modules.ok("share_preflight", missing, check=True)


def test_no_connection_is_one_reason(namespace, modules, tmp_path):
    chosen = options(namespace, [DATA], groups=GROUPS, namespaces=[namespace], retired=["old"])
    message = modules.refused("share_preflight", chosen, kubeconfig=tmp_path / "nothing-here")
    assert "nothing-here" in message
    assert "reasons" not in message


def test_claims_of_one_state_at_a_time(cluster, namespace, modules):
    """share_pvc with the same list before and after the access list."""
    old = share("old", read={"users": ["ann"]}, size="1Gi")
    modules.ok("share_pvc", {"namespaces": [namespace], "shares": [old]})
    chosen = {"namespaces": [namespace], "shares": [DATA], "retired": ["old"]}
    first = modules.ok("share_pvc", {**chosen, "only_states": ["present"]})
    assert first.actions() == {"data": "create"}
    second = modules.ok("share_pvc", {**chosen, "only_states": ["retired", "absent"]})
    assert second.actions() == {"old": "retire"}
    assert "state" in modules.refused(
        "share_pvc", {**chosen, "only_states": ["present"], "absent": [{"name": "x", "state": "retired"}]}
    )


def test_the_report_files_of_modules_that_need_not_run(namespace, modules, tmp_path):
    chosen = options(namespace, [DATA], groups=GROUPS, namespaces=[namespace])
    chosen["report_file"] = str(tmp_path / "hub-shares_result.json")
    stale = tmp_path / "hub-shares_result_deletion.json"
    stale.write_text("{}")
    assert modules.ok("share_preflight", chosen).nothing_to_do is False
    assert list(tmp_path.iterdir()) == [stale]
    modules.ok("share_pvc", {"namespaces": [namespace], "shares": [DATA]})
    acl = {name: option for name, option in chosen.items() if name not in ("namespaces", "report_file")}
    modules.ok("share_acl", acl)
    done = modules.ok("share_preflight", chosen)
    assert done.nothing_to_do is True
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "hub-shares_result_acl.json",
        "hub-shares_result_volumes.json",
    ]
    report = json.loads((tmp_path / "hub-shares_result_volumes.json").read_text())
    assert (report["summary"], report["changes"]) == (done.previews["volumes"]["summary"], [])
