# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage classes: what planning needs of them, and the warning about new claims whose class does not exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from ..plan import Change
from ..requests import CLAIMS, CREATE
from ..text import did_you_mean

#: Kubernetes still accepts the second one, of its beta.
DEFAULT_CLASS_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
#: What to say when classes are not known, and what grants it.
MAY_NOT_LIST = (
    "this login may not list storage classes, it needs a ClusterRole with the rule "
    '{apiGroups: ["storage.k8s.io"], resources: ["storageclasses"], verbs: ["list"]}'
)


class StorageClass(NamedTuple):
    """An observed StorageClass. `waits_for_consumer`: it binds a claim only when a pod mounts it."""

    name: str
    expandable: bool
    is_default: bool
    waits_for_consumer: bool
    created: str = ""


#: The storage classes by name, None when they are not known.
StorageClasses = Optional[Mapping[str, StorageClass]]


def storage_class_from(item: Mapping[str, Any]) -> StorageClass:
    """Reduce a StorageClass of the API to a StorageClass."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    return StorageClass(
        metadata["name"],
        bool(item.get("allowVolumeExpansion")),
        any(annotations.get(key) == "true" for key in DEFAULT_CLASS_ANNOTATIONS),
        item.get("volumeBindingMode") == "WaitForFirstConsumer",
        metadata.get("creationTimestamp", ""),
    )


def default_class_of(classes: StorageClasses) -> Optional[str]:
    """Return the name of the default class, None without one. Of several, Kubernetes takes the newest (`GetDefaultClass`)."""
    defaults = sorted((item for item in (classes or {}).values() if item.is_default), key=lambda item: item.name)
    return max(defaults, key=lambda item: item.created).name if defaults else None


def classes_of_new_claims(changes: Iterable[Change]) -> Counter[str]:
    """Count the new claims of each storage class. Claims for the default class or for a given volume do not count."""
    counts: Counter[str] = Counter()
    for change in changes:
        for request in change.operations:
            if (request.verb, request.resource) == (CREATE, CLAIMS):
                spec = request.body["spec"]
                name = spec.get("storageClassName")
                if name and not spec.get("volumeName"):
                    counts[name] += 1
    return counts


def unknown_class_warnings(counts: Mapping[str, int], classes: StorageClasses) -> list[str]:
    """Return a warning for each storage class that new claims name and the cluster does not have.

    Kubernetes accepts such a claim and leaves it Pending, because the class may be created later.
    """
    if classes is None:
        return []
    return [
        f"Storage class {name} does not exist{did_you_mean(name, classes)}: {count} new "
        f"{'claims stay' if count > 1 else 'claim stays'} Pending until the class is created, or until volumes of that "
        "class are created manually"
        for name, count in counts.items()
        if name not in classes
    ]
