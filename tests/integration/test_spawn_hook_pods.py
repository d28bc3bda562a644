"""The rest of the pod in real KubeSpawners: software, mount points, static homes, and what profiles must not mount."""

from __future__ import annotations

import pytest

from tests.support.real_spawns import claims_in, granted, make_home, make_share, mark, mounts_in
from tests.support.spawn_fixtures import *  # noqa: F403

TREE = {"claim": "tree", "environment": {"MODULEPATH": "/opt/software/current/modules/all"}}


def variables(pod):
    return {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}


# --- Software -------------------------------------------------------------------------------------------------------------


def test_every_server_mounts_the_software_read_only(cluster, namespace, published, spawns):
    cluster.make_claim(namespace, "tree", accessModes=["ReadWriteMany"])
    pod = spawns.start(namespace, "zoe", settings={"software": TREE})["pod"]
    assert claims_in(pod)["tree"] is True
    assert mounts_in(pod)["/opt/software"] is True
    assert variables(pod)["MODULEPATH"] == "/opt/software/current/modules/all"
    assert claims_in(pod)["public-data"] is True


def test_no_profile_replaces_the_software(cluster, namespace, published, spawns):
    for name in ("tree", "fake"):
        cluster.make_claim(namespace, name)
    override = {
        "volumes": [{"name": "odh-software", "persistentVolumeClaim": {"claimName": "fake"}}],
        "volume_mounts": [{"name": "odh-software", "mountPath": "/opt/software"}],
        "environment": {"MODULEPATH": "/fake"},
    }
    profile = {"display_name": "x", "slug": "x", "kubespawner_override": override}
    answer = spawns.start(namespace, "zoe", settings={"software": TREE}, config={"profile_list": [profile]})
    assert "fake" not in claims_in(answer["pod"])
    assert mounts_in(answer["pod"])["/opt/software"] is True
    assert variables(answer["pod"])["MODULEPATH"] == "/opt/software/current/modules/all"


def test_servers_start_without_a_software_tree_that_is_missing(namespace, published, spawns):
    pod = spawns.start(namespace, "zoe", settings={"software": TREE})["pod"]
    assert "tree" not in claims_in(pod)
    assert granted(pod)["notice"].startswith("The shared software is not mounted")
    assert "public-data" in claims_in(pod)


# --- Mount points ---------------------------------------------------------------------------------------------------------


def test_an_init_container_creates_the_mount_points_as_the_user(namespace, published, spawns):
    config = {"uid": 1000, "init_containers": [{"name": "first", "image": "x"}]}
    pod = spawns.start(namespace, "zoe", settings={"mount_points": "init"}, config=config)["pod"]
    ours = pod["spec"]["initContainers"][-1]
    main = pod["spec"]["containers"][0]
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["first", "odh-mount-points"]
    assert ours["image"] == main["image"]
    assert ours.get("securityContext") == main.get("securityContext")
    assert ours["command"][-2:] == ["/home/jovyan", "/home/jovyan/public-data"]
    assert [(mount["name"], mount["mountPath"]) for mount in ours["volumeMounts"]] == [("home", "/home/jovyan")]
    assert "initContainers" not in spawns.start(namespace, "zoe")["pod"]["spec"]


# --- Homes that the hub does not choose -----------------------------------------------------------------------------------


def marks(cluster, namespace):
    """The labels and annotations of the claim, without those that the controller manager adds at a time of its own."""
    metadata = cluster.get("persistentvolumeclaims", "claim-all", namespace)["metadata"]
    kept = {key: value for key, value in metadata["annotations"].items() if "storage-provisioner" not in key}
    return metadata["labels"], kept


