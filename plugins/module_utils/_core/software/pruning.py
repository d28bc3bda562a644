# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a software tree can be deleted: releases beyond `keep`, and store entries that nothing needs any more.

A server uses what was current at some time since it started. So a release stays if it was current at any time since the
oldest live server started, and an entry of the store stays if a release that stays names it, or depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from ..._software.dependencies import with_dependencies
from ..times import format_time, parse_time

#: Digits of the hash in the path of an entry.
SHORT = 12
#: How far the clocks of the builder, which keeps the journal, and of the cluster may differ.
CLOCK_DIFFERENCE = timedelta(hours=1)

RELEASE = "release"
STORE = "store"
INCOMPLETE = "incomplete"
STAGING = "staging"
LOGS = "logs"


@dataclass(frozen=True)
class PruneSettings:
    """How much stays. Releases that were current at or after `used_since` may be in use.

    An entry of the store that no release needs stays until it is `minimum_age` old: a failed run may have built it, and the
    next one needs it. Logs of runs stay as long.
    """

    keep: int
    now: datetime
    used_since: datetime
    minimum_age: timedelta = timedelta(0)


@dataclass(frozen=True)
class Item:
    """A release (by id) or an entry of the store (by path), why it goes or stays, and its bytes as far as they are known."""

    kind: str
    name: str
    reason: str
    size: int = 0


@dataclass(frozen=True)
class Pruning:
    """What goes, and which releases stay."""

    removed: tuple[Item, ...]
    kept: tuple[Item, ...]
    notes: tuple[str, ...] = ()

    def names(self, *kinds: str) -> list[str]:
        """Return the names of what goes, of these kinds."""
        return [item.name for item in self.removed if item.kind in kinds]

    def request(self) -> dict[str, list[str]]:
        """Return what the phase `prune` is asked to delete."""
        return {
            "releases": self.names(RELEASE),
            "store": self.names(STORE, INCOMPLETE),
            "staging": self.names(STAGING),
            "runs": self.names(LOGS),
        }


def used_since(
    now: datetime, minimum_age: timedelta, oldest_server: Optional[datetime], servers_known: bool
) -> datetime:
    """Return since when a release must not have been current to be unused.

    If the live servers are known this is when the oldest started, or now if there is none. Otherwise it is `minimum_age` ago.
    """
    if not servers_known:
        return now - minimum_age
    return now if oldest_server is None else min(now, oldest_server - CLOCK_DIFFERENCE)


def decide(observed: Mapping[str, Any], settings: PruneSettings) -> Pruning:
    """Return what goes and what stays, given the result of the phase `observe`. Raises ValueError if that is unsafe."""
    if settings.keep < 1:
        raise ValueError(f"keep: {settings.keep} would delete the current release: set it to 1 or more")
    manifests = {str(release["id"]): release for release in observed["releases"]}
    kept = _kept_releases(observed, sorted(manifests), settings)
    removed = [
        Item(RELEASE, release, f"beyond the {settings.keep} releases to keep, and no running server may use it")
        for release in sorted(manifests)
        if release not in kept
    ]
    removed += [Item(STAGING, str(release), "a run that ended early left it") for release in observed["staging"]]
    lost = _damaged_entries(observed, [manifests[release] for release in kept])
    if not lost:
        removed += [Item(INCOMPLETE, str(path), "its build or copy did not end") for path in observed["incomplete"]]
    removed += [
        Item(LOGS, str(run["run"]), "the logs of a run")
        for run in observed["runs"]
        if _is_older(str(run["ended"]), settings)
    ]
    unused = _unused_entries(observed["store"], [manifests[release] for release in kept], settings)
    notes = tuple(
        f"store/{path} has no readable entry.json, and a release that stays needs it: nothing is deleted from the store until "
        "that file is restored"
        for path in lost
    )
    items = tuple(Item(RELEASE, release, kept[release]) for release in sorted(kept))
    return Pruning((*removed, *([] if lost else unused)), items, notes)


def _damaged_entries(observed: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the entries that releases need and that cannot be read, so that it is unknown what they need themselves."""
    listed, needed = _listed_and_needed(observed["store"], kept)
    known = {str(entry["hash"]) for entry in needed}
    # The path of an entry ends with the start of its hash.
    missing = {
        digest[:SHORT]
        for entry in needed
        for digest in map(str, entry.get("dependencies", {}).values())
        if digest not in known
    }
    return [str(path) for path in observed["incomplete"] if path in listed or path.rpartition("-")[2] in missing]


def _listed_and_needed(
    store: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]]
) -> tuple[set[str], list[Mapping[str, Any]]]:
    """Return the paths that releases list, and the entries of the store that they need."""
    listed = {str(entry["path"]) for release in kept for entry in release["entries"] if entry.get("path")}
    hashes = [str(entry["hash"]) for entry in store if entry["path"] in listed]
    return listed, with_dependencies(hashes, store)


def _kept_releases(observed: Mapping[str, Any], releases: Sequence[str], settings: PruneSettings) -> dict[str, str]:
    """Return the releases that stay, with the reason."""
    current = observed["current"]
    ends = _last_use(observed["journal"], settings.now)
    order = sorted(releases, key=lambda release: (release == current, ends.get(release, _created(release)), release))
    kept = dict.fromkeys(order[-settings.keep :], f"one of the {settings.keep} releases to keep")
    # Before the journal begins, any release may have been current. Without a line, it begins now.
    begins = next((parse_time(str(line["at"])) or settings.now for line in observed["journal"]), settings.now)
    for release in releases:
        if ends.get(release, begins) >= settings.used_since:
            kept[release] = f"was current after {format_time(settings.used_since)}: a running server may use it"
    if current in releases:
        kept[str(current)] = "is current"
    return kept


def _last_use(journal: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, datetime]:
    """Return when each release was current for the last time.

    A release is current until the next one is. A clock that was set back must not shorten that. A line without a readable
    time counts as now.
    """
    times = [parse_time(str(line["at"])) or now for line in journal]
    ends: dict[str, datetime] = {}
    for index, line in enumerate(journal):
        end = max(times[index : index + 2]) if index + 1 < len(journal) else now
        release = str(line["release"])
        ends[release] = max(end, ends.get(release, end))
    return ends


def _created(release: str) -> datetime:
    """Return the time in the id of a release."""
    try:
        return datetime.strptime(release[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return datetime.min.replace(tzinfo=timezone.utc)


def _unused_entries(
    store: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]], settings: PruneSettings
) -> list[Item]:
    damaged = [str(release["id"]) for release in kept if release.get("damaged")]
    if damaged:
        raise ValueError(
            f"release {damaged[0]} stays and has no readable manifest, so what it uses is unknown: publish a new release, or "
            "restore its manifest.json"
        )
    _listed, needed = _listed_and_needed(store, kept)
    used = {str(entry["path"]) for entry in needed}
    return [
        Item(STORE, path, "no release that stays needs it", int(entry.get("size", 0)))
        for path, entry in sorted({str(entry["path"]): entry for entry in store}.items())
        if path not in used and _is_older(str(entry.get("built_at", "")), settings)
    ]


def _is_older(moment: str, settings: PruneSettings) -> bool:
    """Return whether a time is longer ago than the minimum age. One that cannot be read is."""
    time = parse_time(moment)
    return time is None or time <= settings.now - settings.minimum_age
