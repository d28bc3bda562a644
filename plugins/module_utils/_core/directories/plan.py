# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning directories: what is made, what gets another owner, group or mode, and what had better not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from ..plan import ADOPT, CREATE, KEEP, REFUSE, UPDATE, Change, Plan
from . import changes
from .model import (
    BIRTH_MODE,
    DIRECTORY,
    SETGID,
    WAY_MODE,
    Chmod,
    Chown,
    Contents,
    Desired,
    Mkdir,
    Names,
    Node,
    ObservedDirectories,
    Operation,
    Parts,
    Precondition,
    Runner,
    Strip,
)
from .paths import shown_path

KIND_DIRECTORY = "directory"


@dataclass(frozen=True)
class DirectorySettings:
    """What holds for a whole run: the root's path for sentences, who runs, and whether content may be adopted."""

    path: str
    runner: Runner = field(default_factory=Runner)
    adopt: bool = False
    names: Names = field(default_factory=Names)


def differing(desired: Iterable[Desired], live: ObservedDirectories) -> list[Parts]:
    """Return the places whose directory would have to change, so that somebody looks whether they have content."""
    return [
        item.parts
        for item in desired
        if not item.way and item.parts in live and live[item.parts].is_directory and _differs(item, live[item.parts])
    ]


def plan_directories(
    desired: Sequence[Desired],
    left_out: Sequence[tuple[str, str]],
    live: ObservedDirectories,
    contents: Contents,
    settings: DirectorySettings,
) -> Plan:
    """Return the plan for all directories; `wanted` has each after those above it, `live` has the root.

    What `contents` does not know of a place counts as content.
    """
    future: dict[Parts, Node] = {(): live[()]}
    changes: list[Change] = []
    for item in desired:
        above = future.get(item.parts[:-1])
        if above is None:
            continue  # What is wrong above is told there.
        found = plan_one(item, above, live, contents, settings)
        changes += found
        if all(change.action != REFUSE for change in found):
            future[item.parts] = _future(item, above, live.get(item.parts), settings.runner)
    changes += [Change(KEEP, KIND_DIRECTORY, "", name, reason) for name, reason in left_out]
    return Plan(tuple(changes))


def plan_one(
    desired: Desired, above: Node, live: ObservedDirectories, contents: Contents, settings: DirectorySettings
) -> list[Change]:
    """Return the change for one directory, or every refusal of it. `above` is its parent as the plan leaves it."""
    path = shown_path(settings.path, desired.parts)
    node = live.get(desired.parts)
    if node is None:
        reasons = _cannot_make(path, desired, above, live, settings)
    elif node.problem:
        reasons = [changes.not_seen(path, desired, node)]
    elif not node.is_directory:
        reasons = [changes.no_directory(path, desired, node)]
    elif desired.way or not _differs(desired, node):
        return [Change(KEEP, KIND_DIRECTORY, "", path, "it is as it should be", subject=desired)]
    else:
        reasons = _cannot_change(path, desired, node, contents.get(desired.parts), settings)
    if reasons:
        return [Change(REFUSE, KIND_DIRECTORY, "", path, reason, subject=desired) for reason in reasons]
    if node is None:
        return [_make(path, desired, above, settings)]
    return [_change(path, desired, node, contents.get(desired.parts), settings)]


def _differs(desired: Desired, node: Node) -> bool:
    """Whether a directory is not what is wanted."""
    return (
        node.acl
        or desired.mode != node.mode
        or (desired.uid is not None and desired.uid != node.uid)
        or (desired.gid is not None and desired.gid != node.gid)
    )


def _future(desired: Desired, above: Node, node: Optional[Node], runner: Runner) -> Node:
    """What a place will hold when the plan is carried out."""
    if node is None:
        # As Linux has it: below a setgid directory the group is inherited, and by directories the bit as well.
        inherits = above.mode & SETGID
        born = Node(DIRECTORY, runner.uid, above.gid if inherits else runner.gid, WAY_MODE | inherits)
    else:
        born = node
    if desired.way:
        return born
    return replace(
        born,
        uid=born.uid if desired.uid is None else desired.uid,
        gid=born.gid if desired.gid is None else desired.gid,
        mode=desired.mode,
        acl=False,
    )


