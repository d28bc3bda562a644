# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one phase in a Kubernetes Job: PYTHON -m odh_persistency_software.job PHASE VIEW REQUEST.

The tree is mounted at its prefix. In the view `release`, only folders of it are mounted there, and this process makes the
link `current`, which shows a release that is not published yet. The request is packed, and so is the result, because logs have
limits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from typing import Any

from .packed import pack, unpack
from .phases import serve
from .tree_layout import SKELETON, SOURCES, TreeLayout

#: The event of a packed last event.
PACKED = "packed"
#: What an empty volume may have. Sources come before the tree.
_NOTHING = frozenset((SOURCES, "lost+found", ".snapshot"))
#: Phases of a plan, which write nothing.
_PLAN = ("observe", "resolve")


def _end(*_signal: Any) -> None:
    raise SystemExit(143)


def main(arguments: list[str]) -> int:
    """Run the phase of the command line. Return 0 if it has a result."""
    phase, view, source = arguments
    # Process 1 of a container ignores SIGTERM otherwise. What is half done is removed, and children end with this process.
    signal.signal(signal.SIGTERM, _end)
    with open(source, encoding="ascii") as file:
        request = unpack(file.read())
    if view == "release":
        _show_release(TreeLayout(request["prefix"]), request["release"])
    elif _is_empty(request["prefix"]):
        request = _with_tree(phase, request)
    return serve(phase, request, _packed)


def _is_empty(prefix: str) -> bool:
    try:
        return _NOTHING.issuperset(os.listdir(prefix))
    except OSError:
        return False  # the phase says why


def _with_tree(phase: str, request: dict[str, Any]) -> dict[str, Any]:
    """Create the directories of the tree, because no host may see the volume. A plan gets an empty tree elsewhere."""
    prefix = request["prefix"]
    if phase in _PLAN:
        sources = request.get("source_paths") or [TreeLayout(prefix).sources]
        request = {**request, "prefix": tempfile.mkdtemp(prefix="tree-"), "source_paths": sources}
    with contextlib.suppress(OSError):  # the phase says what is missing
        for name in SKELETON:
            os.mkdir(os.path.join(request["prefix"], name), 0o755)
    return request


def _show_release(tree: TreeLayout, release: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(tree.current)
    os.symlink(os.path.relpath(tree.newest_form(release), tree.prefix), tree.current)


def _packed(event: dict[str, Any]) -> dict[str, Any]:
    """Return the last event as it is written. Whoever looks at the log of a Job that failed reads its error."""
    return event if event["event"] == "error" else {"event": PACKED, "value": pack(event)}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
