"""The spawn hook in the real KubeSpawner 7.1, 7.0, 6.2 and 1.1 against a real API server, up to the pod, which is dry-run."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.support.acl import INDEX
from tests.support.real_spawns import SHARES, claims_in, granted, make_home, mark, mounts_in
from tests.support.spawn_fixtures import *  # noqa: F403


def test_a_first_start_creates_a_home_with_our_labels_and_mounts_what_the_acl_grants(
    cluster, namespace, published, spawns
):
    answer = spawns.start(namespace, "ann", groups=["visitors"])
    pod = answer["pod"]
    assert claims_in(pod) == {"claim-ann": False, "public-data": False, "notebooks": True}
    assert mounts_in(pod) == {
        "/home/jovyan": False,
        "/home/jovyan/public-data": False,
        "/home/jovyan/notebooks": True,
    }
    assert pod["spec"]["securityContext"]["supplementalGroups"] == [7001, 7002]
    stamp = granted(pod)
    assert stamp["shares"] == {"public-data": "rw", "notebooks": "ro"}
    assert (
        stamp["acl"] == cluster.get("configmaps", INDEX, namespace)["metadata"]["annotations"]["odh.persistency/digest"]
    )
    variables = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    assert json.loads(variables["ODH_PERSISTENCY_GRANTED"]) == stamp
    home = cluster.get("persistentvolumeclaims", "claim-ann", namespace)
    assert home["metadata"]["labels"]["odh.persistency/kind"] == "home"
    assert home["metadata"]["labels"]["odh.persistency/owner"] == hashlib.sha256(b"ann").hexdigest()[:32]
    messages = {event["message"]: event for event in cluster.list("events", namespace) if event.get("eventTime")}
    text = "Mounts shares: notebooks (read only), public-data (read and write)"
    assert messages[text]["involvedObject"]["name"] == pod["metadata"]["name"]


def test_a_change_of_the_acl_holds_for_the_next_start(namespace, published, spawns, modules):
    assert "notebooks" in claims_in(spawns.start(namespace, "zoe", groups=["visitors"])["pod"])
    modules.ok("share_acl", {**published, "shares": [one for one in SHARES if one["name"] != "notebooks"]})
    pod = spawns.start(namespace, "zoe", groups=["visitors"])["pod"]
    assert claims_in(pod) == {"claim-zoe": False, "public-data": True}


def test_a_secret_share_is_mounted_only_by_the_request_itself(namespace, published, spawns):
    options = {"secret_shares": ["payroll"]}
    assert "payroll" not in claims_in(spawns.start(namespace, "ann", user_options=options)["pod"])
    assert "payroll" not in claims_in(spawns.start(namespace, "eve", body=options)["pod"])
    pod = spawns.start(namespace, "ann", body=options)["pod"]
    assert claims_in(pod) == {"claim-ann": False, "public-data": True, "payroll": True}


def test_a_home_under_another_name_is_found_by_its_owner(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "imported-17", "bob")
    answer = spawns.start(namespace, "bob")
    assert next(iter(claims_in(answer["pod"]))) == "imported-17"
    assert set(mounts_in(answer["pod"])) == {"/home/jovyan", "/home/jovyan/public-data"}
    assert cluster.get("persistentvolumeclaims", "claim-bob", namespace) is None


def test_a_home_of_kubespawner_6_is_kept_without_the_hubs_database(cluster, namespace, published, spawns):
    cluster.make_claim(namespace, "claim-a-2eb")
    labels = {"hub.jupyter.org/username": "a-2eb"}
    mark(cluster, namespace, "claim-a-2eb", labels, {"hub.jupyter.org/username": "a.b"})
    assert "claim-a-2eb" in claims_in(spawns.start(namespace, "a.b")["pod"])


def test_the_home_of_another_user_is_not_mounted_by_its_name(cluster, namespace, published, spawns):
    name = "claim-stop-2eped" if spawns.version >= "7" else "claim-stop-2d2eped"
    make_home(cluster, namespace, name, "stop.ped")
    answer = spawns.start(namespace, "stop-2eped")
    assert answer["status"] == 403, answer
    assert answer["message"].startswith("The name of your home volume belongs to another volume.")
    assert answer["reason"] == answer["message"]


def test_a_retired_home_is_not_mounted(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "claim-rob", "rob", **{"odh.persistency/retired-at": "2026-01-01T00:00:00Z"})
    answer = spawns.start(namespace, "rob")
    assert answer["message"].startswith("Your home volume is retired")


def test_of_two_homes_the_primary_is_mounted(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "claim-two", "two")
    make_home(cluster, namespace, "older", "two")
    assert spawns.start(namespace, "two")["message"].startswith("Several home volumes belong to you")
    mark(cluster, namespace, "older", {}, {"odh.persistency/primary": "true"})
    answer = spawns.start(namespace, "two")
    assert "older" in claims_in(answer["pod"])
    assert "claim-two" not in claims_in(answer["pod"])


def test_named_servers_have_homes_of_their_own(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "lab-home", "ned", "lab")
    assert "lab-home" in claims_in(spawns.start(namespace, "ned", "lab")["pod"])
    assert "lab-home" not in claims_in(spawns.start(namespace, "ned")["pod"])


def test_what_profiles_put_in_is_removed_from_every_container(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "foreign", "mallory")
    claims = ["other", "foreign", "hub-db-dir", "claim-nobody"]
    cluster.make_claim(namespace, "hub-db-dir")
    cluster.make_claim(namespace, "data")
    volumes = [
        {"name": f"v{n}", "persistentVolumeClaim": {"claimName": name}} for n, name in enumerate([*claims, "data"])
    ]
    home = {"name": "home", "persistentVolumeClaim": {"claimName": "claim-eva"}}
    mounts = [{"name": f"v{n}", "mountPath": f"/mnt/{n}"} for n in range(len(volumes))]
    sidecar = {"name": "sidecar", "image": "x", "volumeMounts": mounts}
    config = {
        "extra_pod_config": {"volumes": [home, *volumes]},
        "extra_container_config": {"volumeMounts": [{"name": "home", "mountPath": "/home/jovyan"}, *mounts]},
        "extra_containers": [sidecar],
        "init_containers": [{**sidecar, "name": "init"}],
    }
    pod = spawns.start(namespace, "eva", config=config)["pod"]
    assert claims_in(pod) == {"claim-eva": False, "data": False, "public-data": True}
    spec = pod["spec"]
    for container in (spec["initContainers"][0], spec["containers"][1]):
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/mnt/4"]
    assert set(mounts_in(pod)) == {"/home/jovyan", "/mnt/4", "/home/jovyan/public-data"}
    assert "claim foreign removed from the pod of 'eva': it is the home of 'mallory'" in spawns.log()


@pytest.mark.parametrize("hooks", ["sync", "async"])
def test_hooks_that_are_already_configured_run_first(namespace, published, spawns, hooks):
    named = {"pre_spawn_hook": f"{hooks}_pre_spawn", "modify_pod_hook": f"{hooks}_modify_pod"}
    pod = spawns.start(namespace, "kim", hooks=named)["pod"]
    assert pod["metadata"]["labels"]["chained"] == hooks
    assert {"name": "CHAINED", "value": hooks} in pod["spec"]["containers"][0]["env"]
    assert "public-data" in claims_in(pod)


def test_a_share_is_left_out_when_its_claim_is_not_that_share(cluster, namespace, published, spawns):
    mark(cluster, namespace, "public-data", {"odh.persistency/kind": None}, {})
    stamp = granted(spawns.start(namespace, "ann", groups=["visitors"])["pod"])
    assert stamp["shares"] == {"notebooks": "ro"}
    assert stamp["left_out"] == {"public-data": "not mounted: its claim does not exist, or is not marked as a share"}
    cluster.delete("persistentvolumeclaims", "notebooks", namespace)
    assert "public-data" not in granted(spawns.start(namespace, "ann", groups=["visitors"])["pod"])["shares"]


def test_without_an_acl_the_policy_decides(namespace, spawns):
    pod = spawns.start(namespace, "ann")["pod"]
    assert claims_in(pod) == {"claim-ann": False}
    assert granted(pod)["notice"].startswith("No shares are mounted")
    answer = spawns.start(namespace, "ann", settings={"policy": "deny"})
    assert (answer["status"], answer["message"][:36]) == (403, "The access list of shares cannot be ")


def test_a_static_home_stays_as_the_hub_has_it(cluster, namespace, published, spawns):
    cluster.make_claim(namespace, "all-homes", accessModes=["ReadWriteMany"])
    config = {
        "storage_pvc_ensure": False,
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "all-homes"}}],
        "volume_mounts": [{"name": "home", "mountPath": "/home/jovyan", "subPath": "{username}"}],
    }
    pod = spawns.start(namespace, "sam", config=config, settings={"home": "static"})["pod"]
    assert claims_in(pod) == {"all-homes": False, "public-data": True}


def test_traits_that_lose_homes_are_off_where_the_version_has_them(namespace, published, spawns):
    before = len(spawns.log())
    answer = spawns.start(namespace, "ann", config={"delete_pvc": True})
    remembers = spawns.version >= "7"
    assert answer["traits"] == {"delete_pvc": False, **({"remember_pvc_name": False} if remembers else {})}
    # traitlets warns of traits that a version does not have.
    assert "not recognized" not in spawns.log()[before:]


@pytest.mark.parametrize("override", [{"volumes": [], "volume_mounts": []}, {"volume_mounts": []}])
def test_a_home_that_a_profile_drops_is_announced(cluster, namespace, published, spawns, override):
    make_home(cluster, namespace, "home-of-kim", "kim")
    profile = {"display_name": "careless", "slug": "careless", "kubespawner_override": override}
    answer = spawns.start(namespace, "kim", config={"profile_list": [profile]})
    assert "pod" in answer, answer
    assert set(mounts_in(answer["pod"])) == {"/home/jovyan/public-data"}
    notice = granted(answer["pod"])["notice"]
    assert notice.startswith("Your home is not mounted, because the profile that you chose")
    events = [event for event in cluster.list("events", namespace) if event.get("message") == notice]
    assert [event["type"] for event in events] == ["Warning"]
    assert "notice" not in granted(spawns.start(namespace, "kim")["pod"])


def test_a_static_home_that_a_profile_drops_is_announced(cluster, namespace, published, spawns):
    cluster.make_claim(namespace, "all-homes", accessModes=["ReadWriteMany"])
    config = {
        "storage_pvc_ensure": False,
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "all-homes"}}],
        "volume_mounts": [{"name": "home", "mountPath": "/home/jovyan", "subPath": "{username}"}],
    }
    kept = spawns.start(namespace, "sam", config=config, settings={"home": "static"})["pod"]
    assert "notice" not in granted(kept)
    override = {"volumes": [{"name": "home", "emptyDir": {}}]}
    config["profile_list"] = [{"display_name": "x", "slug": "x", "kubespawner_override": override}]
    pod = spawns.start(namespace, "sam", config=config, settings={"home": "static"})["pod"]
    assert granted(pod)["notice"].startswith("Your home is not mounted")


REMOVED = {"function": "removing_hook"}
HOOKS = {
    "removed": ({"modify_pod_hook": REMOVED, "pre_spawn_hook": REMOVED}, False),
    "replaced": (
        {
            "modify_pod_hook": {"function": "overriding_modify_pod"},
            "pre_spawn_hook": {"function": "overriding_pre_spawn"},
        },
        True,
    ),
}


def overridden(spawns, namespace, **config):
    """Start kim's server, whose home has another name, and return the pod."""
    named = {"pre_spawn_hook": "async_pre_spawn", "modify_pod_hook": "async_modify_pod"}
    answer = spawns.start(namespace, "kim", groups=["visitors"], hooks=named, config=config)
    assert "pod" in answer, (answer, spawns.log()[-3000:])
    assert claims_in(answer["pod"]) == {"home-of-kim": False, "public-data": True, "notebooks": True}
    return answer["pod"]


