# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of what a share becomes in a cluster, and the marks that say which share an object belongs to."""

from __future__ import annotations

import hashlib

from ..metadata import KIND_LABEL, KIND_SHARE, SHARE_KEY, label_value_error

#: One selector finds all claims, or all volumes, of all shares.
SELECTOR = f"{KIND_LABEL}={KIND_SHARE}"

#: Names of volumes end up in paths and, with some drivers, in labels; so no longer than a label's value.
LONGEST = 63
_DIGITS = 24


def volume_name(namespace: str, share: str) -> str:
    """Return the name of the static volume of a share in a namespace: `share.NAMESPACE.SHARE`, or a hashed form.

    No two pairs have one name. A namespace has no dot, so the plain form can be read back; the hashed form begins
    otherwise (`share-`), and holds 96 bits of the SHA-256 of both names.
    """
    plain = f"share.{namespace}.{share}"
    if len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(f"{namespace}/{share}".encode()).hexdigest()[:_DIGITS]
    head = f"share-{digest}."
    return head + f"{namespace}.{share}"[: LONGEST - len(head)].rstrip("-.")


def share_label(share: str) -> str:
    """Return the value of the label `odh.persistency/share`: the name, or, where it is too long, its hash."""
    if label_value_error(share) is None:
        return share
    return hashlib.sha256(share.encode("utf-8")).hexdigest()[:32]


def share_labels(share: str) -> dict[str, str]:
    """Return the labels that say of a claim or a volume that it is a share's, and which one's."""
    return {KIND_LABEL: KIND_SHARE, SHARE_KEY: share_label(share)}
