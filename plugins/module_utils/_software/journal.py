# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When each release became current: a journal with one JSON object a line, in `releases/.journal`.

A publication writes its line before it changes the link, so a crash in between leaves a line too many, never one too few.
Whoever finds that the link does not agree with the last line appends what it sees. Both errors are on the safe side: to
prune, a release counts as used for too long, never for too short a time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from typing import Any, NamedTuple, Optional

from .clock import utc_now
from .files import READABLE, sync_path
from .releases import current_release
from .tree_layout import TreeLayout

JOURNAL_FILE = ".journal"
#: How a release became current.
PUBLISHED = "published"
ROLLED_BACK = "rolled_back"
#: Nobody wrote it down: somebody changed the link by hand, or a run ended between its line and the link.
OBSERVED = "observed"


class Publication(NamedTuple):
    """A release became current at a time (RFC 3339, UTC)."""

    release: str
    at: str
    how: str


def read_journal(tree: TreeLayout) -> list[Publication]:
    """Return the journal, oldest line first. A line that a crash cut off is left out."""
    try:
        with open(_path(tree), "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            content: dict[str, Any] = json.loads(line)
            found.append(Publication(str(content["release"]), str(content["at"]), str(content.get("how", OBSERVED))))
    return found


def publications(tree: TreeLayout) -> list[Publication]:
    """Return the journal, with a line more if the link does not agree with the last one."""
    found = read_journal(tree)
    missing = _unrecorded(tree, found)
    return [*found, missing] if missing else found


def record(tree: TreeLayout, release: str, how: str) -> None:
    """Write down that a release becomes current now, and before that what nobody has written down."""
    lines = [Publication(release, utc_now(), how)]
    missing = _unrecorded(tree, read_journal(tree))
    if missing:
        lines.insert(0, missing)
    _append(tree, lines)


def _unrecorded(tree: TreeLayout, found: list[Publication]) -> Optional[Publication]:
    current = current_release(tree)
    if current is None or (found and found[-1].release == current):
        return None
    return Publication(current, utc_now(), OBSERVED)


def as_line(publication: Publication) -> str:
    """Return a line of the journal, without its end."""
    return json.dumps(publication._asdict(), sort_keys=True)


def _append(tree: TreeLayout, lines: list[Publication]) -> None:
    path = _path(tree)
    text = "".join(as_line(line) + "\n" for line in lines).encode("utf-8")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, READABLE)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = b"\n" + text  # a crash cut the last line off
        if os.write(descriptor, text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_path(tree.releases)


def _path(tree: TreeLayout) -> str:
    return os.path.join(tree.releases, JOURNAL_FILE)


def previous_release(tree: TreeLayout, found: list[Publication]) -> Optional[str]:
    """Return the release that a rollback leads to: what was current before the current release was published.

    After a rollback this is the release before that one, so repeated rollbacks go back in time and not to and fro.
    """
    current = current_release(tree)
    existing = {name for name in os.listdir(tree.releases) if not name.startswith(".")}
    indexes = [index for index, line in enumerate(found) if line.release == current]
    if not indexes:
        return None
    start = next((index for index in reversed(indexes) if found[index].how == PUBLISHED), indexes[0])
    earlier = (line.release for line in reversed(found[:start]) if line.release != current)
    return next((release for release in earlier if release in existing), None)
