"""Rewriting of pods by the spawn hook: the home, removed claims, shares."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import Mount
from ansible_collections.odh.persistency.plugins.module_utils._hub.hub_settings import Software
from ansible_collections.odh.persistency.plugins.module_utils._hub.pod_rewriting import (
    VOLUME_PREFIX,
    ClaimUse,
    claims_of,
    volume_name,
    with_environment,
    with_home,
    with_shares,
    with_software,
    without_claims,
)
from hypothesis import given
from hypothesis import strategies as st

POD = "jupyter-a"
RO = Mount("papers", "papers", "/home/jovyan/papers", "ro", 7001)
RW = Mount("data", "data", "/home/jovyan/data", "rw", None)


def claim(name, volume, **more):
    return {"name": volume, "persistentVolumeClaim": {"claimName": name, **more}}


def spec(*volumes, **more):
    mounts = [{"name": volume["name"], "mountPath": f"/mnt/{volume['name']}"} for volume in volumes]
    return {"containers": [{"name": "notebook", "volumeMounts": mounts}], "volumes": list(volumes), **more}


def test_the_home_replaces_every_computed_name_and_keeps_the_rest_of_the_volume():
    before = spec(claim("claim-a", "home", readOnly=False), claim("tools", "tools"), {"name": "tmp", "emptyDir": {}})
    after = with_home(before, ["claim-a", "claim-a-old"], "imported")
    assert after["volumes"][0] == claim("imported", "home", readOnly=False)
    assert after["volumes"][1:] == before["volumes"][1:]
    assert claims_of(before, POD) == [ClaimUse("claim-a"), ClaimUse("tools")]


def test_read_only_is_set_on_the_volume_and_on_the_mount():
    after = with_shares(spec(), [RO, RW])
    read, write = after["volumes"]
    assert read == claim("papers", volume_name("papers"), readOnly=True)
    assert write == claim("data", volume_name("data"))
    mounts = after["containers"][0]["volumeMounts"]
    assert mounts == [
        {"name": volume_name("papers"), "mountPath": "/home/jovyan/papers", "readOnly": True},
        {"name": volume_name("data"), "mountPath": "/home/jovyan/data"},
    ]


def test_groups_of_shares_are_added_to_those_of_the_pod():
    after = with_shares(spec(securityContext={"fsGroup": 100, "supplementalGroups": [5]}), [RO, RW])
    assert after["securityContext"] == {"fsGroup": 100, "supplementalGroups": [5, 7001]}
    assert "securityContext" not in with_shares(spec(), [RW])


@pytest.mark.parametrize("path", ["/home/jovyan//papers/", "//home/jovyan/papers"])
def test_a_share_takes_its_path_from_whatever_is_mounted_there(path):
    before = spec({"name": "tmp", "emptyDir": {}})
    before["containers"][0]["volumeMounts"][0]["mountPath"] = path
    paths = [mount["mountPath"] for mount in with_shares(before, [RO])["containers"][0]["volumeMounts"]]
    assert paths == ["/home/jovyan/papers"]


def test_shares_go_into_the_main_container_only():
    before = spec()
    before["containers"].insert(0, {"name": "sidecar"})
    sidecar, main = with_shares(before, [RO])["containers"]
    assert "volumeMounts" not in sidecar
    assert len(main["volumeMounts"]) == 1
    unnamed = {"containers": [{"name": "jupyter-nb"}, {"name": "sidecar"}]}
    assert "volumeMounts" in with_shares(unnamed, [RO])["containers"][0]


def test_a_volume_that_is_named_as_ours_is_removed():
    before = spec({"name": volume_name("papers"), "hostPath": {"path": "/"}})
    after = without_claims(before, [], POD)
    assert after["volumes"] == []
    assert after["containers"][0]["volumeMounts"] == []


def test_a_volume_that_is_created_for_the_pod_counts_as_its_claim_and_as_what_it_copies():
    source = {"kind": "PersistentVolumeClaim", "name": "claim-b"}
    template = {"spec": {"dataSource": source, "dataSourceRef": {"kind": "VolumeSnapshot", "name": "s"}}}
    before = spec({"name": "v", "ephemeral": {"volumeClaimTemplate": template}})
    assert claims_of(before, POD) == [ClaimUse("jupyter-a-v", False), ClaimUse("claim-b", False)]
    assert without_claims(before, [ClaimUse("claim-b")], POD) == before
    after = without_claims(before, [ClaimUse("claim-b", False)], POD)
    assert after["volumes"] == []
    assert after["containers"][0]["volumeMounts"] == []


def test_block_devices_of_removed_claims_go_too():
    before = spec(claim("claim-b", "v"))
    before["containers"][0]["volumeDevices"] = [{"name": "v", "devicePath": "/dev/x"}]
    assert without_claims(before, [ClaimUse("claim-b")], POD)["containers"][0]["volumeDevices"] == []


TREE = Software("tree", "/opt/software", {"MODULEPATH": "/opt/software/current"})


def test_the_software_tree_is_read_only_in_both_places_and_brings_its_variables():
    after = with_software(spec(), TREE)
    assert after["volumes"] == [claim("tree", "odh-software", readOnly=True)]
    main = after["containers"][0]
    assert main["volumeMounts"] == [{"name": "odh-software", "mountPath": "/opt/software", "readOnly": True}]
    assert main["env"] == [{"name": "MODULEPATH", "value": "/opt/software/current"}]


def test_a_profile_puts_nothing_else_at_the_path_of_the_software():
    before = spec(claim("other", "other"), {"name": "odh-software", "emptyDir": {}})
    before["containers"][0]["volumeMounts"] = [
        {"name": "other", "mountPath": path}
        for path in ("/opt/software/", "/opt/software/current", "/opt", "/opt/soft")
    ]
    after = with_software(without_claims(before, [], POD), TREE)
    mounts = [(mount["name"], mount["mountPath"]) for mount in after["containers"][0]["volumeMounts"]]
    assert mounts == [("other", "/opt"), ("other", "/opt/soft"), ("odh-software", "/opt/software")]


def test_a_volume_that_the_pod_has_of_the_software_is_used_and_becomes_read_only():
    before = spec(claim("tree", "sw"))
    before["initContainers"] = [{"name": "i", "volumeMounts": [{"name": "sw", "mountPath": "/sw"}]}]
    after = with_software(before, TREE)
    assert after["volumes"] == [claim("tree", "sw", readOnly=True)]
    assert after["initContainers"] == before["initContainers"]
    assert after["containers"][0]["volumeMounts"][-1] == {"name": "sw", "mountPath": "/opt/software", "readOnly": True}


def test_an_environment_variable_is_replaced():
    before = spec()
    before["containers"][0]["env"] = [{"name": "A", "value": "old"}, {"name": "B", "value": "b"}]
    after = with_environment(before, "A", "new")
    assert after["containers"][0]["env"] == [{"name": "B", "value": "b"}, {"name": "A", "value": "new"}]


def test_a_pod_without_volumes_and_without_containers():
    assert claims_of({"volumes": None}, POD) == []
    assert without_claims({"volumes": None, "containers": [{"name": "notebook", "volumeMounts": None}]}, [], POD)
    assert with_home({}, ["a"], "b") == {"volumes": []}
    assert with_shares({}, [RO])["containers"] == []


NAMES = st.sampled_from(["a", "b", "papers", "data", "claim-x", volume_name("papers"), VOLUME_PREFIX + "x"])


@st.composite
def pods(draw):
    volumes = [
        draw(st.one_of(st.builds(claim, NAMES, NAMES), st.builds(lambda name: {"name": name, "emptyDir": {}}, NAMES)))
        for _number in range(draw(st.integers(0, 4)))
    ]
    mount = st.builds(
        lambda name, path: {"name": name, "mountPath": path}, NAMES, st.sampled_from(["/x", RO.path, "/y"])
    )
    container = st.builds(
        lambda name, mounts: {"name": name, "volumeMounts": mounts}, NAMES, st.lists(mount, max_size=4)
    )
    return {
        "volumes": draw(st.sampled_from([volumes, volumes or None])),
        "containers": [{"name": "notebook"}, *draw(st.lists(container, max_size=2))],
        "initContainers": draw(st.lists(container, max_size=2)),
    }


@given(pods(), st.sets(NAMES), st.lists(st.sampled_from([RO, RW]), unique=True))
def test_no_removed_claim_is_mounted_and_a_share_only_as_granted(pod, removed, mounts):
    original = copy.deepcopy(pod)
    after = with_shares(without_claims(pod, map(ClaimUse, {*removed, "papers", "data"}), POD), mounts)
    assert pod == original
    sources = {}
    for volume in after.get("volumes") or ():
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        assert name not in removed or name in {mount.claim for mount in mounts}
        sources.setdefault(volume["name"], []).append(name)
    for mount in mounts:
        assert sources[volume_name(mount.claim)] == [mount.claim]
    others = [*after["containers"][1:], *after["initContainers"]]
    assert not [m for c in others for m in c.get("volumeMounts") or () if m["name"].startswith(VOLUME_PREFIX)]
    main = after["containers"][0].get("volumeMounts") or []
    assert [m["mountPath"] for m in main if m["name"].startswith(VOLUME_PREFIX)] == [mount.path for mount in mounts]
    for mount, entry in zip(mounts, main[len(main) - len(mounts) :]):
        assert entry.get("readOnly", False) is (mount.mode == "ro")
