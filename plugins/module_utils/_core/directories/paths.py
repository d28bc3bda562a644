# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directories shares need, and where: below a root that stands for a folder of the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from ..metadata import ABSENT, RETIRED
from ..shares.paths import absolute_error, is_inside, places_of, server_name
from ..shares.spec import ShareSpec
from ..text import did_you_mean, quote_list
from ..validation import shown
from .model import Desired, Parts


@dataclass(frozen=True)
class Root:
    """The folder that a run works in, and what it stands for.

    `path` is absolute and normalised. `export` is the same folder in the backends' paths ("" where not said), `server`
    the NFS server that it is of ("" likewise), `elsewhere` the shares that do not lie here.
    """

    path: str
    export: str = ""
    server: str = ""
    elsewhere: tuple[str, ...] = ()


@dataclass
class Places:
    """The directories that are wanted, each after those above it; the shares that are left out, with the reason; and
    what is wrong, and what to warn of (sentences without a full stop).
    """

    desired: list[Desired] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def root_errors(root: Root, shares: Sequence[ShareSpec]) -> list[str]:
    """A sentence for each option about the root that cannot be meant."""
    errors = []
    wrong = absolute_error(root.path, "/exports")
    if wrong:
        errors.append(f"path: {wrong}")
    elif root.path == "/":
        errors.append("path: / is the root of the file system: name the folder that holds the directories of shares")
    wrong = absolute_error(root.export, "/exports") if root.export else None
    if wrong:
        errors.append(f"export: {wrong}")
    servers = [place[0][len("nfs ") :] for share in shares if (place := _place(share)) and place[0].startswith("nfs ")]
    if root.server and servers and server_name(root.server) not in servers:
        errors.append(
            f"server: {shown(root.server)} is the server of no share{did_you_mean(root.server, servers)}: correct it, or take it "
            "out"
        )
    names = [share.name for share in shares]
    errors += [
        f"elsewhere: {shown(name)} is the name of no share{did_you_mean(name, names)}: correct or remove it"
        for name in root.elsewhere
        if name not in names
    ]
    return errors


def place_shares(shares: Sequence[ShareSpec], root: Root) -> Places:
    """Return the directories that shares need below a root."""
    places = Places()
    tops: list[tuple[Parts, ShareSpec]] = []
    left: list[tuple[Parts, ShareSpec]] = []
    placed: list[ShareSpec] = []
    for share in shares:
        reason = _not_here(share, root)
        if _has_left(share):
            places.left_out.append(
                (share.name, f"share {share.name} is {share.state}, and its directory stays as it is")
            )
            parts, error = _parts_of(share, root)
            if not reason and not error:
                left.append((parts, share))
            continue
        if reason:
            places.left_out.append((share.name, reason))
            nowhere = _place(share) is None and not share.directory and share.name not in root.elsewhere
            if nowhere and share.directories:
                places.notes.append(f"{share.position} ({share.name}): its `directories` are not made, for {reason}")
            continue
        placed.append(share)
        parts, error = _parts_of(share, root)
        if error:
            places.errors.append(f"{share.position} ({share.name}): {error}")
        else:
            tops.append((parts, share))
    places.errors += _several_places(placed, root)
    places.errors += _overlaps([*left, *tops], root)
    seen: set[Parts] = set()
    managed = {parts for parts, _share in tops}
    for parts, share in tops:
        for desired in _directories(parts, share):
            if desired.parts not in seen and not (desired.way and desired.parts in managed):
                seen.add(desired.parts)
                places.desired.append(desired)
    return places


def _place(share: ShareSpec) -> Optional[tuple[str, str]]:
    """What a share's data is a path of ("nfs SERVER", "host"), and that path; None where its backend does not say."""
    return next(iter(places_of(share)), None)


def _has_left(share: ShareSpec) -> bool:
    return share.state in (RETIRED, ABSENT)


def _not_here(share: ShareSpec, root: Root) -> str:
    """Why a share has no directory here, "" where it has one."""
    if share.name in root.elsewhere:
        return f"share {share.name} lies elsewhere, as `elsewhere` says"
    place = _place(share)
    if place and root.server and place[0] != f"nfs {server_name(root.server)}":
        return f"share {share.name} does not lie on the server {root.server}"
    if place is None and not share.directory:
        return (
            f"the backend of share {share.name} ({share.backend.type}) does not say where its data lies, and the share "
            "names no `directory`"
        )
    return ""


