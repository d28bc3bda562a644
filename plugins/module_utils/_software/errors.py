# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error that ends a phase."""

from __future__ import annotations

from typing import Any

#: The input or the tree does not allow what was asked. Nothing was written.
REJECTED = "rejected"
#: Something failed on the way.
FAILED = "failed"
#: A file system is full, or a quota is used up.
NO_SPACE = "no_space"
#: Another run holds the lock of the tree.
LOCKED = "locked"
KINDS = (REJECTED, FAILED, NO_SPACE, LOCKED)


class PhaseError(Exception):
    """A phase ends without a result. The message is one sentence without a full stop, with the way out."""

    def __init__(self, message: str, kind: str = FAILED, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}")
        self.message = message
        self.kind = kind
        self.details = details or {}