@pytest.mark.parametrize(("override", "chains"), HOOKS.values(), ids=HOOKS)
def test_a_profile_that_replaces_hooks_does_not_replace_ours(cluster, namespace, published, spawns, override, chains):
    make_home(cluster, namespace, "home-of-kim", "kim")
    profile = {"display_name": "greedy", "slug": "greedy", "kubespawner_override": override}
    pod = overridden(spawns, namespace, profile_list=[profile])
    # The hook of the profile runs in place of the configured one.
    assert pod["metadata"]["labels"].get("chained") == ("sync" if chains else None)


@pytest.mark.parametrize(("override", "chains"), HOOKS.values(), ids=HOOKS)
def test_a_group_that_replaces_hooks_does_not_replace_ours(cluster, namespace, published, spawns, override, chains):
    if spawns.version < "7":
        pytest.skip("JupyterHub before 5 has no overrides for groups")
    make_home(cluster, namespace, "home-of-kim", "kim")
    groups = {"1": {"groups": ["visitors"], "spawner_override": override}}
    pod = overridden(spawns, namespace, group_overrides=groups)
    assert pod["metadata"]["labels"].get("chained") == ("sync" if chains else None)
    variables = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    assert variables.get("CHAINED") == ("async" if chains else None)


@pytest.mark.parametrize("hooks", ["sync", "async"])
def test_a_configured_auth_state_hook_runs(namespace, published, spawns, hooks):
    pod = spawns.start(namespace, "kim", hooks={"auth_state_hook": f"{hooks}_auth_state"})["pod"]
    assert {"name": "AUTH_STATE", "value": hooks} in pod["spec"]["containers"][0]["env"]
