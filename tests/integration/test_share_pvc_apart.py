"""No share is made of data that another share, or a home, has already; told by what lives on the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.modules import Modules

pytestmark = pytest.mark.usefixtures("share_volumes")


def share(name: str, backend: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "level": "private", "size": "1Gi", "backend": backend, **more}


def nfs(path: str, namespace: str) -> dict[str, Any]:
    """A folder that no other test uses."""
    return {"type": "nfs", "server": "nas.example.org", "path": f"/{namespace}/{path}"}


def mounted(path: str, namespace: str) -> dict[str, Any]:
    return {"nfs": {"server": "NAS.example.org.", "path": f"/{namespace}/{path}"}}


def run(modules: Modules, namespace: str, *shares: dict[str, Any], **more: Any) -> Any:
    return modules.run("share_pvc", {"namespaces": [namespace], "shares": list(shares), **more})


@pytest.mark.parametrize(("path", "word"), [("priv", "is that of"), ("priv/sub", "lies inside"), ("", "is around")])
def test_a_share_that_this_run_does_not_list(modules: Modules, namespace: str, path: str, word: str) -> None:
    assert not run(modules, namespace, share("priv", nfs("priv", namespace))).failed
    other = share("pub", {"type": "nfs", "server": "nas.example.org", "path": f"/{namespace}/{path}".rstrip("/")})
    result = run(modules, namespace, other)
    assert result.failed
    assert word in result.msg
    assert "the share priv" in result.msg
    assert "retire priv first" in result.msg


def test_a_claim_made_by_hand_over_the_data_of_another_share(
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
    # The same under the name of a share that a class would make.
    result = run(modules, namespace, priv, share("handpub", {"type": "storage_class"}))
    assert result.failed
    assert "is that of the share priv" in result.msg
    claim = cluster.claims(namespace)["handpub"]
    assert "odh.persistency/kind" not in (claim["metadata"].get("labels") or {})


def test_what_a_class_made_for_another_share_of_the_list(cluster: Cluster, modules: Modules, namespace: str) -> None:
    dynamic = share("dyn", {"type": "storage_class"})
    assert not run(modules, namespace, dynamic).failed
    cluster.bind(namespace, "dyn", source=mounted("dyn/1", namespace))
    result = run(modules, namespace, dynamic, share("pub", nfs("dyn/1", namespace), level="public"))
    assert result.failed
    assert "the share dyn" in result.msg


def test_the_folder_that_homes_are_in(cluster: Cluster, modules: Modules, namespace: str) -> None:
    modules.ok("user_pvc", {"namespace": namespace, "size": "1Gi", "users": ["ann"]})
    cluster.bind(namespace, "claim-ann", source=mounted("homes/ann", namespace))
    cluster.make_claim(namespace, "other", accessModes=["ReadWriteMany"])
    cluster.bind(namespace, "other", source=mounted("homes", namespace))
    # Known where the run reads the home's claim at all: here it is named beside.
    result = run(
        modules,
        namespace,
        share("all", nfs("homes", namespace)),
        share("ann", {"type": "existing_claim", "claim": "claim-ann"}),
    )
    assert result.failed
    assert "the home of ann" in result.msg


def test_who_takes_the_place_of_a_retired_share(modules: Modules, namespace: str) -> None:
    assert not run(modules, namespace, share("old", nfs("data", namespace))).failed
    new = share("new", nfs("data", namespace))
    assert "retire old first" in run(modules, namespace, new).msg
    assert not run(modules, namespace, share("old", nfs("data", namespace), state="retired")).failed
    assert not run(modules, namespace, new).failed


def test_one_share_in_two_namespaces_is_one_share(cluster: Cluster, modules: Modules, namespace: str) -> None:
    second = cluster.make_namespace()
    data = share("data", nfs("data", namespace))
    assert not run(modules, namespace, data).failed
    result = modules.ok("share_pvc", {"namespaces": [namespace, second], "shares": [data]})
    assert result.summary == {"create": 1, "keep": 1}


def test_what_is_to_leave_and_is_not_there_is_told(cluster: Cluster, modules: Modules, namespace: str) -> None:
    second = cluster.make_namespace()
    data = share("data", nfs("data", namespace))
    modules.ok("share_pvc", {"namespaces": [namespace, second], "shares": [data]})
    warnings = run(modules, namespace, {"name": "dta"}, state="retired").warnings
    assert any("nothing of such a share" in text and "did you mean `data`?" in text for text in warnings)
    result = run(modules, namespace, {"name": "data"}, state="retired")
    assert result.summary == {"retire": 1, "keep": 0}
    assert any(f"the share is in {second} too" in text for text in result.warnings)
    everywhere = {"namespaces": [namespace, second], "shares": [{"name": "data"}], "state": "retired"}
    assert modules.ok("share_pvc", everywhere).warnings == []
    assert modules.ok("share_pvc", everywhere).summary == {"keep": 2}
