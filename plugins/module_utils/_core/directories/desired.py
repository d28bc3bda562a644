# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directories that shares need, below a root directory that stands for a directory of the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from ..metadata import ABSENT, RETIRED
from ..shares.overlaps import places_of
from ..shares.paths import absolute_error, is_inside
from ..shares.server_names import server_name
from ..shares.spec import ShareSpec
from ..text import did_you_mean, quote_list
from ..validation import quoted
from .model import DesiredDirectory, Parts, absolute_path


@dataclass(frozen=True)
class RootDirectory:
    """The directory that a run works in, and what it stands for.

    `path` is absolute and normalised. `export` is the path of the same directory in the backends ("" if not given), and
    `server` its NFS server (likewise). `elsewhere` are the shares whose directories are somewhere else.
    """

    path: str
    export: str = ""
    server: str = ""
    elsewhere: tuple[str, ...] = ()


@dataclass
class DesiredDirectories:
    """The directories of all shares, parents first; the skipped shares, each with the reason; errors and warnings."""

    directories: list[DesiredDirectory] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def root_errors(root: RootDirectory, shares: Sequence[ShareSpec]) -> list[str]:
    """Return what is wrong with the options about the root."""
    errors = []
    error = absolute_error(root.path, "/exports")
    if error:
        errors.append(f"path: {error}")
    elif root.path == "/":
        errors.append("path: / is the root of the file system: set it to the directory that holds the shares")
    error = absolute_error(root.export, "/exports") if root.export else None
    if error:
        errors.append(f"export: {error}")
    systems = [location[0] for share in shares if (location := _location(share))]
    servers = [system[len("nfs ") :] for system in systems if system.startswith("nfs ")]
    if root.server and servers and server_name(root.server) not in servers:
        errors.append(
            f"server: no share is on the server {quoted(root.server)}{did_you_mean(root.server, servers)}: correct or remove it"
        )
    names = [share.name for share in shares]
    errors += [
        f"elsewhere: there is no share {quoted(name)}{did_you_mean(name, names)}: correct or remove it"
        for name in root.elsewhere
        if name not in names
    ]
    return errors


def desired_directories(shares: Sequence[ShareSpec], root: RootDirectory) -> DesiredDirectories:
    """Return the directories that shares need below a root."""
    result = DesiredDirectories()
    present: list[tuple[Parts, ShareSpec]] = []
    leftover: list[tuple[Parts, ShareSpec]] = []
    here: list[ShareSpec] = []
    for share in shares:
        reason = _skip_reason(share, root)
        parts, error = _directory_of(share, root)
        if _is_retired_or_absent(share):
            result.skipped.append((share.name, f"share {share.name} is {share.state}: its directory does not change"))
            if not reason and not error:
                leftover.append((parts, share))
        elif reason:
            result.skipped.append((share.name, reason))
            is_unlocated = _location(share) is None and not share.directory and share.name not in root.elsewhere
            if is_unlocated and share.directories:
                result.warnings.append(
                    f"{share.position} ({share.name}): its `directories` are not created, because {reason}"
                )
        else:
            here.append(share)
            if error:
                result.errors.append(f"{share.position} ({share.name}): {error}")
            else:
                present.append((parts, share))
    result.errors += _location_errors(here, root)
    result.errors += _overlap_errors([*leftover, *present], root)
    seen: set[Parts] = set()
    managed = {parts for parts, _share in present}
    for parts, share in present:
        for directory in _directories(parts, share):
            if directory.parts not in seen and not (directory.is_parent and directory.parts in managed):
                seen.add(directory.parts)
                result.directories.append(directory)
    return result


def _location(share: ShareSpec) -> Optional[tuple[str, str]]:
    """Return the storage system of a share ("nfs SERVER", "host") and its path there, None if the backend has no path."""
    return next(iter(places_of(share)), None)


def _is_retired_or_absent(share: ShareSpec) -> bool:
    return share.state in (RETIRED, ABSENT)


def _skip_reason(share: ShareSpec, root: RootDirectory) -> str:
    """Return why a share has no directory below the root, "" if it has one."""
    if share.name in root.elsewhere:
        return f"share {share.name} is listed in `elsewhere`"
    location = _location(share)
    if location and root.server and location[0] != f"nfs {server_name(root.server)}":
        return f"share {share.name} is not on the server {root.server}"
    if location is None and not share.directory:
        return (
            f"the backend of share {share.name} ({share.backend.type}) has no path, and the share sets no `directory`"
        )
    return ""


