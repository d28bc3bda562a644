"""Whole starts with the spawn hook: what stays in the pod, and which starts are refused."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl, document_of
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.grant_spec import Grants
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec

from tests.support.fake_spawner import (
    HOME_MOUNT,
    FakeSpawner,
    Refused,
    home_of,
    hook_of,
    mounted,
    pod_of,
    start,
    volume_of,
)

ANN = {"claim-ann": home_of("ann")}
HOME = volume_of("home", "claim-ann")
AT_X = {"name": "x", "mountPath": "/x"}
CLAIM = "PersistentVolumeClaim"


def created(spec, **metadata):
    return {"name": "x", "ephemeral": {"volumeClaimTemplate": {"metadata": metadata, "spec": spec}}}


def copy_of(name, kind=CLAIM, key="dataSource", **more):
    return {key: {"kind": kind, "name": name, **more}}


def with_x(volume, claims=(), **more):
    """Start ann's server with a volume x; return its specification, and what the hub logged about x."""
    spawner = FakeSpawner({**ANN, **dict(claims)}, **more)
    spec = start(spawner, pod_of([HOME, volume], [HOME_MOUNT, AT_X]))
    assert mounted(spec)[0] == "/home/jovyan"
    assert ("/x" in mounted(spec)) == (len(spec["volumes"]) == 2)
    return spec, [line for line in spawner.log.lines if "removed from the pod" in line]


# --- Volumes that are created for the pod ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        copy_of("claim-ben", "VolumeSnapshot", apiGroup="snapshot.storage.k8s.io"),
        copy_of("claim-ben", "VolumeSnapshot", "dataSourceRef"),
        copy_of("papers", key="dataSourceRef", namespace="other-hub"),
        copy_of("tools", apiGroup="example.com"),
        {**copy_of("tools"), **copy_of("tools", "Populator", "dataSourceRef")},
        {"volumeName": "pv-of-ben"},
    ],
)
def test_a_created_volume_is_filled_from_nothing_but_claims_of_its_namespace(source):
    spec, log = with_x(created(source), {"tools": {}, "papers": {}})
    assert mounted(spec) == ["/home/jovyan"]
    other = "it is filled from something other than a claim of this namespace"
    assert log == [f"odh.persistency: volume x removed from the pod of 'ann': {other}"]


@pytest.mark.parametrize("source", [{}, copy_of("tools"), copy_of("tools", key="dataSourceRef"), copy_of("claim-ann")])
def test_a_created_volume_that_is_empty_or_copies_what_the_user_may_mount_stays(source):
    spec, log = with_x(created(source), {"tools": {}})
    assert (mounted(spec), log) == (["/home/jovyan", "/x"], [])


def test_a_created_volume_that_still_exists_from_the_server_before_stays():
    """Kubernetes waits until it is gone, and creates another one."""
    going = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert "/x" in mounted(with_x(created({}), {"jupyter-ann-x": going})[0])


def test_a_created_volume_gets_no_marks_of_an_owner():
    home = home_of("ben")["metadata"]
    labels = {**home["labels"], "hub.jupyter.org/username": "ben", "app": "x"}
    spec, _log = with_x(created({}, labels=labels, annotations={**home["annotations"], "note": "y"}, name="z"))
    template = spec["volumes"][1]["ephemeral"]["volumeClaimTemplate"]
    assert template["metadata"] == {"labels": {"app": "x"}, "annotations": {"note": "y"}, "name": "z"}


# --- Claims ---------------------------------------------------------------------------------------------------------------

SHARE = {"metadata": {"labels": {"odh.persistency/kind": "share"}}}
GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"x": {"spec": copy_of("papers")}, "papers": SHARE}, "it is a copy of claim papers: it is a share"),
        (
            {"x": {"spec": copy_of("y")}, "y": {"spec": copy_of("b", key="dataSourceRef")}, "b": home_of("ben")},
            "it is a copy of claim b: it is the home of 'ben'",
        ),
        (
            {"x": {"spec": copy_of("1")}, **{f"{number}": {"spec": copy_of(f"{number + 1}")} for number in range(9)}},
            "it is a copy of too many copies",
        ),
        ({"x": {"spec": copy_of("claim-ben")}}, "it is a copy of claim claim-ben: it has the name of a home"),
        ({"x": home_of("ann", retired_at="2026-01-01T00:00:00Z")}, "it is retired"),
        ({"x": {"metadata": GOING}}, "it is being deleted"),
        ({"x": {"metadata": {**home_of("ann")["metadata"], **GOING}}}, "it is being deleted"),
    ],
)
def test_copies_and_retired_or_terminating_claims_are_removed(claims, reason):
    spec, (line,) = with_x(volume_of("x", "x"), claims)
    assert mounted(spec) == ["/home/jovyan"]
    assert line.startswith(f"odh.persistency: claim x removed from the pod of 'ann': {reason}")


