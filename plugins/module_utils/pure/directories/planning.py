# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning directories: what is made, what gets another owner, group or mode, and what had better not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from ..plan import ADOPT, CREATE, KEEP, REFUSE, UPDATE, Change, Plan
from . import about
from .model import (
    BIRTH_MODE,
    DIRECTORY,
    SETGID,
    WAY_MODE,
    Chmod,
    Chown,
    Contents,
    Live,
    Mkdir,
    Names,
    Node,
    Parts,
    Runner,
    Step,
    Still,
    Strip,
    Wanted,
)
from .places import shown_path

KIND = "directory"


@dataclass(frozen=True)
class Settings:
    """What holds for a whole run: the root's path for sentences, who runs, and whether content may be adopted."""

    path: str
    runner: Runner = field(default_factory=Runner)
    adopt: bool = False
    names: Names = field(default_factory=Names)


def differing(wanted: Iterable[Wanted], live: Live) -> list[Parts]:
    """Return the places whose directory would have to change, so that somebody looks whether they have content."""
    return [
        item.parts
        for item in wanted
        if not item.way and item.parts in live and live[item.parts].is_directory and _differs(item, live[item.parts])
    ]


def plan_directories(
    wanted: Sequence[Wanted],
    left_out: Sequence[tuple[str, str]],
    live: Live,
    contents: Contents,
    settings: Settings,
) -> Plan:
    """Return the plan for all directories; `wanted` has each after those above it, `live` has the root.

    What `contents` does not know of a place counts as content.
    """
    future: dict[Parts, Node] = {(): live[()]}
    changes: list[Change] = []
    for item in wanted:
        above = future.get(item.parts[:-1])
        if above is None:
            continue  # What is wrong above is told there.
        found = plan_one(item, above, live, contents, settings)
        changes += found
        if all(change.action != REFUSE for change in found):
            future[item.parts] = _future(item, above, live.get(item.parts), settings.runner)
    changes += [Change(KEEP, KIND, "", name, reason) for name, reason in left_out]
    return Plan(tuple(changes))


def plan_one(wanted: Wanted, above: Node, live: Live, contents: Contents, settings: Settings) -> list[Change]:
    """Return the change for one directory, or every refusal of it. `above` is its parent as the plan leaves it."""
    path = shown_path(settings.path, wanted.parts)
    node = live.get(wanted.parts)
    if node is None:
        reasons = _cannot_make(path, wanted, above, live, settings)
    elif node.problem:
        reasons = [about.not_seen(path, wanted, node)]
    elif not node.is_directory:
        reasons = [about.no_directory(path, wanted, node)]
    elif wanted.way or not _differs(wanted, node):
        return [Change(KEEP, KIND, "", path, "it is as it should be", subject=wanted)]
    else:
        reasons = _cannot_change(path, wanted, node, contents.get(wanted.parts), settings)
    if reasons:
        return [Change(REFUSE, KIND, "", path, reason, subject=wanted) for reason in reasons]
    if node is None:
        return [_make(path, wanted, above, settings)]
    return [_change(path, wanted, node, contents.get(wanted.parts), settings)]


def _differs(wanted: Wanted, node: Node) -> bool:
    """Whether a directory is not what is wanted."""
    return (
        node.acl
        or wanted.mode != node.mode
        or (wanted.uid is not None and wanted.uid != node.uid)
        or (wanted.gid is not None and wanted.gid != node.gid)
    )


def _future(wanted: Wanted, above: Node, node: Optional[Node], runner: Runner) -> Node:
    """What a place will hold when the plan is carried out."""
    if node is None:
        # As Linux has it: below a setgid directory the group is inherited, and by directories the bit as well.
        inherits = above.mode & SETGID
        born = Node(DIRECTORY, runner.uid, above.gid if inherits else runner.gid, WAY_MODE | inherits)
    else:
        born = node
    if wanted.way:
        return born
    return replace(
        born,
        uid=born.uid if wanted.uid is None else wanted.uid,
        gid=born.gid if wanted.gid is None else wanted.gid,
        mode=wanted.mode,
        acl=False,
    )


