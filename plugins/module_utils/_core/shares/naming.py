# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and labels of a share's objects, and names of claims that belong to homes and hubs."""

from __future__ import annotations

import hashlib
from typing import Optional

from ..._hub.acl_format import is_dashboard_home, is_hub_database, is_spawner_home
from ..metadata import (
    KIND_LABEL,
    KIND_SHARE,
    KIND_TREE,
    OWNER_LABEL,
    OWNER_OF_SHARES,
    SHARE_KEY,
    TREE_KEY,
    TREE_PREFIX,
    label_value_error,
)

#: Selects the claims, or the volumes, of all shares and software trees.
SELECTOR = f"{KIND_LABEL} in ({KIND_SHARE},{KIND_TREE})"

#: Names of volumes are used in paths and, by some drivers, in labels, so they are no longer than a label value.
LONGEST = 63
_DIGITS = 24


def volume_name(namespace: str, share: str) -> str:
    """Return the name of the static volume of a share in a namespace: `share.NAMESPACE.SHARE`, or a hashed form.

    No two pairs have the same name. A namespace has no dot, so the plain form is unambiguous. The hashed form starts
    differently (`share-`) and contains 96 bits of the SHA-256 of both names.
    """
    kind, name = kind_of(share), plain_name(share)
    plain = f"{kind}.{namespace}.{name}"
    if len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(f"{namespace}/{share}".encode()).hexdigest()[:_DIGITS]
    head = f"{kind}-{digest}."
    return head + f"{namespace}.{name}"[: LONGEST - len(head)].rstrip("-.")


def share_label(share: str) -> str:
    """Return a share or tree as the label `odh.persistency/share` or `.../tree` names it, see `label_value`."""
    prefix = TREE_PREFIX if kind_of(share) == KIND_TREE else ""
    return prefix + label_value(plain_name(share))


def label_value(name: str) -> str:
    """Return the value of the label with a name: the name, or its hash when the name is no label value."""
    if label_value_error(name) is None:
        return name
    return hashlib.sha256(name.encode("utf-8")).hexdigest()[:32]


def share_labels(share: str) -> dict[str, str]:
    """Return the labels that mark a claim or a volume as belonging to this share."""
    return {KIND_LABEL: kind_of(share), name_key(share): label_value(plain_name(share))}


def kind_of(share: str) -> str:
    """Return the kind that a name belongs to: software trees are `tree:NAME`, all others are shares."""
    return KIND_TREE if share.startswith(TREE_PREFIX) else KIND_SHARE


def plain_name(share: str) -> str:
    """Return the name of a share or a tree as its annotation has it."""
    return share[len(TREE_PREFIX) :] if kind_of(share) == KIND_TREE else share


def name_key(share: str) -> str:
    """Return the key of the label and annotation that name this share or tree."""
    return TREE_KEY if kind_of(share) == KIND_TREE else SHARE_KEY


def describe_share(share: str) -> str:
    """Return a share or a tree in words: `the share data`."""
    return f"the software tree {plain_name(share)}" if kind_of(share) == KIND_TREE else f"the share {share}"


def owner_labels(share: str) -> dict[str, str]:
    """Return the label that a claim of this share has besides: with one list, the spawn hook reads homes and shares."""
    return {OWNER_LABEL: OWNER_OF_SHARES} if kind_of(share) == KIND_SHARE else {}


def reserved_name(claim: str) -> Optional[str]:
    """Return what a claim of this name is, whatever its labels say ("a home by its name"); None for all other names."""
    if is_hub_database(claim):
        return "the hub's database"
    return "a home by its name" if is_dashboard_home(claim) else None


def is_spawner_name(claim: str) -> bool:
    """Return whether KubeSpawner gives homes such a name. A share may have such a name too."""
    return is_spawner_home(claim)