def _directory_of(share: ShareSpec, root: RootDirectory) -> tuple[Parts, str]:
    """Return the path of a share's directory below the root, or what is wrong with it (a clause with the way out)."""
    location = _location(share)
    given: Parts = tuple(share.directory.split("/")) if share.directory else ()
    parts: Parts = given or (share.name,)
    if location and root.export:
        path = location[1]
        if not is_inside(path, root.export):
            return (), (
                f"its backend path {path} is outside of the export {root.export}: correct one of them, set `export` and "
                "`path` to a directory that holds all shares, or add the share to `elsewhere`"
            )
        parts = tuple(part for part in path[len(root.export.rstrip("/")) :].split("/") if part)
        if not parts:
            return (), (
                f"its backend path {path} is the export itself, which never changes: give the share a directory of its own, "
                "or set `export` and `path` one level higher"
            )
        if given and given != parts:
            return (), (
                f"its `directory` {share.directory} differs from its path in the export, {'/'.join(parts)}: remove "
                "`directory`, or correct one of them"
            )
    elif location and not given and location[1].rpartition("/")[2] != share.name:
        return (), (
            f"its backend path {location[1]} does not end in its name, so its directory below {root.path} is unknown: set "
            "`export`, or the share's `directory`"
        )
    invalid = next((part for part in parts if part in ("", ".", "..") or not _is_name(part)), None)
    if invalid is not None:
        return (), f"its directory contains {quoted(invalid)}, which is not a valid directory name: correct it"
    return parts, ""


def _is_name(part: str) -> bool:
    try:
        return 0 < len(part.encode("utf-8")) <= 255 and "\0" not in part and "/" not in part
    except UnicodeEncodeError:
        return False


def _location_errors(shares: Sequence[ShareSpec], root: RootDirectory) -> list[str]:
    """Return an error if the shares are on several servers, or in several directories that one root cannot stand for."""
    systems: dict[str, list[str]] = {}
    folders: dict[str, list[str]] = {}
    for share in shares:
        location = _location(share)
        if location is None:
            continue
        systems.setdefault(location[0], []).append(share.name)
        if not share.directory:
            folders.setdefault(location[1].rpartition("/")[0] or "/", []).append(share.name)
    if len(systems) > 1:
        listed = [f"{_describe_system(system)} ({quote_list(names, 3)})" for system, names in systems.items()]
        return [
            f"the shares are on {quote_list(listed)}, and {root.path} belongs to one of them only: set `server`, or add the "
            "shares of the others to `elsewhere`"
        ]
    if len(folders) > 1 and not root.export:
        listed = [f"{folder} ({quote_list(names, 3)})" for folder, names in sorted(folders.items())]
        return [f"the shares are in {quote_list(listed)}, and {root.path} can stand for one only: set `export`"]
    return []


def _describe_system(system: str) -> str:
    kind, _blank, name = system.partition(" ")
    return "the NFS server " + name if kind == "nfs" else "the node itself" if kind == "host" else "CephFS"


def _overlap_errors(targets: Sequence[tuple[Parts, ShareSpec]], root: RootDirectory) -> list[str]:
    """Return an error for each share whose directory is that of another share, or inside it.

    Retired and absent shares come first in `targets`, so the error names the share that remains. Their overlaps with each
    other do not matter.
    """
    errors = []
    owners: dict[Parts, ShareSpec] = {}
    for parts, share in targets:
        owners.setdefault(parts, share)
    for parts, share in targets:
        for length in range(1, len(parts) + 1):
            other = owners.get(parts[:length])
            if other is None or other is share or (_is_retired_or_absent(share) and _is_retired_or_absent(other)):
                continue
            relation = "is" if length == len(parts) else "is inside"
            state = f"{other.state}, " if _is_retired_or_absent(other) else ""
            errors.append(
                f"{share.position} ({share.name}): its directory {absolute_path(root.path, parts)} {relation} that of "
                f"{other.name} ({state}{other.position}), so users of one would reach the other: give each its own directory"
            )
    return errors


def _directories(parts: Parts, share: ShareSpec) -> list[DesiredDirectory]:
    """Return the directories of one share, parents first."""
    found = [DesiredDirectory(parts[:length], share.name, is_parent=True) for length in range(1, len(parts))]
    subdirectories: dict[Parts, None] = {(): None}
    for directory in share.directories:
        names = tuple(directory.split("/"))
        subdirectories.update((names[:length], None) for length in range(1, len(names) + 1))
    for inner in subdirectories:
        found.append(
            DesiredDirectory(
                parts + inner, share.name, "/".join(inner), uid=share.owner, gid=share.gid, mode=int(share.mode, 8)
            )
        )
    return found