def test_copies_of_what_the_user_may_mount_stay():
    """And a home that an administrator restored for its owner, whatever from."""
    claims = {"x": {"spec": copy_of("tools")}, "tools": {"spec": copy_of("x")}}
    assert "/x" in mounted(with_x(volume_of("x", "x"), claims)[0])
    restored = {"claim-ann": {**home_of("ann"), "spec": copy_of("b")}, "b": home_of("ben")}
    assert mounted(start(FakeSpawner(restored), pod_of([HOME]))) == ["/home/jovyan"]


def test_a_software_tree_is_read_only_wherever_a_profile_mounts_it():
    tree = {"metadata": {"labels": {"odh.persistency/kind": "tree"}}}
    side = {"name": "side", "volumeMounts": [{**AT_X, "readOnly": False}], "volumeDevices": [{"name": "x"}]}
    pod = pod_of([HOME, volume_of("x", "tree")], [HOME_MOUNT, AT_X], extra=[side])
    for settings in ({}, {"software": {"claim": "other"}}):
        spec = start(FakeSpawner({**ANN, "tree": tree, "other": {}}), pod, hook_of(settings))
        assert spec["volumes"][1]["persistentVolumeClaim"] == {"claimName": "tree", "readOnly": True}
        mounts = [one for container in spec["containers"] for one in container["volumeMounts"] if one["name"] == "x"]
        assert [one["readOnly"] for one in mounts] == [True, True]
        assert spec["containers"][1]["volumeDevices"] == [{"name": "x"}]


# --- Homes that the hub does not choose -----------------------------------------------------------------------------------

OWN = {**HOME_MOUNT, "subPath": "ann"}
ALL = volume_of("home", "homes")
STATIC = {"volumes": [ALL], "volume_mounts": [{**HOME_MOUNT, "subPath": "{username}"}]}


@pytest.mark.parametrize("home", ["static", "none"])
@pytest.mark.parametrize(
    "parts", [{"claims": {"homes": {}}, "failing": ["homes"]}, {"claims": {"homes": {"metadata": GOING}}}]
)
def test_a_start_without_the_configured_home_is_refused(home, parts):
    with pytest.raises(Refused, match="Your home volume cannot be verified"):
        start(FakeSpawner(**parts, **STATIC), pod_of([ALL], [OWN]), hook_of({"home": home}))


@pytest.mark.parametrize("settings", [{"home": "static"}, {"home": "none"}, {}])
def test_other_volumes_that_cannot_be_read_are_named(settings):
    spawner = FakeSpawner({**ANN, "homes": {}}, ["tools"], **STATIC)
    volumes = [ALL if settings else HOME, volume_of("x", "tools"), volume_of("y", "tools")]
    spec = start(spawner, pod_of(volumes, [OWN, AT_X]), hook_of(settings))
    assert mounted(spec) == ["/home/jovyan"]
    assert "Volumes that cannot be read at the moment are not mounted: tools. Restart the server" in spawner.events[0]


def test_the_claim_of_all_homes_is_no_source():
    pod = pod_of([ALL, created(copy_of("homes"))], [OWN, AT_X])
    spec = start(FakeSpawner({"homes": {}}, **STATIC), pod, hook_of({"home": "static"}))
    assert mounted(spec) == ["/home/jovyan"]
    pod = pod_of([ALL, volume_of("x", "copy")], [OWN, AT_X])
    claims = {"homes": {}, "copy": {"spec": copy_of("homes")}}
    spec = start(FakeSpawner(claims, **STATIC), pod, hook_of({"home": "static"}))
    assert mounted(spec) == ["/home/jovyan"]


LABELLED = {"metadata": {"annotations": {"hub.jupyter.org/username": "first"}}}
BEN = {**HOME_MOUNT, "mountPath": "/ben", "subPath": "ben"}
SNAKE = {"name": "home", "mount_path": "/home/jovyan", "sub_path": "{username}"}


@pytest.mark.parametrize(
    "config",
    [
        {"extra_pod_config": {"volumes": [ALL]}, "volume_mounts": [{**HOME_MOUNT, "subPath": "{username}"}]},
        {"volumes": [ALL], "extra_container_config": {"volumeMounts": [OWN]}},
        {"volumes": [ALL], "extra_container_config": {"volume_mounts": [OWN]}},
        {"volumes": [{"name": "home", "persistent_volume_claim": {"claimName": "homes"}}], "volume_mounts": [SNAKE]},
        {
            "volumes": [volume_of("home", "elsewhere")],
            "volume_mounts": [BEN],
            "extra_pod_config": {"volumes": [ALL]},
            "extra_container_config": {"volumeMounts": [OWN]},
        },
    ],
)
def test_the_home_is_found_wherever_the_configuration_mounts_it(config):
    """Extra configuration replaces whole lists, and KubeSpawner accepts both spellings of keys."""
    spawner = FakeSpawner({"homes": LABELLED}, **config)
    spec = start(spawner, pod_of([ALL], [OWN, BEN]), hook_of({"home": "static"}))
    assert mounted(spec) == ["/home/jovyan"]


