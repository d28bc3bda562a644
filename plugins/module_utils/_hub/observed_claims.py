# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims as the spawn hook reads them, and what a claim is: a home, a share, the hub's database, or something unknown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

KIND_LABEL = "odh.persistency/kind"
OWNER_LABEL = "odh.persistency/owner"
SHARE_KEY = "odh.persistency/share"
PRIMARY_ANNOTATION = "odh.persistency/primary"
RETIRED_ANNOTATION = "odh.persistency/retired-at"
#: KubeSpawner uses this key for a label (escaped or hashed) and an annotation (the name itself).
USERNAME = "hub.jupyter.org/username"
SERVERNAME = "hub.jupyter.org/servername"
#: The chart labels its objects with their component: its hub has a database, whose name depends on `fullnameOverride`.
COMPONENT = "component"
HUB = "hub"
#: The owner of the claims of shares, so that one list has them and the homes of a user.
OWNER_OF_SHARES = "shares"
HOME = "home"
SHARE = "share"
TREE = "tree"

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_UNSAFE = re.compile(r"[^a-z0-9]")
_OWNER_DIGITS = 32


class Claim(NamedTuple):
    """A persistent volume claim. `sources` are the claims of its namespace that its content was copied from."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    terminating: bool
    sources: Sequence[str] = ()

    @property
    def kind(self) -> str:
        """The value of our kind label, or ""."""
        return self.labels.get(KIND_LABEL, "")

    @property
    def user(self) -> Optional[str]:
        """The owner by KubeSpawner's annotation, None without it."""
        return self.annotations.get(USERNAME)

    @property
    def server(self) -> str:
        """The server by KubeSpawner's annotation, "" for the default server."""
        return self.annotations.get(SERVERNAME, "")

    @property
    def is_primary(self) -> bool:
        """Whether it is the home to mount if its owner has several."""
        return self.annotations.get(PRIMARY_ANNOTATION) == "true"

    @property
    def is_retired(self) -> bool:
        """Whether it is retired, and so not mounted."""
        return RETIRED_ANNOTATION in self.annotations

    @property
    def is_of_hub(self) -> bool:
        """Whether it is labelled as a claim of the hub itself, that is, its database."""
        return self.labels.get(COMPONENT) == HUB

    @property
    def is_somebodys(self) -> bool:
        """Whether it is marked as a home, by us or by KubeSpawner."""
        owner = self.labels.get(OWNER_LABEL, OWNER_OF_SHARES)
        return self.kind == HOME or owner != OWNER_OF_SHARES or USERNAME in self.labels or self.user is not None


def claim_from(item: Mapping[str, Any]) -> Claim:
    """Return a claim from its object in the API."""
    metadata = item["metadata"]
    return Claim(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        terminating=metadata.get("deletionTimestamp") is not None,
        sources=tuple(name for name in source_claims(item.get("spec") or {}) if name),
    )


def source_claims(spec: Mapping[str, Any]) -> list[str]:
    """Return the names of the claims that the content of a claim with this spec comes from.

    A name is "" for a source that is something else, such as a snapshot, a volume, or a claim of another namespace.
    """
    names = [""] if spec.get("volumeName") else []
    for key in ("dataSource", "dataSourceRef"):
        source = spec.get(key)
        if source:
            is_claim = source.get("kind") == "PersistentVolumeClaim" and not source.get("apiGroup")
            names.append(str(source.get("name")) if is_claim and not source.get("namespace") else "")
    return list(dict.fromkeys(names))


def owner_hash(user: str) -> str:
    """Return the value of our owner label: the first 32 hex digits of the SHA-256 of the name."""
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:_OWNER_DIGITS]


def escape(name: str) -> str:
    """Return the name as KubeSpawner 6 writes it into names and labels: bytes outside a-z0-9 as `-` and hex digits."""
    return _UNSAFE.sub(
        lambda match: "".join(f"-{byte:x}" for byte in match.group().encode("utf-8", "surrogatepass")), name
    )


def username_labels(user: str, own: str = "") -> list[str]:
    """Return the values of KubeSpawner's username label that a claim of this user may have. Several users share a value.

    `own` is the value that the running KubeSpawner writes, "" if unknown.
    """
    return sorted({value for value in (user, escape(user), own) if _LABEL_VALUE.match(value)})
