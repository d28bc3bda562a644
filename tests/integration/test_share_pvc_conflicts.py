"""A share whose data belongs to another share or to a home is rejected, also when that one is outside the run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cluster import Cluster, wait_for
from tests.support.modules import Modules

pytestmark = pytest.mark.usefixtures("share_volumes")


def share(name: str, backend: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "level": "private", "size": "1Gi", "backend": backend, **more}


def nfs(path: str, namespace: str) -> dict[str, Any]:
    """A folder that no other test uses."""
    return {"type": "nfs", "server": "nas.example.org", "path": f"/{namespace}/{path}"}


def mounted(path: str, namespace: str) -> dict[str, Any]:
    return {"nfs": {"server": "NAS.example.org.", "path": f"/{namespace}/{path}"}}


def run(modules: Modules, namespace: str, *shares: dict[str, Any], kubeconfig: Any = None, **more: Any) -> Any:
    return modules.run("share_pvc", {"namespaces": [namespace], "shares": list(shares), **more}, kubeconfig=kubeconfig)


@pytest.mark.parametrize(("path", "word"), [("priv", "is that of"), ("priv/sub", "lies inside"), ("", "contains")])
def test_a_share_that_this_run_does_not_list(modules: Modules, namespace: str, path: str, word: str) -> None:
    assert not run(modules, namespace, share("priv", nfs("priv", namespace))).failed
    other = share("pub", {"type": "nfs", "server": "nas.example.org", "path": f"/{namespace}/{path}".rstrip("/")})
    result = run(modules, namespace, other)
    assert result.failed
    assert word in result.msg
    assert "the share priv" in result.msg
    assert "retire priv first" in result.msg


def test_a_manually_created_claim_over_the_data_of_another_share(
    cluster: Cluster, modules: Modules, namespace: str
) -> None:
    priv = share("priv", nfs("priv", namespace))
    assert not run(modules, namespace, priv).failed
    cluster.make_claim(namespace, "handpub", accessModes=["ReadWriteMany"])
    cluster.bind(namespace, "handpub", source=mounted("priv", namespace))
    found = share("pub", {"type": "existing_claim", "claim": "handpub"}, level="public")
    result = run(modules, namespace, priv, found)
    assert result.failed
    assert "is that of the share priv" in result.msg
    # The same under the name of a share that a class would make, which takes consent first.
    dynamic = share("handpub", {"type": "storage_class"})
    assert "nothing marks it as this share's" in run(modules, namespace, priv, dynamic).msg
    result = run(modules, namespace, priv, {**dynamic, "adopt": True})
    assert result.failed
    assert "is that of the share priv" in result.msg
    claim = cluster.claims(namespace)["handpub"]
    assert "odh.persistency/kind" not in (claim["metadata"].get("labels") or {})


def test_a_class_volume_of_another_listed_share(cluster: Cluster, modules: Modules, namespace: str) -> None:
    dynamic = share("dyn", {"type": "storage_class"})
    assert not run(modules, namespace, dynamic).failed
    cluster.bind(namespace, "dyn", source=mounted("dyn/1", namespace))
    result = run(modules, namespace, dynamic, share("pub", nfs("dyn/1", namespace), level="public"))
    assert result.failed
    assert "the share dyn" in result.msg


def test_the_folder_of_homes(cluster: Cluster, modules: Modules, namespace: str) -> None:
    modules.ok("user_pvc", {"namespace": namespace, "size": "1Gi", "users": ["ann"]})
    cluster.bind(namespace, "claim-ann", source=mounted("homes/ann", namespace))
    cluster.make_claim(namespace, "other", accessModes=["ReadWriteMany"])
    cluster.bind(namespace, "other", source=mounted("homes", namespace))
    for shares in ([share("all", nfs("homes", namespace))], [share("ann", nfs("homes/ann", namespace))]):
        result = run(modules, namespace, *shares)
        assert result.failed
        assert f"claim-ann in {namespace}, which is the home of ann" in result.msg
    modules.ok("user_pvc", {"namespace": namespace, "users": ["ann"], "state": "retired"})
    assert "the home of ann" in run(modules, namespace, share("all", nfs("homes", namespace))).msg


def test_the_homes_of_another_hub(
    cluster: Cluster, modules: Modules, namespace: str, other: str, restricted_user: Any
) -> None:
    modules.ok("user_pvc", {"namespace": other, "size": "1Gi", "users": ["ann"]})
    cluster.bind(other, "claim-ann", source=mounted("homes/ann", namespace))
    cluster.make_claim(other, "data", accessModes=["ReadWriteMany"])
    cluster.bind(other, "data", source=mounted("homes/data", namespace))
    result = run(modules, namespace, share("all", nfs("homes", namespace)))
    assert result.failed
    assert f"claim-ann in {other}, which is the home of ann" in result.msg
    # Who may not look there is told what it takes, and nothing is guessed.
    claims = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list", "get", "create", "patch"]}
    anywhere = [
        {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["list", "get", "create", "patch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]
    login = restricted_user([claims], cluster_rules=anywhere)
    result = run(modules, namespace, share("ann", nfs("homes/ann", namespace)), kubeconfig=login)
    assert result.failed
    assert f"a Role in namespace {other} with the rule" in result.msg
    assert 'resources: ["persistentvolumeclaims"], verbs: ["get"]' in result.msg
    # Nothing overlaps: nothing needs to be read.
    result = run(modules, namespace, share("fine", nfs("fine", namespace)), kubeconfig=login)
    assert not result.failed, result.msg


def test_a_class_volume_of_a_share_in_another_namespace(
    cluster: Cluster, modules: Modules, namespace: str, other: str
) -> None:
    dynamic = share("dyn", {"type": "storage_class"})
    assert not run(modules, namespace, dynamic).failed
    cluster.bind(namespace, "dyn", source=mounted("dyn/1", namespace))
    result = run(modules, other, share("pub", nfs("dyn/1", namespace), level="public"))
    assert result.failed
    assert f"the share dyn in {namespace}" in result.msg


def test_a_handle_that_another_share_has(modules: Modules, namespace: str, other: str) -> None:
    named = {"type": "csi", "driver": "efs.example.org", "volume_handle": f"fs-{namespace}"}
    assert not run(modules, namespace, share("priv", named)).failed
    result = run(modules, other, share("pub", {**named, "driver": "EFS.example.org"}, level="public"))
    assert result.failed
    assert "is that of the share priv" in result.msg
    # The same share, in another namespace: with the driver's leave.
    both = {"namespaces": [namespace, other], "shares": [share("priv", {**named, "clone": True})]}
    assert modules.ok("share_pvc", both).summary == {"create": 1, "keep": 1}


def test_one_name_with_two_locations(modules: Modules, namespace: str, other: str) -> None:
    assert not run(modules, namespace, share("data", nfs("top/data", namespace))).failed
    result = run(modules, other, share("data", nfs("top", namespace), level="public"))
    assert result.failed
    assert "contains that of the share of the same name" in result.msg
    assert "a share has one location" in result.msg


def test_a_share_replaces_a_retired_one(modules: Modules, namespace: str) -> None:
    assert not run(modules, namespace, share("old", nfs("data", namespace))).failed
    new = share("new", nfs("data", namespace))
    assert "retire old first" in run(modules, namespace, new).msg
    assert not run(modules, namespace, share("old", nfs("data", namespace), state="retired")).failed
    assert not run(modules, namespace, new).failed


@pytest.mark.parametrize("claim", ["there", "removed by hand"])
def test_a_retired_share_cannot_return_over_its_replacement(
    cluster: Cluster, modules: Modules, namespace: str, claim: str
) -> None:
    old = share("old", nfs("data", namespace), level="public")
    assert not run(modules, namespace, old, wait=True).failed
    assert not run(modules, namespace, {"name": "old"}, state="retired").failed
    assert not run(modules, namespace, share("new", nfs("data", namespace), level="secret")).failed
    if claim == "removed by hand":
        cluster.delete("persistentvolumeclaims", "old", namespace)
        wait_for(lambda: "old" not in cluster.claims(namespace), "the claim gone")
    result = run(modules, namespace, old)
    assert result.failed
    assert "is that of the share new" in result.msg
    assert not run(modules, namespace, {"name": "new"}, state="retired").failed
    assert "set `declassify: [old]`" in run(modules, namespace, old).msg
    assert not run(modules, namespace, old, declassify=["old"]).failed


def test_a_share_retired_in_one_namespace_is_in_force_in_the_other(
    modules: Modules, namespace: str, other: str
) -> None:
    data = nfs("data", namespace)
    modules.ok("share_pvc", {"namespaces": [namespace, other], "shares": [share("old", data, level="secret")]})
    both = ({"name": "old", "state": "retired"}, share("new", data, level="public"))
    result = run(modules, namespace, *both)
    assert result.failed
    assert f"is that of the share old in {other}" in result.msg
    modules.ok("share_pvc", {"namespaces": [namespace, other], "shares": list(both), "declassify": ["new"]})


def test_one_share_in_two_namespaces_is_one_share(cluster: Cluster, modules: Modules, namespace: str) -> None:
    second = cluster.make_namespace()
    data = share("data", nfs("data", namespace))
    assert not run(modules, namespace, data).failed
    result = modules.ok("share_pvc", {"namespaces": [namespace, second], "shares": [data]})
    assert result.summary == {"create": 1, "keep": 1}


def test_a_retired_share_that_is_not_found_is_a_warning(cluster: Cluster, modules: Modules, namespace: str) -> None:
    second = cluster.make_namespace()
    data = share("data", nfs("data", namespace))
    modules.ok("share_pvc", {"namespaces": [namespace, second], "shares": [data]})
    warnings = run(modules, namespace, {"name": "dta"}, state="retired").warnings
    assert any("has nothing of this share" in text and "did you mean `data`?" in text for text in warnings)
    result = run(modules, namespace, {"name": "data"}, state="retired")
    assert result.summary == {"retire": 1, "keep": 0}
    assert any(f"the share is also in {second}" in text for text in result.warnings)
    everywhere = {"namespaces": [namespace, second], "shares": [{"name": "data"}], "state": "retired"}
    assert modules.ok("share_pvc", everywhere).warnings == []
    assert modules.ok("share_pvc", everywhere).summary == {"keep": 2}