def test_a_profile_does_not_change_whose_folder_an_expression_is():
    expression = {**HOME_MOUNT, "subPathExpr": "$(JUPYTERHUB_USER)"}
    for user in ("ann", "ben"):
        env = {"env": [{"name": "JUPYTERHUB_USER", "value": user}]}
        side = {"name": "side", "volumeMounts": [expression], **env}
        pod = pod_of([ALL], [expression], notebook=env, extra=[side])
        spawner = FakeSpawner({"homes": {}}, volumes=[ALL], volume_mounts=[expression])
        spec = start(spawner, pod, hook_of({"home": "static"}))
        assert [mounted(spec, number) for number in (0, 1)] == [["/home/jovyan"] * (user == "ann")] * 2


# --- Profiles and other hooks ---------------------------------------------------------------------------------------------


def test_no_profile_gets_another_home_for_the_same_person():
    """KubeSpawner would create it with our labels, and every later start would be refused, because there are two."""
    spawner = FakeSpawner(ANN)

    async def profile():
        spawner.pvc_name, spawner.storage_extra_labels = "scratch-ann", {}

    spawner.load_user_options = profile
    hook = hook_of({})
    spec = start(spawner, lambda: pod_of([volume_of("home", spawner.pvc_name)]), hook)
    assert spec["volumes"] == [HOME]
    assert spawner.pvc_name == "claim-ann"
    assert spawner.storage_extra_labels == home_of("ann")["metadata"]["labels"]
    # Whatever else sets the name afterwards: the pod gets the home.
    spawner = FakeSpawner(ANN, modify_pod_hook=None)

    def late(one, _pod):
        one.pvc_name = "late-ann"

    spec = start(spawner, pod_of([volume_of("home", "late-ann")]), hook_of({}, {"modify_pod_hook": late}))
    assert spec["volumes"] == [HOME]


def test_the_home_is_chosen_again_before_a_claim_is_created_in_another_namespace():
    spawner = FakeSpawner({})

    async def profile():
        spawner.namespace, spawner.claims = "elsewhere", {"restored": home_of("ann")}

    spawner.load_user_options = profile
    spec = start(spawner, lambda: pod_of([volume_of("home", spawner.pvc_name)]))
    assert (spawner.pvc_name, spec["volumes"]) == ("restored", [volume_of("home", "restored")])


def test_the_template_of_the_pod_says_whether_servers_share_a_home():
    names = {"name": "lab", "pod_name": "jupyter-ann--lab", "pvc_name_template": "claim-{pod_name}"}
    for template, home in (("jupyter-{username}--{servername}", "claim-jupyter-ann--lab"), ("jupyter-{username}", "a")):
        spawner = FakeSpawner({"a": home_of("ann")}, **names, pod_name_template=template)
        start(spawner, pod_of([]))
        assert spawner.pvc_name == home


def test_hooks_may_return_futures_of_threads():
    done = []
    with ThreadPoolExecutor(1) as threads:

        def pre_spawn(_spawner):
            return threads.submit(lambda: (time.sleep(0.1), done.append("pre_spawn")))

        def modify_pod(_spawner, pod):
            done.append("modify_pod")
            return threads.submit(lambda: {**pod, "kind": "Pod"})

        hook = hook_of({}, {"pre_spawn_hook": pre_spawn, "modify_pod_hook": modify_pod})
        assert mounted(start(FakeSpawner(ANN), pod_of([HOME]), hook)) == ["/home/jovyan"]
    assert done == ["pre_spawn", "modify_pod"]


# --- Secret shares --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vault", [None, {"metadata": GOING}])
def test_a_secret_share_that_cannot_be_mounted_makes_no_other_share_read_only(vault):
    def share(level, claim, **more):
        grants = {"read": Grants(users=("ann",)), **more}
        return ShareSpec(name=claim, level=level, claim=claim, mount_path=f"/home/jovyan/{claim}", **grants)

    shares = [
        share("secret", "vault"),
        share("secret", "cellar"),
        share("private", "data", write=Grants(users=("ann",))),
    ]
    document = document_of(compile_acl(shares, {}, "ns"))
    maps = {part.name: {"part.json": part.text} for part in document.parts.values()}
    maps["odh-persistency-acl"] = {"index.json": document.index}
    marks = {"labels": {"odh.persistency/kind": "share"}}
    claims = {
        name: {"metadata": {**marks, "annotations": {"odh.persistency/share": name}}} for name in ("data", "vault")
    }
    if vault is None:
        del claims["vault"]
    else:
        claims["vault"]["metadata"].update(vault["metadata"])
    spawner = FakeSpawner({**ANN, **claims}, acl=(document.digest, maps))
    body = json.dumps({"secret_shares": ["vault", "cellar"]})
    spawner.handler = SimpleNamespace(request=SimpleNamespace(method="POST", body=body))
    spec = start(spawner, pod_of([HOME]))
    assert [(one["mountPath"], one.get("readOnly")) for one in spec["containers"][0]["volumeMounts"]] == [
        ("/home/jovyan", None),
        ("/home/jovyan/data", None),
    ]
    left_out = json.loads(spec["containers"][0]["env"][0]["value"])["left_out"]
    assert set(left_out) == {"vault", "cellar"}
    assert all(reason.startswith("not mounted: its claim") for reason in left_out.values())
    assert len(spawner.lists) == 2
