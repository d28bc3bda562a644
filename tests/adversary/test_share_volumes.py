"""Data of others under a share's name: volumes of deleted homes, foreign claims, two shares over one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.faults import Rule, call
from testbed.proxy import FaultProxy
from tests.support.cluster import Cluster, wait_for
from tests.support.homes import RETIRED, make_home
from tests.support.modules import Modules
from tests.support.shares import make_claim, nfs, share

pytestmark = pytest.mark.usefixtures("share_volumes")

LONG_AGO = "2020-01-01T00:00:00Z"


def deleted_home(cluster: Cluster, modules: Modules, namespace: str, user: str, path: str) -> dict[str, Any]:
    """The volume of a home that `user_pvc` deleted."""
    name = f"home.{user}"
    make_home(cluster, namespace, name, user, annotations={RETIRED: LONG_AGO})
    volume = cluster.bind(
        namespace, name, reclaim="Delete", source={"nfs": {"server": "nas.example.org", "path": path}}
    )
    options = {"namespace": namespace, "users": [user], "state": "absent", "assume_unused": True}
    assert modules.ok("user_pvc", options).actions() == {name: "delete"}
    wait_for(lambda: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", "the volume Released")
    return cluster.get("persistentvolumes", volume)


def test_the_volume_of_a_deleted_home_is_no_share(cluster: Cluster, modules: Modules, namespace: str) -> None:
    volume = deleted_home(cluster, modules, namespace, "bob", f"/{namespace}/homes/bob")
    assert volume["metadata"]["labels"]["odh.persistency/kind"] == "home"
    assert volume["metadata"]["annotations"]["hub.jupyter.org/username"] == "bob"
    for path in ("homes/bob", "homes"):
        message = modules.refused(
            "share_pvc", {"namespaces": [namespace], "shares": [share("data", nfs(f"/{namespace}/{path}"))]}
        )
        assert "the home of bob, whose claim was deleted" in message


def test_a_released_volume_with_the_name_of_a_home_is_no_share(
    cluster: Cluster, modules: Modules, namespace: str
) -> None:
    cluster.make_claim(namespace, "claim-eve", accessModes=["ReadWriteMany"])
    source = {"nfs": {"server": "nas.example.org", "path": f"/{namespace}/eve"}}
    volume = cluster.bind(namespace, "claim-eve", reclaim="Retain", source=source)
    cluster.delete("persistentvolumeclaims", "claim-eve", namespace)
    wait_for(lambda: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", "the volume Released")
    message = modules.refused(
        "share_pvc", {"namespaces": [namespace], "shares": [share("data", nfs(f"/{namespace}/eve"))]}
    )
    assert "a home by its name (reserved for claim claim-eve" in message


def test_a_released_volume_of_an_unknown_claim_is_named(cluster: Cluster, modules: Modules, namespace: str) -> None:
    """A home may have any name, and its volume no marks."""
    cluster.make_claim(namespace, "stuff")
    source = {"nfs": {"server": "nas.example.org", "path": f"/{namespace}/stuff"}}
    volume = cluster.bind(namespace, "stuff", reclaim="Retain", source=source)
    cluster.delete("persistentvolumeclaims", "stuff", namespace)
    wait_for(lambda: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", "the volume Released")
    # Under a name of its own: other namespaces may have a share `data`.
    options = {"namespaces": [namespace], "shares": [share(f"of-{namespace}", nfs(f"/{namespace}/stuff"))]}
    for check in (True, False):
        (warning,) = modules.ok("share_pvc", options, check=check).warnings
        assert (
            f"volume {volume}, which the deleted claim stuff in {namespace} left behind: check that it was no"
            in warning
        )
    assert not modules.ok("share_pvc", options).warnings


@pytest.fixture
def through(cluster: Cluster, modules: Modules) -> Any:
    """Run share_pvc through a proxy that calls a function before the first request of this method and path."""

    def run(options: dict[str, Any], meddle: Any, method: str, path: str) -> Any:
        with FaultProxy(
            cluster.kubeconfig, [Rule(call(lambda request: meddle()), method=method, path=path, nth=1)]
        ) as proxy:
            return modules.run("share_pvc", options, kubeconfig=Path(proxy.kubeconfig))

    return run


def test_a_claim_that_others_created_meanwhile_is_not_bound_silently(
    cluster: Cluster, modules: Modules, namespace: str, through: Any
) -> None:
    options = {"namespaces": [namespace], "shares": [share("data", nfs(f"/{namespace}/data"))]}

    def create_claim() -> None:
        make_claim(cluster, namespace, "data", storageClassName="", volumeName=f"share.{namespace}.data")

    result = through(options, create_claim, "POST", r"/persistentvolumeclaims$")
    assert result.failed
    assert "somebody else created claim data while this run created the share" in result.msg
    assert "odh.persistency/kind" not in (cluster.claims(namespace)["data"]["metadata"].get("labels") or {})


def test_two_runs_at_once_report_one_place_and_later_runs_too(
    cluster: Cluster, modules: Modules, namespace: str, other: str, through: Any
) -> None:
    path = f"/{namespace}/data"
    first = {"namespaces": [namespace], "shares": [share("one", nfs(path), level="private")]}
    second = {"namespaces": [other], "shares": [share("two", nfs(path + "/sub"))]}
    words = f"that of the share one in {namespace} (volume share.{namespace}.one)"
    result = through(second, lambda: modules.ok("share_pvc", first), "POST", r"/persistentvolumes$")
    assert not result.failed
    assert any("lies inside" in text and words in text for text in result.warnings), result.warnings
    for options, name in ((second, "one"), (first, "two")):
        again = modules.ok("share_pvc", options)
        assert not again.changed
        assert len(again.output["unreconcilable"]) == 1
        assert f"the share {name} in" in again.warnings[0]
        assert "users of one can reach the other: retire one of the two" in again.warnings[0]


def test_a_home_that_is_created_inside_a_share_later_is_reported(
    cluster: Cluster, modules: Modules, namespace: str, audit: Any
) -> None:
    options = {"namespaces": [namespace], "shares": [share("data", nfs(f"/{namespace}/all"))]}
    modules.ok("share_pvc", options | {"wait": True})
    modules.ok("user_pvc", {"namespace": namespace, "size": "1Gi", "users": ["bob"]})
    source = {"nfs": {"server": "NAS.example.org.", "path": f"/{namespace}/all/bob"}}
    volume = cluster.bind(namespace, "claim-bob", source=source)
    again = modules.ok("share_pvc", options)
    assert not again.changed
    assert (
        f"contains that of claim claim-bob in {namespace}, which is the home of bob (volume {volume})"
        in again.warnings[0]
    )
    assert "retire the share, or move the home's data" in again.warnings[0]
    modules.ok("share_pvc", options | {"state": "retired"})


def test_a_dynamic_share_that_is_bound_later_to_a_folder_of_another(
    cluster: Cluster, modules: Modules, namespace: str
) -> None:
    shares = [share("data", nfs(f"/{namespace}/all")), share("new", {"type": "storage_class"})]
    options = {"namespaces": [namespace], "shares": shares}
    modules.ok("share_pvc", options)
    cluster.bind(namespace, "new", source={"nfs": {"server": "nas.example.org", "path": f"/{namespace}/all/new"}})
    again = modules.ok("share_pvc", options)
    assert not again.changed
    assert any("that of the share" in text for text in again.warnings), again.warnings


LEVEL = "odh.persistency/level"


def level_of(cluster: Cluster, namespace: str, name: str) -> list[str]:
    """The marks of a share's claim and volume."""
    claim = cluster.claims(namespace)[name]
    volume = cluster.get("persistentvolumes", f"share.{namespace}.{name}")
    return [item["metadata"]["annotations"].get(LEVEL, "none") for item in (claim, volume)]


