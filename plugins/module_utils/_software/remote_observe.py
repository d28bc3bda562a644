# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what is in a tree on another host, as `observe` does for the tree itself."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any, Callable

from . import observe
from .remote_tree import RemoteTree
from .tree_layout import TreeLayout

Emit = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Return the observed state of the tree at `target`. Nothing is written there."""
    with RemoteTree(request["target"], request.get("ssh_args") or []) as remote, metadata(remote) as tree:
        return {**observe.run({"prefix": tree.prefix}, emit), "free": 0}


@contextlib.contextmanager
def metadata(remote: RemoteTree) -> Iterator[TreeLayout]:
    """Give a copy of a tree without the content of its installations. Raises PhaseError if there is no such tree."""
    remote.observe()
    with tempfile.TemporaryDirectory(prefix="odhp-") as folder:
        remote.copy_metadata(folder)
        yield TreeLayout(folder)