@pytest.mark.parametrize("home", ["static", "none"])
def test_the_configured_claim_stays_whatever_it_is_called_and_homes_of_others_go(
    cluster, namespace, published, spawns, home
):
    make_home(cluster, namespace, "claim-all", "first-user")  # as KubeSpawner labels it for the first user
    make_home(cluster, namespace, "foreign", "mallory")
    before = marks(cluster, namespace)
    volumes = [
        {"name": "home", "persistentVolumeClaim": {"claimName": "claim-all"}},
        {"name": "f", "persistentVolumeClaim": {"claimName": "foreign"}},
        {"name": "s", "persistentVolumeClaim": {"claimName": "other"}},
    ]
    mounts = [
        {"name": "home", "mountPath": "/home/jovyan", "subPath": "{username}"},
        {"name": "f", "mountPath": "/f"},
        {"name": "s", "mountPath": "/s"},
    ]
    config = {"storage_pvc_ensure": False, "volumes": volumes, "volume_mounts": mounts}
    if spawns.version >= "7":
        config["volumes"] = {volume["name"]: volume for volume in volumes}
        config["volume_mounts"] = {mount["name"]: mount for mount in mounts}
    pod = spawns.start(namespace, "sam", config=config, settings={"home": home})["pod"]
    assert claims_in(pod) == {"claim-all": False, "public-data": True}
    (mount,) = [one for one in pod["spec"]["containers"][0]["volumeMounts"] if one["name"] == "home"]
    assert mount["subPath"] == "sam"
    assert marks(cluster, namespace) == before


def test_a_profile_does_not_name_the_configured_claim(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "claim-all", "first-user")
    config = {"storage_pvc_ensure": False, "volumes": [], "volume_mounts": []}
    override = {
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "claim-all"}}],
        "volume_mounts": [{"name": "home", "mountPath": "/home/jovyan"}],
    }
    config["profile_list"] = [{"display_name": "x", "slug": "x", "kubespawner_override": override}]
    pod = spawns.start(namespace, "sam", config=config, settings={"home": "static"})["pod"]
    assert "claim-all" not in claims_in(pod)


def test_a_profile_mounts_no_folder_of_others_in_the_claim_with_all_homes(cluster, namespace, published, spawns):
    cluster.make_claim(namespace, "homes")
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}
    own = {"name": "home", "mountPath": "/home/jovyan", "subPath": "{username}"}
    whole = {"name": "home", "mountPath": "/all"}
    owner = {"name": "owner", "image": "x", "volumeMounts": [{"name": "home", "mountPath": "/home"}]}
    config = {
        "storage_pvc_ensure": False,
        "volumes": [volume],
        "volume_mounts": [own],
        "init_containers": [owner],
    }
    bad = [
        {**whole, "mountPath": "/theirs", "subPath": "mallory"},
        {**whole, "name": "again"},
        {**whole, "subPath": "."},
    ]
    override = {
        "volumes": [volume, {**volume, "name": "again"}],
        "volume_mounts": [own, {**own, "mountPath": "/work", "subPath": "{username}/work"}, *bad],
        "init_containers": [owner, {**owner, "name": "more"}],
        "extra_containers": [{"name": "side", "image": "x", "volumeMounts": bad}],
    }
    config["profile_list"] = [{"display_name": "x", "slug": "x", "kubespawner_override": override}]
    for home in ("static", "none"):
        spec = spawns.start(namespace, "sam", config=config, settings={"home": home})["pod"]["spec"]
        found = {
            container["name"]: [(mount["mountPath"], mount.get("subPath")) for mount in container["volumeMounts"]]
            for container in [*spec["initContainers"], *spec["containers"]]
        }
        shares = ("/home/jovyan/public-data", None)
        assert found == {
            "owner": [("/home", None)],
            "more": [],
            "notebook": [("/home/jovyan", "sam"), ("/work", "sam/work"), shares],
            "side": [],
        }
    assert (
        "folder /mallory of claim homes at /theirs in container notebook removed from the pod of 'sam'" in spawns.log()
    )


