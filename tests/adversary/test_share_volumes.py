"""Data of others under a share's name: volumes of deleted homes, foreign claims, two shares over one place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cluster import Cluster, wait_for
from tests.support.homes import RETIRED, make_home
from tests.support.modules import Modules
from tests.support.shares import nfs, share

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
    assert "a home by its name (its claim was claim-eve" in message