def test_a_level_is_lowered_with_consent_only(cluster: Cluster, modules: Modules, namespace: str, other: str) -> None:
    def run(name: str = "data", level: str = "private", check: bool = False, **more: Any) -> Any:
        entry = share(name, nfs(f"/{namespace}/data"), level=level)
        return modules.run("share_pvc", {"namespaces": [namespace, other], "shares": [entry], **more}, check=check)

    assert not run().failed
    assert level_of(cluster, namespace, "data") == level_of(cluster, other, "data") == ["private", "private"]
    # In the same list, or off the list and back: the run knows only what the cluster has.
    for check in (True, False):
        result = run(level="public", check=check)
        assert result.failed
        assert f"its data is private (volume share.{namespace}.data), and the entry says public" in result.msg
        assert "set `declassify: [data]` to lower the level" in result.msg
    # Raised without consent, but not back.
    assert run(level="secret").actions() == {"data": "update"}
    assert not run(level="secret").changed
    assert run().failed
    # Retired, and back under its own name or another one over the same folder.
    assert not run(level="secret", state="retired").failed
    assert "its data is secret" in run(level="public").msg
    renamed = run("more", level="public")
    assert "its data is secret (volume share." in renamed.msg
    assert "set `declassify: [more]`" in renamed.msg
    assert not run(level="public", declassify=["data"]).failed
    assert level_of(cluster, namespace, "data") == ["public", "public"]
    # Somebody without the right to edit volumes changes the mark of the claim: it is restored, and blocks nothing.
    patch = {"metadata": {"annotations": {LEVEL: "secret"}}}
    cluster.patch("persistentvolumeclaims", "data", patch, namespace)
    assert run(level="public").actions() == {"data": "update"}
    assert level_of(cluster, namespace, "data") == ["public", "public"]


def test_an_object_without_a_level_gets_it_once(cluster: Cluster, modules: Modules, namespace: str, audit: Any) -> None:
    options = {"namespaces": [namespace], "shares": [share("data", nfs(f"/{namespace}/data"), level="private")]}
    modules.ok("share_pvc", options | {"wait": True})
    remove = {"metadata": {"annotations": {LEVEL: None}}}
    cluster.patch("persistentvolumeclaims", "data", remove, namespace)
    cluster.patch("persistentvolumes", f"share.{namespace}.data", remove)
    assert modules.ok("share_pvc", options).actions() == {"data": "update"}
    assert level_of(cluster, namespace, "data") == ["private", "private"]
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes
