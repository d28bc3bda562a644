"""The spawn hook after the hooks of classic Open Data Hub: the real jupyterhub-singleuser-profiles 0.7 in KubeSpawner 1.1."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from tests.support.acl import options, share
from tests.support.cluster import wait_for
from tests.support.hooked_hub import ClassicHub
from tests.support.real_spawns import RealSpawns, claims_in, granted, make_home, make_share, mounts_in

HOME = "/opt/app-root/src"
SHARES = [
    share("course", mount_path=f"{HOME}/course", read={"users": ["a.b"]}, gid=7001),
    share("staff", mount_path=f"{HOME}/staff", read={"users": ["zoe"]}),
]


@pytest.fixture(scope="module")
def spawns(cluster):
    running = RealSpawns("1.1", cluster.kubeconfig)
    yield running
    running.close()


@pytest.fixture
def published(cluster, namespace, modules):
    modules.ok("share_acl", options(namespace, SHARES, home_path=HOME))
    for spec in SHARES:
        make_share(cluster, namespace, spec["name"])


@pytest.fixture
def profiles(cluster, namespace):
    """`profiles(name, key, content)`: write a ConfigMap of the profiles."""

    def write(name, key, content):
        body = {"metadata": {"name": name}, "data": {key: yaml.safe_dump(content)}}
        cluster.create("configmaps", body, namespace)

    return write


#: Of the profiles that are merged, each but the last needs resources: without them 0.7 fails in its own code.
RESOURCES = {"requests": {"memory": "1Gi", "cpu": "500m"}}
EMPTY = {"profiles": [{"name": "default", "resources": RESOURCES}]}


def volume(claim, **more):
    return {"name": claim, "persistentVolumeClaim": {"claimName": claim}, **more}


def start(spawns, namespace, user):
    answer = spawns.start(namespace, user, classic=True, settings={"home_path": HOME})
    assert "pod" in answer, (answer, spawns.log()[-3000:])
    return answer["pod"]


def test_the_profile_of_an_administrator_is_applied_and_ours_has_the_last_word(
    cluster, namespace, published, profiles, spawns
):
    make_home(cluster, namespace, "jupyterhub-nb-mallory-pvc", "mallory")
    cluster.make_claim(namespace, "tools")
    cluster.make_claim(namespace, "jupyterhub-db")
    open_to_all = {
        # An empty list of users grants to everybody in this version.
        "name": "staff only",
        "users": [],
        "volumes": [volume("staff", mountPath="/mnt/staff"), volume("tools"), volume("jupyterhub-db")],
        "env": [{"name": "FROM_PROFILE", "value": "yes"}],
        "resources": RESOURCES,
    }
    profiles("jupyter-singleuser-profiles", "jupyterhub-singleuser-profiles.yaml", {"profiles": [open_to_all]})
    # What the user interface saves for a user, which may have any key.
    saved = {"last_selected_image": "image:1", "volumes": [volume("jupyterhub-nb-mallory-pvc")]}
    profiles("jupyterhub-singleuser-profile-a-2eb", "profile", saved)

    pod = start(spawns, namespace, "a.b")
    assert claims_in(pod) == {"jupyterhub-nb-a-2eb-pvc": False, "tools": False, "course": True}
    assert mounts_in(pod) == {HOME: False, f"{HOME}/tools": False, f"{HOME}/course": True}
    assert granted(pod)["shares"] == {"course": "ro"}
    container = pod["spec"]["containers"][0]
    assert {"name": "FROM_PROFILE", "value": "yes"} in container["env"]
    assert {"name": "JUPYTERHUB_USER_NAME", "value": "a.b"} in container["env"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert pod["metadata"]["labels"]["jupyterhub.opendatahub.io/user"] == "a-2eb"
    assert pod["spec"]["securityContext"]["supplementalGroups"] == [7001]
    log = spawns.log()
    assert "claim jupyterhub-nb-mallory-pvc removed from the pod of 'a.b': it is the home of 'mallory'" in log
    assert "claim staff removed from the pod of 'a.b': it is a share" in log

    home = cluster.get("persistentvolumeclaims", "jupyterhub-nb-a-2eb-pvc", namespace)
    assert home["metadata"]["labels"]["odh.persistency/kind"] == "home"
    assert home["metadata"]["annotations"]["hub.jupyter.org/username"] == "a.b"


def test_a_home_is_found_by_its_owner_where_the_volume_names_the_template(
    cluster, namespace, published, profiles, spawns
):
    profiles("jupyter-singleuser-profiles", "jupyterhub-singleuser-profiles.yaml", EMPTY)
    profiles("jupyterhub-singleuser-profile-bob", "profile", {"last_selected_image": "image:1"})
    make_home(cluster, namespace, "migrated-home", "bob")
    pod = start(spawns, namespace, "bob")
    assert claims_in(pod) == {"migrated-home": False}
    assert mounts_in(pod) == {HOME: False}
    assert cluster.get("persistentvolumeclaims", "jupyterhub-nb-bob-pvc", namespace) is None


def test_another_users_home_is_not_taken_over_by_its_name(cluster, namespace, published, profiles, spawns):
    profiles("jupyter-singleuser-profiles", "jupyterhub-singleuser-profiles.yaml", EMPTY)
    profiles("jupyterhub-singleuser-profile-eve", "profile", {"last_selected_image": "image:1"})
    make_home(cluster, namespace, "jupyterhub-nb-eve-pvc", "Eve")
    answer = spawns.start(namespace, "eve", classic=True, settings={"home_path": HOME})
    assert answer["status"] == 403, answer
    assert answer["message"].startswith("The name of your home volume belongs to another volume.")


def test_the_config_map_of_the_role_works_in_the_real_hub(cluster, namespace, modules, published, profiles):
    """The package is a zip file there, and the hub has no services of its own."""
    cluster.create("serviceaccounts", {"metadata": {"name": "jupyterhub-hub"}}, namespace)
    modules.ok("hub_config", {"namespace": namespace, "flavor": "odh", "home_path": HOME})
    profiles("jupyter-singleuser-profiles", "jupyterhub-singleuser-profiles.yaml", EMPTY)
    profiles("jupyterhub-singleuser-profile-a-2eb", "profile", {"last_selected_image": "image:1"})
    secret = cluster.get("secrets", "odh-persistency-hub", namespace)["data"]
    token = base64.b64decode(secret["hub.services.odh-persistency.apiToken"]).decode()

    with ClassicHub(namespace, cluster.kubeconfig, cluster.get("configmaps", "jupyterhub-cfg", namespace)) as hub:
        hub.add("a.b")
        with ThreadPoolExecutor(1) as threads:
            threads.submit(hub.api, "POST", "/users/a.b/server", {})
            pods = wait_for(lambda: cluster.list("pods", namespace), "the pod of a.b", 60)
            # The service may read servers and stop them.
            assert "a.b" in {user["name"] for user in hub.api("GET", "/users", token=token)}
            hub.close()
    [pod] = pods
    assert claims_in(pod) == {"jupyterhub-nb-a-2eb-pvc": False, "course": True}
    assert mounts_in(pod) == {HOME: False, f"{HOME}/course": True}
    assert granted(pod)["shares"] == {"course": "ro"}
