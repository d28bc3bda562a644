# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims as they are in the cluster, reduced to what planning needs, and found by name or by owner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from ..metadata import KIND_LABEL, PRIMARY_ANNOTATION, RETIRED_ANNOTATION, SERVERNAME_ANNOTATION, USERNAME_ANNOTATION
from ..quantity import format_size, size_or_none

#: Kinds of ours that are claims and never homes (design, "What we write on objects").
OTHER_KINDS = ("share", "tree")


class Claim(NamedTuple):
    """A live PersistentVolumeClaim. Sizes are in bytes; `storage_class` is None where the claim names none."""

    name: str
    uid: str
    version: str
    created: str
    deleting: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    size: Optional[int]
    capacity: Optional[int]
    phase: str
    storage_class: Optional[str]
    access_modes: tuple[str, ...]
    volume: str
    conditions: tuple[str, ...]

    @property
    def user(self) -> Optional[str]:
        """The owner's name as the annotation has it: the truth about the owner. None where nobody is named."""
        return self.annotations.get(USERNAME_ANNOTATION) or None

    @property
    def server(self) -> str:
        """The named server it was made for, "" for the default one."""
        return self.annotations.get(SERVERNAME_ANNOTATION) or ""

    @property
    def retired_at(self) -> Optional[str]:
        """The retirement mark as it stands, None where there is none."""
        return self.annotations.get(RETIRED_ANNOTATION)

    @property
    def is_primary(self) -> bool:
        """Whether it is marked as the one to mount where its owner has several."""
        return self.annotations.get(PRIMARY_ANNOTATION) == "true"

    @property
    def other_kind(self) -> Optional[str]:
        """What else than a home it is by our label or the hub's (`share`, `tree`, `hub`), None when nothing says so."""
        kind = self.labels.get(KIND_LABEL)
        if kind in OTHER_KINDS:
            return kind
        # z2jh: the hub's own database, `hub-db-dir`.
        if self.name == "hub-db-dir" or self.labels.get("component") == "hub":
            return "hub"
        return None


def claim_from(item: Mapping[str, Any]) -> Claim:
    """Reduce a PersistentVolumeClaim of the API to a Claim."""
    metadata = item["metadata"]
    spec = item.get("spec") or {}
    status = item.get("status") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    storage_class = spec.get("storageClassName")
    annotations = metadata.get("annotations") or {}
    if storage_class is None:
        storage_class = annotations.get("volume.beta.kubernetes.io/storage-class")
    return Claim(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        version=metadata.get("resourceVersion", ""),
        created=metadata.get("creationTimestamp", ""),
        deleting="deletionTimestamp" in metadata,
        labels=metadata.get("labels") or {},
        annotations=annotations,
        size=size_or_none(requests.get("storage")),
        capacity=size_or_none((status.get("capacity") or {}).get("storage")),
        phase=status.get("phase", ""),
        storage_class=storage_class,
        access_modes=tuple(spec.get("accessModes") or ()),
        volume=spec.get("volumeName", ""),
        conditions=tuple(
            item.get("type", "") for item in status.get("conditions") or () if item.get("status") == "True"
        ),
    )


class Index:
    """The claims of one namespace by name and by owner.

    Where the name template tells named servers apart, a home belongs to (user, server); where it does not, all servers
    of a user share (user, "").
    """

    def __init__(self, claims: Iterable[Claim], by_server: bool) -> None:
        self.by_server = by_server
        self.by_name: dict[str, Claim] = {}
        self._by_owner: dict[tuple[str, str], list[Claim]] = {}
        for claim in claims:
            self.by_name[claim.name] = claim
            user = claim.user
            if user is not None and claim.other_kind is None:
                self._by_owner.setdefault((user, claim.server if by_server else ""), []).append(claim)

    def owned(self, user: str, server: str) -> list[Claim]:
        """The claims that name this owner, those being deleted included, in the order of names."""
        return sorted(self._by_owner.get((user, server), ()), key=lambda claim: claim.name)

    def owners(self) -> Iterable[tuple[str, str]]:
        """All owners, as (user, server)."""
        return self._by_owner.keys()

    def around(self, user: str, server: str, name: str, fresh: Optional[Claim]) -> Index:
        """What planning one home again needs: its owner's claims, and the claim `name` as it is now (None: gone)."""
        claims = [claim for claim in self.owned(user, server) if claim.name != name]
        return Index([*claims, fresh] if fresh is not None else claims, self.by_server)


def owner_text(user: str, server: str) -> str:
    """Name an owner for people: `alice`, `alice (server lab)`."""
    return f"{user} (server {server})" if server else user


def home_line(
    name: str,
    user: str,
    server: str,
    size: Optional[int],
    storage_class: Optional[str],
    marks: Iterable[str] = (),
) -> str:
    """The line that stands for a home in a diff."""
    parts = [format_size(size) if size is not None else "no size"]
    if storage_class:
        parts.append(f"class {storage_class}")
    parts.extend(marks)
    return f"home {name} of {owner_text(user, server)}: {', '.join(parts)}"