def _make(path: str, wanted: Wanted, above: Node, settings: Settings) -> Change:
    after = _future(wanted, above, None, settings.runner)
    # What the directory above hands down (its default access control list) would let in whom nobody named.
    steps: list[Step] = [Mkdir(wanted.parts, WAY_MODE if wanted.way else BIRTH_MODE), Strip(wanted.parts)]
    # Nobody is let in before it belongs to whom it should.
    if not wanted.way and (wanted.uid is not None or wanted.gid is not None):
        steps.append(Chown(wanted.parts, wanted.uid, wanted.gid))
    steps.append(Chmod(wanted.parts, after.mode))
    line = about.line(path, after.uid, after.gid, after.mode, settings.names)
    return Change(CREATE, KIND, "", path, about.made(wanted), after=line, steps=tuple(steps), subject=wanted)


def _change(path: str, wanted: Wanted, node: Node, content: Optional[tuple[str, ...]], settings: Settings) -> Change:
    after = _future(wanted, node, node, settings.runner)
    steps: list[Step] = [Still(wanted.parts, node, empty=content == ())]
    if node.acl:
        steps.append(Strip(wanted.parts))
    if (after.uid, after.gid) != (node.uid, node.gid):
        # Its new owners never have what only its old mode gave, nor its old owners what its new mode gives.
        if node.mode & after.mode != node.mode and not node.acl and _may_chmod(node.uid, settings.runner):
            steps.append(Chmod(wanted.parts, node.mode & after.mode))
        steps.append(Chown(wanted.parts, wanted.uid, wanted.gid))
    if node.acl or node.mode != after.mode:
        # Also where the mode in between was this one: it may have cost the setgid bit.
        steps.append(Chmod(wanted.parts, after.mode))
    before_told = about.of_node(node, settings.names)
    after_told = about.attributes(after.uid, after.gid, after.mode, settings.names)
    if content == ():
        action, reason = UPDATE, about.differs(before_told, after_told)
    else:
        action, reason = ADOPT, about.adopted(content, before_told, after_told)
    return Change(
        action,
        KIND,
        "",
        path,
        reason,
        before=f"{path}: {before_told}",
        after=f"{path}: {after_told}",
        steps=tuple(steps),
        subject=wanted,
    )


def _cannot_make(path: str, wanted: Wanted, above: Node, live: Live, settings: Settings) -> list[str]:
    parent = live.get(wanted.parts[:-1])
    # A parent that this very plan makes or changes can be written in by then, or the run says why not.
    if parent is not None and parent.read_only:
        return [about.read_only(path, wanted)]
    if parent is not None and not parent.writable and parent == above:
        told = shown_path(settings.path, wanted.parts[:-1])
        return [about.not_writable(path, wanted, told, settings.runner, settings.names)]
    born = _future(replace(wanted, way=True), above, None, settings.runner)
    # One on the way is born with its mode, save where an access control list was handed down with it.
    return _cannot_have(path, wanted, born, above.acl or not wanted.way, settings)


def _cannot_change(
    path: str, wanted: Wanted, node: Node, content: Optional[tuple[str, ...]], settings: Settings
) -> list[str]:
    reasons = []
    if content != () and not settings.adopt:
        after = _future(wanted, node, node, settings.runner)
        reasons.append(
            about.has_content(
                path,
                wanted,
                content,
                about.of_node(node, settings.names),
                about.attributes(after.uid, after.gid, after.mode, settings.names),
            )
        )
    if node.read_only:
        return [*reasons, about.read_only(path, wanted)]
    return reasons + _cannot_have(path, wanted, node, node.acl or node.mode != wanted.mode, settings)


def _cannot_have(path: str, wanted: Wanted, node: Node, chmods: bool, settings: Settings) -> list[str]:
    """What the runner cannot give a directory that is `node`; `chmods`: its mode is to be set."""
    runner, names = settings.runner, settings.names
    after = _future(wanted, node, node, runner)
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
    return [about.cannot_own(path, wanted, item, runner, names) for item in what]


def _may_chmod(uid: int, runner: Runner) -> bool:
    return runner.may_chmod or runner.uid == uid
