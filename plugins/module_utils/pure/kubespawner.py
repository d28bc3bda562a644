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
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from . import slugs
from .naming import claim_name_fault

OUR_PREFIX = "odh.persistency/"
KIND_LABEL = OUR_PREFIX + "kind"
OWNER_LABEL = OUR_PREFIX + "owner"
PRIMARY_ANNOTATION = OUR_PREFIX + "primary"
RETIRED_ANNOTATION = OUR_PREFIX + "retired-at"
KIND_HOME = "home"

USERNAME_LABEL = "hub.jupyter.org/username"
USERNAME_ANNOTATION = "hub.jupyter.org/username"
SERVERNAME_ANNOTATION = "hub.jupyter.org/servername"
# Written by KubeSpawner 7 and never by us, nor compared.
VERSION_ANNOTATIONS = ("hub.jupyter.org/kubespawner-version", "hub.jupyter.org/jupyterhub-version")
STORAGE_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

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
_KEY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_NAME_LENGTH = 63
_ANNOTATIONS_BYTES = 256 * 1024


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


def claim_manifest(
    name: str,
    user: str,
    server: str = "",
    *,
    size: str,
    storage_class: Optional[str] = None,
    access_modes: Sequence[str] = ("ReadWriteOnce",),
    labels: Optional[Mapping[str, str]] = None,
    annotations: Optional[Mapping[str, str]] = None,
    namespace: Optional[str] = None,
) -> dict[str, Any]:
    """The PersistentVolumeClaim of a new home as a JSON object, ready for a POST.

    ``size`` is a Kubernetes quantity, passed on as it is written. ``storage_class`` as in :func:`claim_annotations`;
    ``labels`` and ``annotations`` are ``extra`` there. ``namespace`` is named in the object only when it is given.
    """
    metadata: dict[str, Any] = {
        "name": name,
        "labels": claim_labels(user, server, labels),
        "annotations": claim_annotations(user, server, storage_class, annotations),
    }
    if namespace is not None:
        metadata["namespace"] = namespace
    spec: dict[str, Any] = {"accessModes": list(access_modes), "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def reserved_keys(what: str) -> frozenset[str]:
    """The keys of a home's labels (``what`` is "label") or annotations ("annotation") that nobody else may set."""
    return _RESERVED[what]


def label_fault(key: object, value: object) -> Optional[str]:
    """What the API server has against a label, as a clause that begins with the key and ends in the way out, or None.

    Source: Kubernetes, ``k8s.io/apimachinery/pkg/api/validate/content/kube.go``: ``IsLabelKey``, ``IsLabelValue``.
    """
    fault = label_key_fault(key)
    if fault is not None:
        return fault
    fault = label_value_fault(value)
    return None if fault is None else f"{key}: {fault}"


def annotation_fault(key: object, value: object) -> Optional[str]:
    """What the API server has against an annotation, as a clause that begins with the key, or None.

    Source: Kubernetes, ``ValidateAnnotations``: a label's key in any case, any text as value, and all annotations of an
    object together at most 256 KiB.
    """
    fault = label_key_fault(key.lower() if isinstance(key, str) else key)
    if fault is not None:
        return fault
    if not isinstance(value, str):
        return f"{key}: {value!r} is no text, and annotations are; put it in quotes"
    if len(value.encode("utf-8", "surrogatepass")) > _ANNOTATIONS_BYTES:
        return f"{key}: the value has more than the 256 KiB that an object's annotations may have; shorten it"
    return None


def label_key_fault(key: object) -> Optional[str]:
    """What the API server has against the key of a label, as a clause that begins with the key, or None."""
    if not isinstance(key, str):
        return f"{key!r} is no text, and keys are; put it in quotes"
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return f"{key!r} has an empty prefix; put a domain before the '/' or leave the '/' out"
    if "/" in prefix:
        return f"{key!r} has more than one '/'; write it as domain/name"
    # The same rule as for the name of a claim: an RFC 1123 subdomain.
    if prefix and claim_name_fault(prefix):
        return f"{key!r} has a prefix that is no lower-case domain of at most 253 characters; correct it"
    if len(name) > _NAME_LENGTH or not _KEY_NAME.fullmatch(name):
        return (
            f"{key!r} is no key that the API server takes: write at most {_NAME_LENGTH} letters, digits, '-', '_' "
            "and '.', with a letter or digit at both ends"
        )
    return None


def label_value_fault(value: object) -> Optional[str]:
    """What the API server has against the value of a label, as a clause that begins with the value, or None."""
    if not isinstance(value, str):
        return f"{value!r} is no text, and values are; put it in quotes"
    if value and (len(value) > _NAME_LENGTH or not _KEY_NAME.fullmatch(value)):
        return (
            f"{value!r} is no value that the API server takes for a label: write at most {_NAME_LENGTH} letters, "
            "digits, '-', '_' and '.', with a letter or digit at both ends, or make it an annotation"
        )
    return None
