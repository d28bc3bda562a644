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


#: The settings of the hook.
OURS = {"home_path": HOME}
#: Of the profiles that are merged, each but the last needs resources: without them 0.7 fails in its own code.
RESOURCES = {"requests": {"memory": "1Gi", "cpu": "500m"}}
EMPTY = {"profiles": [{"name": "default", "resources": RESOURCES}]}


def volume(claim, **more):
    return {"name": claim, "persistentVolumeClaim": {"claimName": claim}, **more}


def start(spawns, namespace, user, settings=OURS):
    answer = spawns.start(namespace, user, classic=True, settings=settings)
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


# -- the fallback for an image whose hub does not run the hook -------------------------------------------------------------------


def publish(modules, namespace, **more):
    """Publish the shares as profiles, as the role does."""
    return modules.ok("share_acl", options(namespace, SHARES, home_path=HOME, format="jsp", **more))


def test_the_library_reads_our_profiles_beside_those_of_the_administrator_and_merges_them(
    cluster, namespace, modules, published, profiles, spawns
):
    """The real library reads `jupyter-singleuser-profiles` and then every ConfigMap with its label, so ours is one of its own."""
    cluster.make_claim(namespace, "tools")
    theirs = {
        "profiles": [{"name": "globals", "resources": RESOURCES, "volumes": [volume("tools")]}],
        "sizes": [{"name": "Small", "resources": RESOURCES}],
    }
    profiles("jupyter-singleuser-profiles", "jupyterhub-singleuser-profiles.yaml", theirs)
    before = cluster.get("configmaps", "jupyter-singleuser-profiles", namespace)
    publish(modules, namespace)
    for user, shares in (("a.b", {"course": True}), ("zoe", {"staff": True}), ("eve", {})):
        profiles(f"jupyterhub-singleuser-profile-{user.replace('.', '-2e')}", "profile", {"last_selected_image": "i:1"})
        pod = start(spawns, namespace, user, settings=None)
        home = f"jupyterhub-nb-{user.replace('.', '-2e')}-pvc"
        assert claims_in(pod) == {home: False, "tools": False, **shares}
        assert set(mounts_in(pod)) == {HOME, f"{HOME}/tools", *(f"{HOME}/{name}" for name in shares)}
        assert "odh.persistency/granted" not in (pod["metadata"].get("annotations") or {})
        assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "1Gi"
    after = cluster.get("configmaps", "jupyter-singleuser-profiles", namespace)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    # Without the label it is none of the library's, so the label is what is read.
    unlabelled = {"metadata": {"labels": {"jupyterhub": None}}}
    cluster.patch("configmaps", "odh-persistency-shares-profiles", unlabelled, namespace)
    assert "course" not in claims_in(start(spawns, namespace, "a.b", settings=None))


def test_profiles_are_in_the_namespace_of_the_hub_and_claims_in_that_of_the_servers(
    cluster, namespace, other, modules, published, profiles, spawns
):
    """The library reads profiles in the namespace of the hub, whatever NOTEBOOK_NAMESPACE says: `published` has the claims."""
    theirs = {"profiles": [{"name": "globals", "resources": RESOURCES}]}
    hub = other
    body = {
        "metadata": {"name": "jupyter-singleuser-profiles"},
        "data": {"jupyterhub-singleuser-profiles.yaml": yaml.safe_dump(theirs)},
    }
    user = {
        "metadata": {"name": "jupyterhub-singleuser-profile-zoe"},
        "data": {"profile": "last_selected_image: i:1\n"},
    }
    for one in (body, user):
        cluster.create("configmaps", one, hub)
    publish(modules, namespace, profiles_namespace=hub)
    assert cluster.get("configmaps", "odh-persistency-shares-profiles", namespace) is None
    assert not publish(modules, namespace, profiles_namespace=hub).changed
    answer = spawns.start(namespace, "zoe", classic=True, settings=None, hub_namespace=hub)
    assert "pod" in answer, (answer, spawns.log()[-3000:])
    assert claims_in(answer["pod"]) == {"jupyterhub-nb-zoe-pvc": False, "staff": True}
    assert cluster.get("persistentvolumeclaims", "jupyterhub-nb-zoe-pvc", namespace) is not None