def _parts_of(share: ShareSpec, root: Root) -> tuple[Parts, str]:
    """The place of a share's directory below the root, or what is wrong with it, as a clause with the way out."""
    place = _place(share)
    given: Parts = tuple(share.directory.split("/")) if share.directory else ()
    parts: Parts = given or (share.name,)
    if place and root.export:
        path = place[1]
        if not is_inside(path, root.export):
            return (), (
                f"its backend path {path} lies outside of the export {root.export}: correct one of them, set `export` and "
                "`path` to a folder that holds all shares, or name the share in `elsewhere`"
            )
        parts = tuple(part for part in path[len(root.export.rstrip("/")) :].split("/") if part)
        if not parts:
            return (), (
                f"its backend path {path} is the export itself, and the folder that the run works in is never changed: "
                "give the share a folder of its own, or set `export` and `path` one level higher"
            )
        if given and given != parts:
            return (), (
                f"its `directory` {share.directory} is not where its backend has its data, {'/'.join(parts)} in the "
                "export: remove `directory`, or correct one of them"
            )
    elif place and not given and place[1].rpartition("/")[2] != share.name:
        return (), (
            f"its backend path {place[1]} does not end in its name, so where it lies below {root.path} is a guess: set "
            "`export`, or the share's `directory`"
        )
    wrong = next((part for part in parts if part in ("", ".", "..") or not _is_name(part)), None)
    if wrong is not None:
        return (), f"its directory has {shown(wrong)} in it, which names no directory: correct it"
    return parts, ""


def _is_name(part: str) -> bool:
    try:
        return 0 < len(part.encode("utf-8")) <= 255 and "\0" not in part and "/" not in part
    except UnicodeEncodeError:
        return False


def _several_places(shares: Sequence[ShareSpec], root: Root) -> list[str]:
    """A sentence where shares lie on several servers, or in several folders that one root cannot stand for."""
    places = {share.name: _place(share) for share in shares}
    servers: dict[str, list[str]] = {}
    folders: dict[str, list[str]] = {}
    for share in shares:
        place = places[share.name]
        if place is None:
            continue
        servers.setdefault(place[0], []).append(share.name)
        if not share.directory:
            folders.setdefault(place[1].rpartition("/")[0] or "/", []).append(share.name)
    if len(servers) > 1:
        told = [f"{_told(where)} ({quote_list(names, 3)})" for where, names in servers.items()]
        return [
            f"the shares lie on {quote_list(told)}, and {root.path} is of one of them only: name it in `server`, or the shares "
            "of the others in `elsewhere`"
        ]
    if len(folders) > 1 and not root.export:
        told = [f"{folder} ({quote_list(names, 3)})" for folder, names in sorted(folders.items())]
        return [f"the shares lie in {quote_list(told)}, and {root.path} can stand for one folder only: set `export`"]
    return []


def _told(where: str) -> str:
    kind, _blank, name = where.partition(" ")
    return "the NFS server " + name if kind == "nfs" else "the node itself" if kind == "host" else "a CephFS"


def _overlaps(targets: Sequence[tuple[Parts, ShareSpec]], root: Root) -> list[str]:
    """A sentence for each share whose directory is another's, or lies in it. Those that left come first, so that of two
    with one directory it is the one that stays whose entry is to be mended; among themselves they hold nobody up.
    """
    errors = []
    owners: dict[Parts, ShareSpec] = {}
    for parts, share in targets:
        owners.setdefault(parts, share)
    for parts, share in targets:
        for length in range(1, len(parts) + 1):
            other = owners.get(parts[:length])
            if other is None or other is share or (_has_left(share) and _has_left(other)):
                continue
            how = "is" if length == len(parts) else "lies in"
            state = f"{other.state}, " if _has_left(other) else ""
            errors.append(
                f"{share.position} ({share.name}): its directory {shown_path(root.path, parts)} {how} that of {other.name} "
                f"({state}{other.position}), so who may use one would reach the other: give each a directory of its own"
            )
    return errors


def _directories(parts: Parts, share: ShareSpec) -> list[Desired]:
    """The directories of one share, each after those above it."""
    found = [Desired(parts[:length], share.name, way=True) for length in range(1, len(parts))]
    mode = int(share.mode, 8)
    insides: dict[Parts, None] = {(): None}
    for directory in share.directories:
        names = tuple(directory.split("/"))
        insides.update((names[:length], None) for length in range(1, len(names) + 1))
    for inside in insides:
        found.append(
            Desired(parts + inside, share.name, "/".join(inside), False, uid=share.owner, gid=share.gid, mode=mode)
        )
    return found


def shown_path(root: str, parts: Parts) -> str:
    """A place as an absolute path, for people."""
    return "/".join((root.rstrip("/"), *parts)) if parts else root
