"""The checks of a hub: each with what is right, what is wrong, and what could not be read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.chart import chart_settings
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.classic_odh import odh_settings
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.examination import (
    examine,
    findings_text,
    summary,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.finding import Finding, Unread
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.observed import (
    Binding,
    ObservedHub,
    Place,
    ServerPod,
    Subject,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.permissions import reviewed_rights
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import volume_from

NS = "jupyterhub"
DENIED = Unread("bob may not list things: it needs a Role.")
CLAIM_RULE = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["delete"]}


def hook(settings=None, section=""):
    text = json.dumps(settings or {"namespace": NS})
    return (
        "from odh_persistency.hub_configuration import configure\n"
        f"configure(c, json.loads({text!r}), Runtime(){section})\n"
    )


def values(extra_config=None, **more):
    return {
        "Chart": {"AppVersion": "5.5.0"},
        "hub": {
            "consecutiveFailureLimit": 5,
            "extraConfig": {"zz-odh-persistency": hook()} if extra_config is None else extra_config,
        },
        **more,
    }


def grants(users=(), groups=()):
    return {"users": list(users), "groups": list(groups), "everyone": False}


def share(claim, level="private", groups=()):
    return {"claim": claim, "level": level, "read": grants(groups=groups), "write": grants()}


def claim(name, share_name, phase="Bound", **more):
    metadata = {
        "name": name,
        "labels": {"odh.persistency/kind": "share"},
        "annotations": {"odh.persistency/share": share_name},
        **more,
    }
    spec = {"volumeName": f"pv-{name}" if phase != "Pending" else "", "storageClassName": "later"}
    return claim_from({"metadata": metadata, "spec": spec, "status": {"phase": phase}})


def volume(name, source, namespace=NS, share_name=None):
    annotations = {"odh.persistency/share": share_name} if share_name else {}
    spec = {**source, "claimRef": {"namespace": namespace, "name": "x"}}
    return volume_from({"metadata": {"name": name, "annotations": annotations}, "spec": spec})


def nfs(server):
    return {"nfs": {"server": server, "path": "/export"}}


def csi(driver, handle="h", **attributes):
    return {"csi": {"driver": driver, "volumeHandle": handle, "volumeAttributes": attributes}}


def pod(name="jupyter-ann", labels=None, security=None, granted=True):
    annotations = {"odh.persistency/granted": "{}"} if granted else {}
    return ServerPod(name, {"component": "singleuser-server", **(labels or {})}, annotations, security or {})


def hub(settings=None, **parts):
    """A hub on which every check is content."""
    contents = {
        "place": Place(NS, NS, "hub"),
        "settings": settings
        if isinstance(settings, Unread)
        else chart_settings(values() if settings is None else settings),
        "package": {"access.py": "x"},
        "expected": {"access.py": "x\n"},
        "reviews": {
            (resource, verb): "delete" not in verb or resource != "persistentvolumeclaims"
            for resource, verb, _acl in reviewed_rights(DENIED)
        },
        "bindings": [],
        "own_bindings": [(NS, "odh-persistency-hub")],
        "myself": "system:admin",
        "shares": {"data": share("data")},
        "claims": {"data": claim("data", "data")},
        "waiting_classes": frozenset(),
        "volumes": [volume("pv-data", csi("cephfs.csi.ceph.com"))],
        "drivers": {"cephfs.csi.ceph.com": "None"},
        "policies": [],
        "pods": [pod()],
        "categories": {NS: ""},
    }
    return ObservedHub(**{**contents, **parts})


def found(observed, check):
    return [finding for finding in examine(observed) if finding.check == check]


def one(observed, check):
    (finding,) = found(observed, check)
    return finding


def severities(observed, check):
    return [finding.severity for finding in found(observed, check)]


def test_a_healthy_hub_has_nothing_to_do():
    findings = examine(hub())
    assert {finding.severity for finding in findings} == {"ok"}
    assert not [finding for finding in findings if finding.remedy]


@pytest.mark.parametrize(
    "part",
    ["settings", "package", "bindings", "own_bindings", "shares", "claims", "volumes", "pods"],
)
def test_what_cannot_be_read_is_unknown_with_the_right_that_is_missing(part):
    findings = examine(hub(**{part: DENIED}))
    unknown = [finding for finding in findings if finding.severity == "unknown"]
    assert unknown
    assert all(finding.reason == DENIED.reason for finding in unknown)
    assert all(finding.remedy for finding in unknown)
    content = {finding.check for finding in examine(hub()) if finding.severity == "ok"}
    assert content <= {finding.check for finding in findings}


def test_everything_unread_is_never_ok():
    parts = ("settings", "package", "bindings", "shares", "claims", "volumes", "drivers", "policies", "pods")
    parts = (*parts, "own_bindings")
    rights = {(resource, verb): DENIED for resource, verb, _acl in reviewed_rights(DENIED)}
    observed = hub(**dict.fromkeys(parts, DENIED), reviews=rights, categories={NS: DENIED}, waiting_classes=None)
    findings = examine(observed)
    assert {finding.severity for finding in findings} == {"unknown"}
    assert {finding.check for finding in findings} == {finding.check for finding in examine(hub())}


def test_each_finding_that_is_not_ok_says_what_to_do():
    parts = {"bindings": [Binding("RoleBinding", "x", "y", (Subject("User", "bob"),), (CLAIM_RULE,))], "claims": {}}
    bad = hub(values({}), **parts, pods=[pod(granted=False)], reviews={("pods", "list"): False})
    findings = examine(bad)
    assert {"error", "warning"} <= {finding.severity for finding in findings}
    assert all(finding.remedy for finding in findings if finding.severity != "ok")
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=["error", "warning", "unknown", "ok"].index
    )


# -- the spawner -----------------------------------------------------------------------------------------------------------


def test_delete_pvc_deletes_homes_by_default():
    finding = one(hub(values({})), "delete_pvc")
    assert finding.severity == "error"
    assert "true by default" in finding.reason
    assert "culls" not in finding.reason
    assert "culls users" in one(hub(values({}, cull={"users": True})), "delete_pvc").reason


def test_delete_pvc_set_by_somebody_else():
    assert one(hub(values({"a": "c.KubeSpawner.delete_pvc = False"})), "delete_pvc").severity == "ok"
    later = values({"zz-odh-persistency": hook(), "zzz": "c.KubeSpawner.delete_pvc = True"})
    assert "extraConfig zzz, line 1" in one(hub(later), "delete_pvc").reason
    computed = values({"a": "import os\nc.KubeSpawner.delete_pvc = os.environ['X']"})
    finding = one(hub(computed), "delete_pvc")
    assert finding.severity == "unknown"
    assert "extraConfig a, line 2" in finding.reason
    assert one(hub(values({"a": "c.KubeSpawner.delete_pvc = 'secret-text'"})), "delete_pvc").severity == "error"


def test_no_text_of_the_configuration_is_shown():
    snippet = "\n".join(f"c.KubeSpawner.{trait} = 'hunter2'" for trait in ("delete_pvc", "remember_pvc_name"))
    snippet += "\nc.Spawner.consecutive_failure_limit = 'hunter2'\nc.KubeSpawner.fs_gid = 'hunter2'"
    snippet += "\nc.KubeSpawner.enable_user_namespaces = 'hunter2'\nc.Authenticator.manage_groups = 'hunter2'"
    observed = hub(values({"a": snippet}), shares={"data": share("data", groups=["hub:x"])}, pods=[])
    assert "hunter2" not in repr([finding.as_result() for finding in examine(observed)])


def test_remember_pvc_name():
    assert one(hub(values({})), "remember_pvc_name").severity == "warning"
    old = {**values({}), "Chart": {"AppVersion": "4.1.6"}}
    assert one(hub(old), "remember_pvc_name").severity == "ok"
    assert one(hub(values({"a": "f(c)"})), "remember_pvc_name").severity == "unknown"


def test_user_namespaces():
    config = {"zz-odh-persistency": hook(), "a": "c.KubeSpawner.enable_user_namespaces = True"}
    assert one(hub(values(config)), "user_namespaces").severity == "error"
    config["a"] = "c.KubeSpawner.enable_user_namespaces = f()"
    assert one(hub(values(config)), "user_namespaces").severity == "unknown"


@pytest.mark.parametrize(
    ("config", "version", "limit", "severity"),
    [
        (None, "5.5.0", 5, "ok"),
        ({}, "5.5.0", 5, "warning"),
        ({}, "", 5, "warning"),
        ({}, "6.1.0", 5, "ok"),
        ({}, "5.5.0", 0, "ok"),
        ({}, "5.5.0", None, "ok"),
        ({}, "5.5.0", "x", "error"),
        ({"a": "c.Spawner.consecutive_failure_limit = f()"}, "5.5.0", 5, "unknown"),
        ({"a": "c.Spawner.consecutive_failure_limit = 0"}, "5.5.0", 5, "ok"),
    ],
)
def test_failure_limit(config, version, limit, severity):
    given = values(config)
    given["Chart"] = {"AppVersion": version}
    given["hub"]["consecutiveFailureLimit"] = limit
    assert one(hub(given), "failure_limit").severity == severity


# -- the spawn hook --------------------------------------------------------------------------------------------------------


def test_no_spawn_hook():
    assert one(hub(values({})), "spawn_hook").severity == "error"
    assert one(hub(values({"a": "f(c)"})), "spawn_hook").severity == "unknown"


def test_a_spawn_hook_of_another_version():
    other = found(hub(package={"access.py": "older"}), "spawn_hook")
    assert [finding.severity for finding in other if finding.object == "package"] == ["warning"]
    assert "access.py different" in other[0].reason
    missing = found(hub(expected={"access.py": "x", "more.py": "y"}), "spawn_hook")
    assert missing[0].severity == "error"
    assert "more.py missing" in missing[0].reason
    # The chart takes an empty text for a missing one.
    assert severities(hub(package={"__init__.py": "# x"}, expected={"__init__.py": ""}), "spawn_hook") == ["ok"] * 4


@pytest.mark.parametrize(
    ("config", "severity", "text"),
    [
        (
            {"a": "c.KubeSpawner.modify_pod_hook = f", "zz-odh-persistency": hook()},
            "ok",
            "runs after extraConfig a, line 1",
        ),
        (
            {"zz-odh-persistency": hook(), "zzz": "c.KubeSpawner.modify_pod_hook = f"},
            "unknown",
            "extraConfig zzz, line 1",
        ),
        (
            {"zz-odh-persistency": hook(), "zzz": "c.KubeSpawner.modify_pod_hook = None"},
            "error",
            "extraConfig zzz, line 1",
        ),
        ({"zz-odh-persistency": hook(), "zzz": "c.Spawner.modify_pod_hook = None"}, "ok", "has the last word"),
        ({"zz-odh-persistency": hook(), "zzz": "c.KubeSpawner.options_form = 1"}, "warning", "extraConfig zzz, line 1"),
        (
            {"zz-odh-persistency": hook(), "zzz": "c.KubeSpawner.auth_state_hook = None"},
            "warning",
            "extraConfig zzz, line 1",
        ),
        ({"zz-odh-persistency": hook(), "zzz": "f(c)"}, "unknown", "may be replaced"),
        (
            {"zz-odh-persistency": f"if x:\n    {hook().splitlines()[1]}", "a": hook().splitlines()[0]},
            "unknown",
            "zz-odh-persistency, line 2",
        ),
        (
            {
                "a": "c.KubeSpawner.profile_list = [{'kubespawner_override': {'modify_pod_hook': None}}]",
                "zz-odh-persistency": hook(),
            },
            "warning",
            "profile_list[0].kubespawner_override.modify_pod_hook replaces the hooks that are configured before the spawn hook",
        ),
        (
            {
                "a": "c.Spawner.group_overrides = {'x': {'spawner_override': {'pre_spawn_hook': None}}}",
                "zz-odh-persistency": hook(),
            },
            "warning",
            "group_overrides.x.spawner_override.pre_spawn_hook replaces the hooks",
        ),
        (
            {"a": "class My(KubeSpawner): pass\nc.My.modify_pod_hook = None", "zz": hook()},
            "error",
            "extraConfig a, line 2",
        ),
    ],
)
def test_the_spawn_hook_must_have_the_last_word(config, severity, text):
    findings = found(hub(values(config)), "spawn_hook")
    assert any(finding.severity == severity and text in finding.reason for finding in findings), findings


def test_the_section_of_classic_open_data_hub():
    configuration = {"data": {"jupyterhub_config.py": hook(section=", 'OpenShiftSpawner'")}}
    assert severities(replace(hub(), settings=odh_settings(configuration)), "spawn_hook") == ["ok"] * 4
    wrong = {"data": {"jupyterhub_config.py": "c.OpenShiftSpawner.modify_pod_hook = None\n" + hook()}}
    assert "error" in severities(replace(hub(), settings=odh_settings(wrong)), "spawn_hook")


def test_servers_that_started_without_the_hook():
    finding = one(hub(pods=[pod("a"), pod("b", granted=False)]), "running_servers")
    assert finding.severity == "warning"
    assert "1 of 2" in finding.reason
    assert finding.reason.endswith(": b.")
    assert one(hub(pods=[]), "running_servers").reason == "No server runs."


# -- permissions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "severity", "text"),
    [
        (("configmaps", "get"), "error", "cannot read the access list"),
        (("events", "create"), "warning", "progress page"),
        (("persistentvolumeclaims", "list"), "error", "homes"),
        (("pods", "delete"), "error", "they run on with their mounts"),
        (("pods", "watch"), "warning", "slowly"),
        (("events", "list"), "error", "no server starts"),
        (("events", "watch"), "warning", "progress page"),
    ],
)
def test_rights_that_the_hub_lacks(right, severity, text):
    observed = hub()
    finding = one(replace(observed, reviews={**observed.reviews, right: False}), "hub_permissions")
    assert finding.severity == severity
    assert f"may not {right[1]} {right[0]}" in finding.reason
    assert text in finding.reason


@pytest.mark.parametrize("verb", ["delete", "deletecollection"])
def test_a_hub_that_may_delete_claims(verb):
    observed = hub()
    finding = one(
        replace(observed, reviews={**observed.reviews, ("persistentvolumeclaims", verb): True}), "hub_permissions"
    )
    assert finding.severity == "warning"
    assert "`hub_rbac: replace`" in finding.remedy


def test_a_hub_that_does_not_watch_events_need_not_read_them():
    observed = hub(values({"a": "c.KubeSpawner.events_enabled = False", "zz": hook()}))
    reviews = {**observed.reviews, ("events", "list"): False, ("events", "watch"): False}
    assert one(replace(observed, reviews=reviews), "hub_permissions").severity == "ok"
    assert ("events", "list", False) not in reviewed_rights(observed.settings)


@pytest.mark.parametrize(
    ("snippet", "resources"),
    [
        ("c.KubeSpawner.services_enabled = True", {"services"}),
        ("c.JupyterHub.internal_ssl = True", {"services", "secrets"}),
        ("c.MySpawner.services_enabled = True", {"services"}),
        ("c.KubeSpawner.services_enabled = True\nc.KubeSpawner.services_enabled = False", set()),
        ("c.KubeSpawner.services_enabled = f()", set()),
        ("", set()),
    ],
)
def test_rights_for_the_services_and_secrets_of_servers(snippet, resources):
    observed = hub(values({"a": snippet, "zz": hook()}))
    rights = reviewed_rights(observed.settings)
    assert {resource for resource, _verb, _acl in rights} & {"services", "secrets"} == resources
    for resource in resources:
        reviews = {(one, verb): verb != "create" or one != resource for one, verb, _acl in rights}
        findings = found(replace(observed, reviews=reviews), "hub_permissions")
        (finding,) = [finding for finding in findings if finding.severity == "error"]
        assert f"may not create {resource}" in finding.reason


def test_a_hub_without_homes_need_not_create_claims():
    observed = hub(values({"zz": hook({"home": "static"})}))
    reviews = {**observed.reviews, ("persistentvolumeclaims", "create"): False}
    assert one(replace(observed, reviews=reviews), "hub_permissions").severity == "ok"
    assert one(replace(hub(), reviews=reviews), "hub_permissions").severity == "error"


def binding(*subjects, role="r", rules=(CLAIM_RULE,), kind="RoleBinding"):
    return Binding(kind, "b", role, tuple(subjects), rules)


SOMEBODY = Subject("User", "bob")


@pytest.mark.parametrize(
    ("given", "severity"),
    [
        (binding(SOMEBODY), "warning"),
        (binding(Subject("Group", "system:authenticated")), "error"),
        (binding(Subject("Group", "system:serviceaccounts")), "error"),
        (binding(Subject("Group", "system:serviceaccounts:other")), "warning"),
        (binding(Subject("Group", "system:authenticated:oauth")), "error"),
        (binding(Subject("Group", "system:whoever")), "warning"),
        (binding(Subject("User", "system:serviceaccount:team:bot")), "warning"),
        (binding(Subject("User", "system:serviceaccount:team")), "warning"),
        (binding(Subject("Group", "system:admin")), "warning"),
        (binding(SOMEBODY, role="cluster-admin"), "warning"),
        (binding(SOMEBODY, rules=None, role="view")._replace(is_cluster_role=False), "unknown"),
        (binding(Subject("ServiceAccount", "system:serviceaccount:other:ci"), role="cluster-admin"), "warning"),
        (binding(SOMEBODY, rules=({**CLAIM_RULE, "verbs": ["*"]},)), "warning"),
        (
            binding(SOMEBODY, rules=({"apiGroups": ["*"], "resources": ["*"], "verbs": ["deletecollection"]},)),
            "warning",
        ),
        (binding(SOMEBODY, rules=({**CLAIM_RULE, "resourceNames": ["x"]},)), "warning"),
        (binding(SOMEBODY, rules=None), "unknown"),
        (binding(SOMEBODY, rules=None, role="edit"), "warning"),
        # Nothing to report.
        (binding(SOMEBODY, rules=None, role="view"), "ok"),
        (binding(SOMEBODY, rules=({**CLAIM_RULE, "verbs": ["get"]},)), "ok"),
        (binding(SOMEBODY, rules=({**CLAIM_RULE, "apiGroups": ["apps"]},)), "ok"),
        (binding(SOMEBODY, rules=({**CLAIM_RULE, "resources": ["pods"]},)), "ok"),
        (binding(SOMEBODY, rules=({"nonResourceURLs": ["*"], "verbs": ["*"]},)), "ok"),
        (binding(), "ok"),
        (binding(Subject("User", "system:admin")), "ok"),
        (binding(SOMEBODY, role="cluster-admin", kind="ClusterRoleBinding"), "ok"),
        (binding(Subject("Group", "system:masters")), "ok"),
        (binding(Subject("Group", "system:serviceaccounts:openshift-infra")), "ok"),
        (binding(Subject("ServiceAccount", "system:serviceaccount:kube-system:pvc-protection-controller")), "ok"),
        (binding(Subject("ServiceAccount", f"system:serviceaccount:{NS}:hub")), "ok"),
        (binding(Subject("User", f"system:serviceaccount:{NS}:hub")), "ok"),
        (binding(Subject("User", "system:serviceaccount:kube-system:pvc-protection-controller")), "ok"),
        (binding(Subject("User", "system:kube-controller-manager")), "ok"),
    ],
)
def test_bindings_that_allow_deleting_claims(given, severity):
    assert one(hub(bindings=[given]), "claim_deletion").severity == severity


def test_the_login_of_this_run_is_expected():
    given = binding(Subject("ServiceAccount", f"system:serviceaccount:{NS}:odh-persistency"))
    assert one(hub(bindings=[given]), "claim_deletion").severity == "warning"
    assert one(hub(bindings=[given], myself=given.subjects[0].name), "claim_deletion").severity == "ok"
    group = binding(Subject("Group", "bob"))
    assert one(hub(bindings=[group], myself="bob"), "claim_deletion").severity == "warning"


# -- the access list -------------------------------------------------------------------------------------------------------


def test_no_access_list_and_an_invalid_one():
    assert one(hub(shares=None), "access_list").severity == "warning"
    invalid = one(hub(shares=Unread(""), acl_error="the digest is wrong"), "access_list")
    assert invalid.severity == "error"
    assert "the digest is wrong" in invalid.reason


GROUP_SHARE = {"data": share("data", groups=["hub:analysts", "people"])}
ALL_SET = "c.Authenticator.manage_groups = c.Authenticator.refresh_pre_spawn = True\n"


def test_groups_without_groups_of_the_hub():
    assert one(hub(shares={"data": share("data", groups=["people", "openshift:x"])}), "groups").severity == "ok"


@pytest.mark.parametrize(
    ("snippet", "version", "expected"),
    [
        ("", "5.5.0", {"manage_groups": "warning", "refresh_pre_spawn": "warning"}),
        (ALL_SET, "5.5.0", {"": "ok"}),
        (ALL_SET, "6.1.0", {"auth_refresh_strict": "warning"}),
        (ALL_SET, "", {"auth_refresh_strict": "unknown"}),
        (ALL_SET + "c.Authenticator.auth_refresh_strict = True", "6.1.1", {"": "ok"}),
        ("c.GoogleOAuthenticator.manage_groups = True\nc.Authenticator.refresh_pre_spawn = True", "5.5.0", {"": "ok"}),
        (ALL_SET + "c.LDAPAuthenticator.manage_groups = False", "5.5.0", {"manage_groups": "warning"}),
        (ALL_SET + "c.Authenticator.auth_refresh_age = 0", "5.5.0", {"auth_refresh_age": "warning"}),
        (ALL_SET + "c.Authenticator.auth_refresh_age = 300", "5.5.0", {"": "ok"}),
        (ALL_SET + "c.Authenticator.manage_groups = f()", "5.5.0", {"manage_groups": "unknown"}),
        (
            "c.AAuthenticator.manage_groups = True\nc.BAuthenticator.manage_groups = False\n" + ALL_SET,
            "5.5.0",
            {"manage_groups": "unknown"},
        ),
    ],
)
def test_groups_of_the_hub(snippet, version, expected):
    given = values({"a": snippet, "zz": hook()})
    given["Chart"] = {"AppVersion": version}
    findings = found(hub(given, shares=GROUP_SHARE), "groups")
    assert {finding.object.partition(".")[2]: finding.severity for finding in findings} == expected


@pytest.mark.parametrize(
    ("given", "waiting", "severity", "text"),
    [
        ({}, frozenset(), "error", "does not exist"),
        ({"data": claim("data", "data", labels={})}, frozenset(), "error", "not marked"),
        ({"data": claim("data", "other")}, frozenset(), "error", "not marked as this share"),
        ({"data": claim("data", "data", deletionTimestamp="x")}, frozenset(), "error", "being deleted"),
        ({"data": claim("data", "data", "Lost")}, frozenset(), "error", "lost its volume pv-data"),
        ({"data": claim("data", "data", "Pending")}, frozenset(), "error", "is Pending"),
        ({"data": claim("data", "data", "Pending")}, frozenset(["later"]), "ok", "of all 1 shares"),
        ({"data": claim("data", "data", "Pending")}, None, "unknown", "not known"),
    ],
)
def test_claims_of_shares(given, waiting, severity, text):
    finding = one(hub(claims=given, waiting_classes=waiting), "share_claims")
    assert finding.severity == severity
    assert text in finding.reason


SECRET = {"data": share("data", "secret")}


@pytest.mark.parametrize(
    ("roles", "snippet", "severity"),
    [
        ({}, "", "ok"),
        ({"odh-persistency": {"scopes": ["list:users", "delete:servers"], "services": ["x"]}}, "", "ok"),
        ({"r": {"scopes": ["access:servers"], "services": ["x"]}}, "", "ok"),
        ({"r": {"scopes": ["access:servers"], "groups": ["teachers"]}}, "", "warning"),
        ({"r": {"scopes": ["access:servers!group=x"], "users": ["ann"]}}, "", "warning"),
        ({"user": {"scopes": ["self", "shares!user"]}}, "", "warning"),
        ({"server": {"scopes": ["access:servers!user"]}}, "", "warning"),
        ({"user": {"name": "other", "scopes": ["shares!user"]}}, "", "ok"),
        ({"user": 1}, "", "unknown"),
        ({}, "c.JupyterHub.load_roles.append({'name': 'user', 'scopes': ['shares!user']})", "warning"),
        ({}, "c.JupyterHub.load_roles.append(f())", "unknown"),
        ({"user": {"scopes": ["shares!user"]}}, "c.JupyterHub.load_roles = []", "ok"),
    ],
)
def test_scopes_beside_secret_shares(roles, snippet, severity):
    given = values({"a": snippet, "zz": hook()})
    given["hub"]["loadRoles"] = roles
    assert one(hub(given, shares=SECRET), "server_sharing").severity == severity
    assert one(hub(given), "server_sharing").severity == "ok"


# -- volumes ---------------------------------------------------------------------------------------------------------------


def test_fs_group_of_running_servers():
    assert one(hub(pods=[pod(security={"fsGroup": 100})]), "fs_group").severity == "warning"
    mismatch = {"fsGroup": 100, "fsGroupChangePolicy": "OnRootMismatch"}
    assert one(hub(pods=[pod(security=mismatch)]), "fs_group").severity == "ok"
    finding = one(hub(pods=[pod("a", security=mismatch), pod("b", security={"fsGroup": 5})]), "fs_group")
    assert "5" in finding.reason
    assert "pod b" in finding.reason


@pytest.mark.parametrize(
    ("single", "snippet", "severity"),
    [
        ({}, "", "ok"),
        ({"fsGid": 100}, "", "warning"),
        ({"fsGid": 100}, "c.KubeSpawner.pod_security_context = {'fsGroupChangePolicy': 'OnRootMismatch'}", "ok"),
        ({"fsGid": 100}, "c.KubeSpawner.pod_security_context = f()", "unknown"),
        ({"fsGid": 100}, "c.KubeSpawner.fs_gid = None", "ok"),
        ({"fsGid": 100}, "c.KubeSpawner.fs_gid = lambda spawner: 1", "unknown"),
        # It replaces the context of the pod.
        ({"fsGid": 100, "extraPodConfig": {"securityContext": {"runAsUser": 1}}}, "", "ok"),
        ({"fsGid": 100, "extraPodConfig": {"hostNetwork": False}}, "", "warning"),
    ],
)
def test_fs_group_of_the_configuration(single, snippet, severity):
    given = values({"a": snippet, "zz": hook()}, singleuser=single)
    assert one(hub(given, pods=[]), "fs_group").severity == severity


def test_a_driver_that_gives_the_files_of_a_share_to_another_group():
    servers = [pod(security={"fsGroup": 100, "fsGroupChangePolicy": "OnRootMismatch"})]
    finding = one(hub(pods=servers, drivers={"cephfs.csi.ceph.com": "File"}), "fs_group")
    assert finding.severity == "error"
    assert finding.object == "CSIDriver cephfs.csi.ceph.com"
    assert "data" in finding.reason
    assert (
        one(hub(pods=servers, drivers={"cephfs.csi.ceph.com": "ReadWriteOnceWithFSType"}), "fs_group").severity == "ok"
    )
    assert one(hub(pods=servers, drivers={}), "fs_group").severity == "ok"
    assert one(hub(pods=servers, drivers=DENIED), "fs_group").severity == "unknown"
    assert one(hub(pods=[pod()], drivers={"cephfs.csi.ceph.com": "File"}), "fs_group").severity == "ok"


def test_namespaces_with_different_mcs_labels():
    source = csi("cephfs.csi.ceph.com")
    volumes = [volume("pv-data", source, share_name="data"), volume("pv-2", source, "jobs", "data")]
    labels = {NS: "s0:c1,c2", "jobs": "s0:c3,c4"}
    finding = one(hub(volumes=volumes, categories=labels), "selinux_labels")
    assert finding.severity == "error"
    assert "jobs (s0:c3,c4)" in finding.reason
    assert one(hub(volumes=volumes, categories={**labels, "jobs": labels[NS]}), "selinux_labels").severity == "ok"
    assert (
        one(hub(volumes=volumes, categories={NS: labels[NS], "jobs": DENIED}), "selinux_labels").severity == "unknown"
    )
    assert one(hub(volumes=volumes, categories={NS: ""}), "selinux_labels").severity == "ok"
    # Another hub has a share of that name, whose data is elsewhere.
    elsewhere = volume("pv-2", csi("cephfs.csi.ceph.com", handle="other"), "jobs", "data")
    assert one(hub(volumes=[volumes[0], elsewhere], categories=labels), "selinux_labels").severity == "ok"
    assert one(hub(volumes=[elsewhere], categories=labels), "selinux_labels").severity == "ok"
    # SELinux labels no files of NFS.
    on_nfs = [volume("pv-data", nfs("10.0.0.5"), share_name="data"), volume("pv-2", nfs("10.0.0.5"), "jobs", "data")]
    assert one(hub(volumes=on_nfs, categories=labels), "selinux_labels").severity == "ok"


# -- the NFS port ----------------------------------------------------------------------------------------------------------

CLOSED = {"metadata": {"name": "closed"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}


def opened(name, **rule):
    return {"metadata": {"name": name}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}}


def test_nfs_port():
    volumes = [volume("pv-data", nfs("10.0.0.5")), volume("other", nfs("10.9.9.9"), "elsewhere")]
    finding = one(hub(volumes=volumes), "nfs_port")
    assert finding.severity == "warning"
    assert finding.object == "NFS server 10.0.0.5"
    assert f"no NetworkPolicy in namespace {NS} restricts" in finding.reason
    closed = one(hub(volumes=volumes, policies=[CLOSED]), "nfs_port")
    assert closed.severity == "ok"
    assert "not proved" in closed.reason
    wide = one(
        hub(volumes=volumes, policies=[CLOSED, opened("wide", ports=[{"port": 2049, "protocol": "UDP"}])]), "nfs_port"
    )
    assert wide.severity == "warning"
    assert "NetworkPolicy wide allows" in wide.reason
    assert one(hub(volumes=volumes, policies=DENIED), "nfs_port").severity == "unknown"


def test_nfs_servers_of_csi_volumes_and_of_the_option():
    volumes = [volume("pv-data", csi("nfs.csi.k8s.io", Server="nfs.example.org", share="/x"))]
    observed = hub(volumes=volumes, policies=[opened("some", to=[{"ipBlock": {"cidr": "10.0.0.0/8"}}])])
    assert one(observed, "nfs_port").severity == "unknown"
    both = found(replace(observed, nfs_servers=["10.0.0.5", "NFS.example.org"]), "nfs_port")
    assert {finding.object: finding.severity for finding in both} == {
        "NFS server 10.0.0.5": "warning",
        "NFS server NFS.example.org": "unknown",
    }
    assert one(hub(volumes=DENIED), "nfs_port").severity == "unknown"
    assert one(hub(volumes=DENIED, nfs_servers=["10.0.0.5"]), "nfs_port").object == "NFS server 10.0.0.5"
    assert one(hub(), "nfs_port").severity == "ok"


def test_servers_with_different_labels():
    policy = {**CLOSED, "spec": {"podSelector": {"matchLabels": {"team": "a"}}, "policyTypes": ["Egress"]}}
    pods = [pod("x", {"team": "a"}), pod("y"), pod("z")]
    finding = one(hub(volumes=[volume("v", nfs("10.0.0.5"))], policies=[policy], pods=pods), "nfs_port")
    assert "2 of 3 running servers can connect" in finding.reason
    without = one(hub(volumes=[volume("v", nfs("10.0.0.5"))], policies=[policy], pods=[]), "nfs_port")
    assert without.severity == "unknown"


# -- the table -------------------------------------------------------------------------------------------------------------


def test_the_table_has_what_to_do_below_a_finding():
    findings = [
        Finding("a", "object\u202e", "error", "One two.", "Do it."),
        Finding("bcd", "x", "ok", "word " * 30),
    ]
    lines = findings_text(findings).splitlines()
    assert lines[0].split() == ["SEVERITY", "CHECK", "OBJECT", "FINDING"]
    assert lines[1].endswith("One two.")
    assert "object\\u202e" in lines[1]
    assert lines[2].strip() == "-> Do it."
    assert lines[2].index("->") == lines[1].index("One two.")
    assert len(lines) == 5
    assert max(map(len, lines)) <= 130
    assert summary(findings) == {"error": 1, "warning": 0, "unknown": 0, "ok": 1}
