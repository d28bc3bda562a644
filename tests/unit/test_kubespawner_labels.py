"""Labels and annotations of new homes, and which ones are valid. tests/oracle compares them with the real KubeSpawner."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core import metadata
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner import manifests as claims

KUBESPAWNERS = {
    "app": "jupyterhub",
    "heritage": "jupyterhub",
    "app.kubernetes.io/name": "jupyterhub",
    "app.kubernetes.io/managed-by": "kubespawner",
    "app.kubernetes.io/component": "singleuser-server",
    "component": "singleuser-storage",
}


@pytest.mark.parametrize(
    ("user", "label"),
    [
        ("alice", "alice"),
        ("Alice.Smith_1", "Alice.Smith_1"),
        ("x" * 63, "x" * 63),
        ("x" * 64, "xxxxxxxxxxxxxxxxxxxxx---7ce10097"),
        ("al--ice", "al-ice---5256b85f"),
        ("alice@example.com", "alice-example-com---ff8d9819"),
        ("-alice", "alice---69940822"),
        ("1 alice", "x-1-alice---" + hashlib.sha256(b"1 alice").hexdigest()[:8]),
        ("王小明", "x---acf979cc"),
        # KubeSpawner leaves this as it is, and the API server refuses it.
        ("aſb", "a-b---" + hashlib.sha256("aſb".encode()).hexdigest()[:8]),
    ],
)
def test_labels(user: str, label: str) -> None:
    owner = hashlib.sha256(user.encode()).hexdigest()[:32]
    expected = {
        **KUBESPAWNERS,
        "hub.jupyter.org/username": label,
        "odh.persistency/kind": "home",
        "odh.persistency/owner": owner,
    }
    assert claims.claim_labels(user) == expected
    # A named server's home is its owner's.
    assert claims.claim_labels(user, "lab") == expected
    assert claims.owner_hash(user) == owner
    for key, value in expected.items():
        assert metadata.label_error(key, value) is None


def test_labels_of_ones_own() -> None:
    labels = claims.claim_labels(
        "alice",
        extra={
            "app": "hub",
            "team": "x",
            "component": "y",
            "odh.persistency/owner": "z",
            "hub.jupyter.org/username": "bob",
        },
    )
    assert labels["team"] == "x"
    assert labels["app"] == "hub"
    assert labels["component"] == "singleuser-storage"
    assert labels["hub.jupyter.org/username"] == "alice"
    assert labels["odh.persistency/owner"] == claims.owner_hash("alice")
    assert claims.COMMON_LABELS["app"] == "jupyterhub"


@pytest.mark.parametrize(
    ("server", "storage_class", "expected"),
    [
        ("", None, {}),
        ("lab 1", None, {"hub.jupyter.org/servername": "lab 1"}),
        ("", "", {"volume.beta.kubernetes.io/storage-class": ""}),
        (
            "lab",
            "fast",
            {"hub.jupyter.org/servername": "lab", "volume.beta.kubernetes.io/storage-class": "fast"},
        ),
    ],
)
def test_annotations(server: str, storage_class: str | None, expected: dict[str, str]) -> None:
    annotations = {"hub.jupyter.org/username": "CORP\\Ålice", **expected}
    assert claims.claim_annotations("CORP\\Ålice", server, storage_class) == annotations
    extra = {"note": "x", "hub.jupyter.org/username": "bob"}
    assert claims.claim_annotations("CORP\\Ålice", server, storage_class, extra) == {**annotations, "note": "x"}


def test_manifest() -> None:
    manifest = claims.claim_manifest(
        claims.NewHome("claim-alice", "alice", "lab", size="1.5Gi", storage_class="", namespace="homes")
    )
    assert manifest == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "claim-alice",
            "namespace": "homes",
            "labels": claims.claim_labels("alice"),
            "annotations": claims.claim_annotations("alice", "lab", ""),
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1.5Gi"}},
            "storageClassName": "",
        },
    }
    other = claims.claim_manifest(
        claims.NewHome("c", "a", size="1Gi", access_modes=("ReadWriteMany",), labels={"l": "1"}, annotations={"n": "2"})
    )
    assert other["spec"] == {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    assert other["metadata"]["labels"]["l"] == "1"
    assert other["metadata"]["annotations"]["n"] == "2"
    assert "namespace" not in other["metadata"]


def test_reserved_keys_cannot_be_set() -> None:
    """Each label and annotation that says whose home it is, or that it is one, is reserved."""
    assert set(claims.claim_labels("alice")) - set(claims.COMMON_LABELS) == claims.reserved_keys("label")
    assert set(claims.claim_annotations("alice", "lab", "fast")) < claims.reserved_keys("annotation")
    assert {"odh.persistency/primary", "odh.persistency/retired-at"} < claims.reserved_keys("annotation")


@pytest.mark.parametrize("key", ["a", "A_b.c-1", "x" * 63, "example.com/a", "x" * 253 + "/a", "app.kubernetes.io/name"])
def test_keys(key: str) -> None:
    assert metadata.label_error(key, "") is None
    assert metadata.annotation_error(key, "anything: {é}\n") is None


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("", "is not a valid key"),
        ("-a", "is not a valid key"),
        ("a-", "is not a valid key"),
        ("a b", "is not a valid key"),
        ("a\n", "is not a valid key"),
        ("é", "is not a valid key"),
        ("x" * 64, "63"),
        ("/a", "empty prefix"),
        ("a/", "is not a valid key"),
        ("a/b/c", "more than one '/'"),
        ("a_b/c", "prefix"),
        ("x" * 254 + "/a", "253"),
        (7, "is not a string"),
    ],
)
def test_rejected_keys(key: object, word: str) -> None:
    for fault in (metadata.label_error(key, "v"), metadata.annotation_error(key, "v")):
        assert fault is not None
        assert fault.startswith(repr(key))
        assert word in fault


def test_upper_case_in_a_prefix() -> None:
    """The API server takes it for annotations and not for labels."""
    assert metadata.annotation_error("Example.COM/a", "v") is None
    assert metadata.label_error("Example.COM/a", "v") is not None


@pytest.mark.parametrize("value", ["", "a", "A.b_c-1", "x" * 63])
def test_label_values(value: str) -> None:
    assert metadata.label_error("key", value) is None


@pytest.mark.parametrize("value", ["-a", "a-", "a b", "a/b", "a\n", "é", "x" * 64, 7, None, True])
def test_rejected_label_values(value: object) -> None:
    fault = metadata.label_error("key", value)
    assert fault is not None
    assert fault.startswith(f"key: {value!r}")


def test_rejected_annotation_values() -> None:
    assert "is not a string" in (metadata.annotation_error("key", 7) or "")
    assert metadata.annotation_error("key", "x" * 256 * 1024) is None
    assert "256 KiB" in (metadata.annotation_error("key", "é" * 256 * 1024) or "")
