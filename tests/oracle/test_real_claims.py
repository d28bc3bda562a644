"""The claims of new homes against those that the real KubeSpawner would send."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core import metadata
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner import manifests as claims
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner import naming
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.oracle import strategies
from tests.oracle.real_kubespawner import RealKubeSpawner

Get = Callable[[str], RealKubeSpawner]

LABEL_VALUE = re.compile(r"|[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]{0,61}[A-Za-z0-9]")
# (our scheme, the option of KubeSpawner 7, a template or its default)
SCHEMES = [("safe", "safe", None), ("escape", "escape", None), ("odh", "escape", "jupyterhub-nb-{username}-pvc")]


def without_versions(manifest: dict[str, Any]) -> dict[str, Any]:
    annotations = manifest["metadata"]["annotations"]
    kept = {key: value for key, value in annotations.items() if key not in metadata.VERSION_ANNOTATIONS}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": kept}}


def without_ours(manifest: dict[str, Any]) -> dict[str, Any]:
    labels = manifest["metadata"]["labels"]
    assert labels["odh.persistency/kind"] == "home"
    assert re.fullmatch("[0-9a-f]{32}", labels["odh.persistency/owner"])
    kept = {key: value for key, value in labels.items() if not key.startswith("odh.persistency/")}
    assert len(labels) - len(kept) == 2
    return {**manifest, "metadata": {**manifest["metadata"], "labels": kept}}


def check(real: RealKubeSpawner, scheme: str, user: str, server: str, storage_class: str | None) -> None:
    _, slug_scheme, template = next(entry for entry in SCHEMES if entry[0] == scheme)
    answer = real.ask(
        user,
        server,
        scheme=slug_scheme,
        template=template,
        storage_capacity="3Gi",
        storage_class=storage_class,
        storage_access_modes=["ReadWriteMany"],
    )
    if "error" in answer:
        return
    expected = without_versions(answer["manifest"])
    ours = without_ours(
        claims.claim_manifest(
            claims.NewHome(
                naming.Template.parse(scheme).render(user, server),
                user,
                server,
                size="3Gi",
                storage_class=storage_class,
                access_modes=["ReadWriteMany"],
            )
        )
    )
    label = expected["metadata"]["labels"]["hub.jupyter.org/username"]
    if not LABEL_VALUE.fullmatch(label):
        # KubeSpawner's check ignores case in all of Unicode; the API server refuses what it lets through.
        assert set(label) & set(strategies.CASE_TRAPS)
        assert set(re.sub(r"[A-Za-z0-9._-]", "", label)) <= set(strategies.CASE_TRAPS)
        expected["metadata"]["labels"]["hub.jupyter.org/username"] = ours["metadata"]["labels"][
            "hub.jupyter.org/username"
        ]
    assert ours == expected
    assert LABEL_VALUE.fullmatch(ours["metadata"]["labels"]["hub.jupyter.org/username"])


@pytest.mark.parametrize("scheme", naming.SCHEMES)
@pytest.mark.parametrize("version", ["7.1", "7.0"])
@given(
    user=strategies.users,
    server=strategies.servers,
    storage_class=st.sampled_from((None, "", "fast", "ocs-storagecluster-cephfs")),
)
@example(user="aſb", server="", storage_class=None)
@example(user="x" * 63, server="", storage_class=None)
@example(user="x" * 64, server="", storage_class=None)
@example(user="alice\n", server="", storage_class=None)
def test_any_home(
    kubespawner: Get, version: str, scheme: str, user: str, server: str, storage_class: str | None
) -> None:
    check(kubespawner(version), scheme, user, server, storage_class)


@pytest.mark.parametrize("scheme", naming.SCHEMES)
def test_every_name_of_the_table(kubespawner: Get, scheme: str) -> None:
    for user in strategies.TABLE:
        for server in ("", "lab 1"):
            for storage_class in (None, "", "fast"):
                check(kubespawner("7.1"), scheme, user, server, storage_class)


def test_storage_class_unset_is_the_default_of_the_real_one(kubespawner: Get) -> None:
    """KubeSpawner with defaults: no class, no annotation, ReadWriteOnce."""
    real = without_versions(kubespawner("7.1").ask("alice", storage_capacity="10Gi")["manifest"])
    assert without_ours(claims.claim_manifest(claims.NewHome("claim-alice", "alice", size="10Gi"))) == real
    assert "storageClassName" not in real["spec"]
    assert "volume.beta.kubernetes.io/storage-class" not in real["metadata"]["annotations"]


def test_version_6_labels_would_not_do(kubespawner: Get) -> None:
    """Why labels are 7's under every scheme: 6's are no label values for many a user, and lack the component."""
    labels = kubespawner("6.2").ask("Alice")["manifest"]["metadata"]["labels"]
    assert metadata.label_value_error(labels["hub.jupyter.org/username"]) is not None
    ours = claims.claim_labels("Alice")
    assert metadata.label_value_error(ours["hub.jupyter.org/username"]) is None
    assert set(ours) - set(labels) == {
        *("app.kubernetes.io/component", "app.kubernetes.io/managed-by", "app.kubernetes.io/name"),
        *("odh.persistency/kind", "odh.persistency/owner"),
    }


@given(user=strategies.users)
def test_labels_are_always_taken(user: str) -> None:
    """Whoever the user is, each label is one that the API server takes."""
    assume(not any("\ud800" <= character <= "\udfff" for character in user))
    for key, value in claims.claim_labels(user).items():
        assert metadata.label_error(key, value) is None
