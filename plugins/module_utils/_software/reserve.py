# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A little space that is given up when the volume is full, so that a rollback and a prune still work."""

from __future__ import annotations

import contextlib
import errno
import os

from .files import write_new
from .tree_layout import TreeLayout

RESERVE_FILE = ".reserve"
RESERVED_BYTES = 64 * 1024
#: A file system is full, or a quota is used up.
FULL = (errno.ENOSPC, errno.EDQUOT)


def keep_reserve(tree: TreeLayout) -> None:
    """Reserve the space, if there is any. The content cannot be compressed."""
    if not os.path.exists(_path(tree)):
        with contextlib.suppress(OSError):
            write_new(_path(tree), os.urandom(RESERVED_BYTES))


def use_reserve(tree: TreeLayout) -> bool:
    """Give the space up. Return whether there was any."""
    try:
        os.unlink(_path(tree))
    except FileNotFoundError:
        return False
    return True


def _path(tree: TreeLayout) -> str:
    return os.path.join(tree.locks, RESERVE_FILE)
