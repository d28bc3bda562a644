# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one phase in a Kubernetes Job: PYTHON -m odh_persistency_software.job PHASE VIEW REQUEST.

The tree is mounted at its prefix. In the view `release`, only folders of it are mounted there, and this process makes the
link `current`, which shows a release that is not published yet. The request is packed. So is a long result, because a line
of a log that is rotated meanwhile would be lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any

from .__main__ import serve
from .packed import pack, unpack
from .tree_layout import TreeLayout

#: The event of a packed last event.
PACKED = "packed"


def main(arguments: list[str]) -> int:
    """Run the phase of the command line. Return 0 if it has a result."""
    phase, view, source = arguments
    # Process 1 of a container ignores SIGTERM otherwise. What is half done is removed, and children end with this process.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(143))
    with open(source, encoding="ascii") as file:
        request = unpack(file.read())
    if view == "release":
        _show_release(TreeLayout(request["prefix"]), request["release"])
    return serve(phase, request, _packed)


def _show_release(tree: TreeLayout, release: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(tree.current)
    os.symlink(os.path.relpath(tree.newest_form(release), tree.prefix), tree.current)


def _packed(event: dict[str, Any]) -> dict[str, Any]:
    return {"event": PACKED, "value": pack(event)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