def test_a_home_in_extra_configuration_stays_and_no_profile_changes_whose_it_is(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "claim-all", "first-user")
    expression = {"name": "home", "mountPath": "/home/jovyan", "subPathExpr": "$(JUPYTERHUB_USER)"}
    config = {
        "storage_pvc_ensure": False,
        "volume_mounts": [],
        "volumes": [],
        "extra_pod_config": {"volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "claim-all"}}]},
        "extra_container_config": {"volume_mounts": [expression]},
    }
    pod = spawns.start(namespace, "sam", config=config, settings={"home": "static"})["pod"]
    assert "/home/jovyan" in mounts_in(pod)
    side = {"name": "side", "image": "x", "env": [{"name": "JUPYTERHUB_USER", "value": "ben"}]}
    override = {"environment": {"JUPYTERHUB_USER": "ben"}, "extra_containers": [{**side, "volumeMounts": [expression]}]}
    config["profile_list"] = [{"display_name": "x", "slug": "x", "kubespawner_override": override}]
    pod = spawns.start(namespace, "sam", config=config, settings={"home": "static"})["pod"]
    assert mounts_in(pod) == {"/home/jovyan/public-data": True}
    assert not pod["spec"]["containers"][1]["volumeMounts"]


def test_a_profile_that_changes_the_namespace_gets_the_home_there(cluster, namespace, published, spawns):
    elsewhere = cluster.make_namespace()
    make_home(cluster, namespace, "claim-zoe", "zoe")
    make_home(cluster, elsewhere, "claim-zoe", "mallory")
    profile = {"display_name": "x", "slug": "x", "kubespawner_override": {"namespace": elsewhere}}
    answer = spawns.start(namespace, "zoe", config={"profile_list": [profile]}, user_options={"profile": "x"})
    assert answer["message"].startswith("The name of your home volume belongs to another volume"), answer
    cluster.remove_namespace(elsewhere)


def test_a_profile_that_names_another_claim_gets_no_second_home(cluster, namespace, published, spawns):
    override = {"pvc_name": "scratch-zoe", "storage_extra_labels": {"a": "b"}}
    profile = {"display_name": "x", "slug": "x", "kubespawner_override": override}
    for _start in range(2):
        answer = spawns.start(namespace, "zoe", config={"profile_list": [profile]}, user_options={"profile": "x"})
        assert claims_in(answer["pod"])[answer["pvc_name"]] is False
        home = cluster.get("persistentvolumeclaims", answer["pvc_name"], namespace)
        assert home["metadata"]["labels"]["odh.persistency/kind"] == "home"
    assert "scratch-zoe" not in cluster.claims(namespace)


# --- What profiles must not mount -----------------------------------------------------------------------------------------


def test_a_profile_mounts_no_share_and_no_home_of_others_in_any_form(cluster, namespace, published, spawns):
    make_home(cluster, namespace, "foreign", "mallory")
    copy = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "dataSource": {"kind": "PersistentVolumeClaim", "name": "foreign"},
    }
    added = [
        {"name": "a", "persistentVolumeClaim": {"claimName": "other", "readOnly": True}},
        {"name": "b", "persistentVolumeClaim": {"claimName": "foreign"}},
        {"name": "c", "ephemeral": {"volumeClaimTemplate": {"spec": copy}}},
        {"name": "e", "emptyDir": {}},
    ]
    if spawns.version == "1.1":  # its client does not know volumes that are created for a pod
        del added[2]
    mounts = [{"name": volume["name"], "mountPath": f"/mnt/{volume['name']}", "subPath": "x"} for volume in added]
    home = {"name": "home", "persistentVolumeClaim": {"claimName": "claim-zoe"}}
    at_home = {"name": "home", "mountPath": "/home/jovyan"}
    side = {"name": "side", "image": "x", "volumeMounts": mounts}
    override = {
        "volumes": [home, *added],
        "volume_mounts": [at_home, *mounts],
        "extra_containers": [side],
        "init_containers": [{**side, "name": "init"}],
    }
    if spawns.version >= "7":
        override["volumes"] = {volume["name"]: volume for volume in override["volumes"]}
        override["volume_mounts"] = {mount["name"]: mount for mount in override["volume_mounts"]}
    profile = {"display_name": "x", "slug": "x", "kubespawner_override": override}
    pod = spawns.start(namespace, "zoe", config={"profile_list": [profile]}, user_options={"profile": "x"})["pod"]
    assert claims_in(pod) == {"claim-zoe": False, "public-data": True}
    assert {volume["name"] for volume in pod["spec"]["volumes"]} & set("abcde") == {"e"}
    for container in (pod["spec"]["initContainers"][0], pod["spec"]["containers"][1]):
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/mnt/e"]


def test_a_profile_cannot_mount_a_share_at_the_path_of_another(cluster, namespace, published, spawns):
    make_share(cluster, namespace, "hidden")
    mark(cluster, namespace, "hidden", {}, {"odh.persistency/share": "public-data"})  # it says that it is another
    config = {
        "extra_pod_config": {"volumes": [{"name": "odh-share-x", "persistentVolumeClaim": {"claimName": "hidden"}}]},
        "extra_container_config": {"volumeMounts": [{"name": "odh-share-x", "mountPath": "/home/jovyan/public-data"}]},
    }
    pod = spawns.start(namespace, "zoe", config=config)["pod"]
    assert claims_in(pod) == {"public-data": True}
    assert mounts_in(pod) == {"/home/jovyan/public-data": True}
