# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim of a new home as KubeSpawner would send it, with our two labels; and what may be written on objects at all.

Source: ``get_pvc_manifest``, ``_build_common_labels`` and ``_build_common_annotations`` in ``spawner.py``, ``make_pvc``
in ``objects.py`` and ``safe_slug`` in ``slugs.py`` of KubeSpawner 7.1.0, with its defaults. Left out on purpose: the
annotations ``hub.jupyter.org/kubespawner-version`` and ``hub.jupyter.org/jupyterhub-version``, and whatever a chart
puts in place of ``common_labels``. Labels are version 7's under every scheme of names, for those of version 6 are
refused by the API server for many a user.
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

# KubeSpawner's `common_labels`, which a chart replaces by its own.
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
    """The value of ``odh.persistency/owner``: the first 32 hex digits of the SHA-256 of the name in UTF-8.

    Raises ``UnicodeEncodeError`` for a name that UTF-8 cannot encode.
    """
    return hashlib.sha256(user.encode("utf-8")).hexdigest()[:_OWNER_DIGITS]


def claim_labels(user: str, server: str = "", extra: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """The labels of a new home.

    ``server`` makes no difference: KubeSpawner labels claims with the user alone. ``extra`` comes on top, and in place
    of KubeSpawner's common labels (a chart's values, say), but not of what says whose home this is and that it is one.
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
    """The annotations of a new home: the owner's names as they are, and the storage class in its old place too.

    ``storage_class`` is None for the cluster's default, ``""`` for none at all. ``extra`` comes on top and replaces
    nothing.
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
    """The keys of a home's labels (``what`` is "label") or annotations ("annotation") that nobody else may set."""
    return _RESERVED[what]
