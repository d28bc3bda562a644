"""A software tree becomes claims and volumes, read-only for servers, and a second run writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster import Cluster, wait_for
from tests.support.modules import Modules
from tests.support.shares import NFS_CSI, RETIRED, SERVER, make_claim, make_volume, volume_of

pytestmark = pytest.mark.usefixtures("share_volumes")

ROOT = Path(__file__).resolve().parents[2]
KIND, TREE = "odh.persistency/kind", "odh.persistency/tree"
BACKENDS: dict[str, dict[str, Any]] = {
    "nfs": {"type": "nfs", "server": SERVER, "path": "/exports/software", "mount_options": ["nfsvers=4.1"]},
    "csi": {"type": "csi", "driver": NFS_CSI, "attributes": {"server": SERVER, "share": "/exports/software"}},
    "host path": {"type": "host_path", "path": "/srv/software"},
}


def tree(*namespaces: str, **more: Any) -> dict[str, Any]:
    return {"namespaces": list(namespaces), "size": "10Gi", "backend": BACKENDS["nfs"], **more}


def share_over(namespace: str, path: str) -> dict[str, Any]:
    backend = {"type": "nfs", "server": SERVER, "path": path}
    return {
        "namespaces": [namespace],
        "shares": [{"name": "data", "level": "public", "size": "1Gi", "backend": backend}],
    }


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_each_backend_is_created_bound_and_unchanged(
    cluster: Cluster, namespace: str, other: str, modules: Modules, audit: Any, backend: dict[str, Any]
) -> None:
    options = tree(namespace, builder_namespace=other, backend=backend, wait=True)
    with audit(user_agent="odh.persistency/") as log:
        shown = modules.ok("lmod_tree", options, check=True, diff=True)
    assert not log.writes
    made = modules.ok("lmod_tree", options, diff=True)
    assert made.changes == shown.changes
    assert made.output["diff"] == shown.output["diff"]
    assert [(change["action"], change["kind"], change["namespace"]) for change in made.changes] == [
        ("create", "tree", other),
        ("create", "tree", namespace),
    ]
    claims = {name: cluster.claims(name)["software"] for name in (namespace, other)}
    assert [claims[name]["spec"]["accessModes"] for name in (namespace, other)] == [["ReadOnlyMany"], ["ReadWriteMany"]]
    for name, claim in claims.items():
        assert claim["status"]["phase"] == "Bound"
        assert claim["metadata"]["labels"] == {KIND: "tree", TREE: "software"}
        assert claim["metadata"]["annotations"][TREE] == "software"
        volume = volume_of(cluster, name, "software")
        assert volume["metadata"]["name"] == f"tree.{name}.software"
        assert volume["metadata"]["labels"] == {KIND: "tree", TREE: "software"}
        assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
        is_mounted_read_only = "ro" in (volume["spec"].get("mountOptions") or [])
        assert is_mounted_read_only == (name == namespace and backend["type"] != "host_path")
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("lmod_tree", options, diff=True)
    assert not again.changed
    assert again.changes == []
    assert not log.writes, log


def test_the_builder_and_the_servers_of_one_namespace_use_one_claim_that_can_be_written_to(
    cluster: Cluster, namespace: str, modules: Modules
) -> None:
    modules.ok("lmod_tree", tree(namespace, builder_namespace=namespace))
    assert cluster.claims(namespace)["software"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert volume_of(cluster, namespace, "software")["spec"]["mountOptions"] == ["nfsvers=4.1"]


def test_a_tree_is_retired_and_deleted_and_its_volume_does_not_outlive_its_claim(
    cluster: Cluster, namespace: str, modules: Modules
) -> None:
    modules.ok("lmod_tree", tree(namespace, wait=True))
    absent = {"namespaces": [namespace], "state": "absent", "retention": "0s"}
    assert "never retired" in modules.refused("lmod_tree", absent)
    retired = modules.ok("lmod_tree", {"namespaces": [namespace], "state": "retired"})
    assert retired.actions() == {"software": "retire"}
    assert RETIRED in cluster.claims(namespace)["software"]["metadata"]["annotations"]
    assert not modules.ok("lmod_tree", {"namespaces": [namespace], "state": "retired"}).changed
    assert not modules.ok("lmod_tree", {**absent, "retention": "30d"}).changed
    assert modules.ok("lmod_tree", absent).actions() == {"software": "delete"}
    wait_for(lambda: cluster.claims(namespace) == {}, "the claim is gone")
    wait_for(lambda: cluster.get("persistentvolumes", f"tree.{namespace}.software") is None, "the volume is gone")
    assert not modules.ok("lmod_tree", absent).changed


@pytest.mark.parametrize(
    ("path", "word"), [("/exports/software", "is that of"), ("/exports/software/releases", "lies inside that of")]
)
def test_a_share_over_the_data_of_a_tree_is_rejected(
    namespace: str, other: str, modules: Modules, path: str, word: str
) -> None:
    modules.ok("lmod_tree", tree(namespace))
    message = modules.refused("share_pvc", share_over(other, path))
    assert f"{word} the software tree software in {namespace}" in message


def test_a_tree_over_the_data_of_a_share_is_rejected(
    cluster: Cluster, namespace: str, other: str, modules: Modules
) -> None:
    modules.ok("share_pvc", share_over(other, "/exports/software/cases"))
    message = modules.refused("lmod_tree", tree(namespace))
    assert f"contains that of the share data in {other}" in message
    assert cluster.claims(namespace) == {}


def test_a_share_and_a_tree_of_one_name_stay_two(
    cluster: Cluster, namespace: str, other: str, modules: Modules
) -> None:
    """Their names alone say nothing: each has its own marks, and neither takes the claim or the place of the other."""
    modules.ok("lmod_tree", tree(namespace, name="data"))
    assert "belongs to the software tree data" in modules.refused("share_pvc", share_over(namespace, "/exports/x"))
    assert "the software tree data" in modules.refused("share_pvc", share_over(other, "/exports/software"))
    modules.ok("share_pvc", share_over(other, "/exports/x"))
    assert "belongs to the share data" in modules.refused("lmod_tree", tree(other, name="data"))
    retired = {"namespaces": [namespace, other], "state": "retired", "shares": [{"name": "data"}]}
    assert "belongs to the software tree data" in modules.refused("share_pvc", retired)


def test_a_claim_that_was_created_by_hand_over_the_same_data_is_adopted(
    cluster: Cluster, namespace: str, modules: Modules
) -> None:
    source = {"nfs": {"server": SERVER, "path": "/exports/software"}}
    make_volume(cluster, f"hand-{namespace}", source, (namespace, "software"), capacity={"storage": "10Gi"})
    make_claim(cluster, namespace, "software", "10Gi", storageClassName="", volumeName=f"hand-{namespace}")
    assert modules.ok("lmod_tree", tree(namespace, wait=True)).actions() == {"software": "adopt"}
    again = modules.ok("lmod_tree", tree(namespace))
    assert not again.changed
    assert again.warnings == []


def test_the_permissions_of_the_example_suffice(
    cluster: Cluster, namespace: str, modules: Modules, restricted_user: Any
) -> None:
    documents = list(yaml.safe_load_all((ROOT / "examples/rbac/software.yml").read_text()))
    rules = {document["kind"]: document["rules"] for document in documents if "rules" in document}
    login = restricted_user(rules["Role"], cluster_rules=rules["ClusterRole"])
    assert not modules.run("lmod_tree", tree(namespace), check=True, kubeconfig=login).failed
    for options, action in (
        (tree(namespace, wait=True), "create"),
        ({"namespaces": [namespace], "state": "retired"}, "retire"),
        ({"namespaces": [namespace], "state": "absent", "retention": "0s"}, "delete"),
    ):
        result = modules.ok("lmod_tree", options, kubeconfig=login)
        assert result.actions() == {"software": action}
        assert result.warnings == []


def test_data_of_a_private_share_is_no_tree(namespace: str, other: str, modules: Modules) -> None:
    """Every server reads a tree, so not even data of a share that was retired becomes one."""
    options = share_over(other, "/exports/software")
    options["shares"][0]["level"] = "private"
    modules.ok("share_pvc", options)
    modules.ok("share_pvc", {"namespaces": [other], "state": "retired", "shares": [{"name": "data"}]})
    message = modules.refused("lmod_tree", tree(namespace))
    assert "its data is private" in message
    assert "give the tree a separate place" in message


def test_a_home_of_that_name_is_no_tree(namespace: str, cluster: Cluster, modules: Modules) -> None:
    make_claim(cluster, namespace, "software", annotations={"hub.jupyter.org/username": "ada"})
    assert "is the home of ada and cannot be a tree" in modules.refused("lmod_tree", tree(namespace))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Soft ware"}, "name: 'Soft ware' is not made of lower-case letters"),
        ({"name": "hub-db-dir"}, "name: claim hub-db-dir is the hub's database and cannot be a tree"),
        ({"backend": None}, "backend: it is missing"),
        ({"size": None}, "size: it is missing: set one such as 100Gi"),
        ({"size": "much"}, "size: "),
        ({"namespaces": []}, "one of the following is required: namespaces, builder_namespace, path"),
        ({"namespaces": ["A"]}, "namespaces has 'A', which is not a namespace name"),
        ({"builder_namespace": "a/b"}, "builder_namespace has 'a/b', which is not a namespace name"),
        ({"backend": {"type": "host_path", "path": "/etc"}}, "belongs to the node"),
        ({"backend": {"type": "nfs", "path": "/exports"}}, "the backend nfs needs `server`"),
        ({"retention": "soon"}, "retention: "),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence_each(modules: Modules, change: dict[str, Any], message: str) -> None:
    refused = modules.refused("lmod_tree", {**tree("a"), **change})
    assert message in refused, refused
    assert refused.count("\n") <= 1, refused