def _make(path: str, desired: Desired, above: Node, settings: DirectorySettings) -> Change:
    after = _future(desired, above, None, settings.runner)
    # What the directory above hands down (its default access control list) would let in whom nobody named.
    operations: list[Operation] = [Mkdir(desired.parts, WAY_MODE if desired.way else BIRTH_MODE), Strip(desired.parts)]
    # Nobody is let in before it belongs to whom it should.
    if not desired.way and (desired.uid is not None or desired.gid is not None):
        operations.append(Chown(desired.parts, desired.uid, desired.gid))
    operations.append(Chmod(desired.parts, after.mode))
    line = changes.line(path, after.uid, after.gid, after.mode, settings.names)
    return Change(
        CREATE,
        KIND_DIRECTORY,
        "",
        path,
        changes.made(desired),
        after=line,
        operations=tuple(operations),
        subject=desired,
    )


def _change(
    path: str, desired: Desired, node: Node, content: Optional[tuple[str, ...]], settings: DirectorySettings
) -> Change:
    after = _future(desired, node, node, settings.runner)
    operations: list[Operation] = [Precondition(desired.parts, node, empty=content == ())]
    if node.acl:
        operations.append(Strip(desired.parts))
    if (after.uid, after.gid) != (node.uid, node.gid):
        # Its new owners never have what only its old mode gave, nor its old owners what its new mode gives.
        if node.mode & after.mode != node.mode and not node.acl and _may_chmod(node.uid, settings.runner):
            operations.append(Chmod(desired.parts, node.mode & after.mode))
        operations.append(Chown(desired.parts, desired.uid, desired.gid))
    if node.acl or node.mode != after.mode:
        # Also where the mode in between was this one: it may have cost the setgid bit.
        operations.append(Chmod(desired.parts, after.mode))
    before_told = changes.of_node(node, settings.names)
    after_told = changes.attributes(after.uid, after.gid, after.mode, settings.names)
    if content == ():
        action, reason = UPDATE, changes.differs(before_told, after_told)
    else:
        action, reason = ADOPT, changes.adopted(content, before_told, after_told)
    return Change(
        action,
        KIND_DIRECTORY,
        "",
        path,
        reason,
        before=f"{path}: {before_told}",
        after=f"{path}: {after_told}",
        operations=tuple(operations),
        subject=desired,
    )


def _cannot_make(
    path: str, desired: Desired, above: Node, live: ObservedDirectories, settings: DirectorySettings
) -> list[str]:
    parent = live.get(desired.parts[:-1])
    # A parent that this very plan makes or changes can be written in by then, or the run says why not.
    if parent is not None and parent.read_only:
        return [changes.read_only(path, desired)]
    if parent is not None and not parent.writable and parent == above:
        told = shown_path(settings.path, desired.parts[:-1])
        return [changes.not_writable(path, desired, told, settings.runner, settings.names)]
    born = _future(replace(desired, way=True), above, None, settings.runner)
    # One on the way is born with its mode, save where an access control list was handed down with it.
    return _cannot_have(path, desired, born, above.acl or not desired.way, settings)


def _cannot_change(
    path: str, desired: Desired, node: Node, content: Optional[tuple[str, ...]], settings: DirectorySettings
) -> list[str]:
    reasons = []
    if content != () and not settings.adopt:
        after = _future(desired, node, node, settings.runner)
        reasons.append(
            changes.has_content(
                path,
                desired,
                content,
                changes.of_node(node, settings.names),
                changes.attributes(after.uid, after.gid, after.mode, settings.names),
            )
        )
    if node.read_only:
        return [*reasons, changes.read_only(path, desired)]
    return reasons + _cannot_have(path, desired, node, node.acl or node.mode != desired.mode, settings)


def _cannot_have(path: str, desired: Desired, node: Node, chmods: bool, settings: DirectorySettings) -> list[str]:
    """What the runner cannot give a directory that is `node`; `chmods`: its mode is to be set."""
    runner, names = settings.runner, settings.names
    after = _future(desired, node, node, runner)
    what = []
    if after.uid != node.uid and not runner.may_chown:
        what.append(f"the owner {names.user(after.uid)}")
    if after.gid != node.gid and not (runner.may_chown or (node.uid == runner.uid and runner.is_in(after.gid))):
        what.append(f"the group {names.group(after.gid)}")
    if chmods and not what:
        if not _may_chmod(after.uid, runner):
            what.append(f"the mode {after.mode:04o}")
        elif after.mode & SETGID and not runner.keeps_setgid and not runner.is_in(after.gid):
            what.append(f"the setgid bit, which takes a member of the group {names.group(after.gid)}")
    return [changes.cannot_own(path, desired, item, runner, names) for item in what]


def _may_chmod(uid: int, runner: Runner) -> bool:
    return runner.may_chmod or runner.uid == uid
