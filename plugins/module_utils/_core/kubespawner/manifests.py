# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim of a new home as KubeSpawner would create it, with our two labels.

Source: ``get_pvc_manifest``, ``_build_common_labels`` and ``_build_common_annotations`` in ``spawner.py``, ``make_pvc``
in ``objects.py`` and ``safe_slug`` in ``slugs.py`` of KubeSpawner 7.1.0, with its defaults. Not included: the
annotations ``hub.jupyter.org/kubespawner-version`` and ``hub.jupyter.org/jupyterhub-version``, and the values with
which a chart replaces ``common_labels``. Labels are those of version 7 under every naming scheme, because the API
server rejects those of version 6 for many user names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..metadata import (
    KIND_HOME,
    KIND_LABEL,
    OWNER_LABEL,
    PRIMARY_ANNOTATION,
    RETIRED_ANNOTATION,
    SERVERNAME_ANNOTATION,
    STORAGE_CLASS_ANNOTATION,
    USERNAME_ANNOTATION,
    USERNAME_LABEL,
    VERSION_ANNOTATIONS,
)
from . import slugs

# KubeSpawner's `common_labels`, which a chart replaces with its own.
COMMON_LABELS: Mapping[str, str] = {
    "app": "jupyterhub",
    "heritage": "jupyterhub",
    "app.kubernetes.io/managed-by": "kubespawner",
    "app.kubernetes.io/name": "jupyterhub",
}
COMPONENT_LABELS: Mapping[str, str] = {
    # KubeSpawner's own inconsistency, explained in its source: the newer label says "server" on a claim too.
    "app.kubernetes.io/component": "singleuser-server",
    "component": "singleuser-storage",
}

_RESERVED: Mapping[str, frozenset[str]] = {
    "label": frozenset({USERNAME_LABEL, KIND_LABEL, OWNER_LABEL, *COMPONENT_LABELS}),
    "annotation": frozenset(
        {
            USERNAME_ANNOTATION,
            SERVERNAME_ANNOTATION,
            PRIMARY_ANNOTATION,
            RETIRED_ANNOTATION,
            STORAGE_CLASS_ANNOTATION,
            *VERSION_ANNOTATIONS,
        }
    ),
}

_OWNER_DIGITS = 32


def owner_hash(user: str) -> str:
    """Return the value of ``odh.persistency/owner``: the first 32 hex digits of the SHA-256 of the name in UTF-8.

    Raises ``UnicodeEncodeError`` for a name that UTF-8 cannot encode.
    """
    return hashlib.sha256(user.encode("utf-8")).hexdigest()[:_OWNER_DIGITS]


def claim_labels(user: str, server: str = "", extra: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """Return the labels of a new home.

    ``server`` has no effect: KubeSpawner labels claims with the user only. ``extra`` may replace KubeSpawner's common
    labels, as a chart does, but not the labels for the owner and the kind.
    """
    return {
        **COMMON_LABELS,
        **(extra or {}),
        USERNAME_LABEL: slugs.label_value(user),
        **COMPONENT_LABELS,
        KIND_LABEL: KIND_HOME,
        OWNER_LABEL: owner_hash(user),
    }


def claim_annotations(
    user: str, server: str = "", storage_class: Optional[str] = None, extra: Optional[Mapping[str, str]] = None
) -> dict[str, str]:
    """Return the annotations of a new home: the owner's names, and the storage class under its deprecated key too.

    ``storage_class`` is None for the cluster's default class and ``""`` for no class. ``extra`` replaces none of them.
    """
    annotations = {**(extra or {}), USERNAME_ANNOTATION: user}
    if server:
        annotations[SERVERNAME_ANNOTATION] = server
    if storage_class is not None:
        annotations[STORAGE_CLASS_ANNOTATION] = storage_class
    return annotations


@dataclass(frozen=True)
class NewHome:
    """The claim of a new home.

    `size` is a Kubernetes quantity, passed on as written. `storage_class` is None for the cluster's default class and ""
    for no class. `labels` and `annotations` are those of the inventory. `namespace` is set in the manifest when given.
    """

    name: str
    user: str
    server: str = ""
    size: str = ""
    storage_class: Optional[str] = None
    access_modes: Sequence[str] = ("ReadWriteOnce",)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    namespace: Optional[str] = None


def claim_manifest(home: NewHome) -> dict[str, Any]:
    """Return the PersistentVolumeClaim of a new home as a JSON object."""
    metadata: dict[str, Any] = {
        "name": home.name,
        "labels": claim_labels(home.user, home.server, home.labels),
        "annotations": claim_annotations(home.user, home.server, home.storage_class, home.annotations),
    }
    if home.namespace is not None:
        metadata["namespace"] = home.namespace
    spec: dict[str, Any] = {
        "accessModes": list(home.access_modes),
        "resources": {"requests": {"storage": home.size}},
    }
    if home.storage_class is not None:
        spec["storageClassName"] = home.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def reserved_keys(what: str) -> frozenset[str]:
    """Return the keys of the labels or annotations (``what``: "label", "annotation") of a home that the inventory cannot set."""
    return _RESERVED[what]
