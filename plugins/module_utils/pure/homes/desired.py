# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted: entries and the defaults of the run made into homes, every value checked before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Callable, Optional

from ..inputs import shown
from ..kubespawner import annotation_fault, label_fault, reserved_keys
from ..naming import Template, claim_name_fault
from ..quantity import QuantityError, parse_size
from ..text import did_you_mean
from .claims import owner_text
from .entries import STATES, UserEntry

PRESENT, RETIRED, ABSENT = STATES

_OUR_PREFIXES = ("hub.jupyter.org", "odh.persistency")
ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod", "ReadOnlyMany")


@dataclass(frozen=True)
class Settings:
    """What holds for a whole run. `now` is in UTC; `hold` is how long a retired home is kept at least."""

    namespace: str
    template: Template
    size: str
    storage_class: Optional[str]
    access_modes: tuple[str, ...]
    state: str
    hold: timedelta
    keep_volume: bool
    assume_unused: bool
    now: datetime


@dataclass(frozen=True)
class Home:
    """One home that is wanted, or wanted away. `size` in bytes, with `size_text` as it was written."""

    user: str
    server: str
    entry: UserEntry
    state: str
    size: int
    size_text: str
    storage_class: Optional[str]

    @property
    def owner(self) -> str:
        """The owner for people."""
        return owner_text(self.user, self.server)


def check_settings(size: str, access_modes: Sequence[str], storage_class: Optional[str]) -> list[str]:
    """Return a sentence for each default of the run that cannot be."""
    faults = []
    try:
        parse_size(size)
    except QuantityError as invalid:
        faults.append(f"size: {invalid}")
    if not access_modes:
        faults.append("access_modes is empty: name at least one, such as ReadWriteOnce")
    for mode in access_modes:
        if mode not in ACCESS_MODES:
            faults.append(
                f"access_modes: {mode!r} is none{did_you_mean(mode, ACCESS_MODES)}: take one of {', '.join(ACCESS_MODES)}"
            )
    if "ReadWriteOncePod" in access_modes and len(access_modes) > 1:
        faults.append("access_modes: Kubernetes takes ReadWriteOncePod only by itself: leave the others out")
    if storage_class:
        fault = claim_name_fault(storage_class)
        if fault:
            faults.append(f"storage_class: {shown(storage_class)} {fault}: correct the name of the class")
    return faults


def resolve(entries: Sequence[UserEntry], settings: Settings) -> tuple[list[Home], list[str]]:
    """Return the homes that the entries ask for, and a sentence for each entry that cannot be.

    Under a template that does not tell servers apart, a user's named servers share the user's home: their entries fall
    together into one, and are refused where they ask for different things.
    """
    faults: list[str] = []
    sizes = _Memo(parse_size)
    homes: dict[tuple[str, str], Home] = {}
    claims: dict[str, Home] = {}
    for entry in entries:
        before = len(faults)
        size_text = entry.size if entry.size is not None else settings.size
        size, fault = sizes.get(size_text)
        if fault:
            faults.append(f"{entry.position} ({entry.name}): size {fault}")
        _check_names(entry, faults)
        if entry.labels or entry.annotations:
            _check_metadata(entry, faults)
        if len(faults) > before:
            continue
        server = entry.server if settings.template.has_server else ""
        home = Home(
            user=entry.name,
            server=server,
            entry=entry,
            state=entry.state or settings.state,
            size=size,
            size_text=size_text,
            storage_class=entry.storage_class if entry.storage_class is not None else settings.storage_class,
        )
        first = homes.get((entry.name, server))
        if first is not None:
            faults.extend(_meeting(first, home))
            continue
        if entry.claim is not None:
            other = claims.setdefault(entry.claim, home)
            if other is not home:
                faults.append(
                    f"{other.entry.position} ({other.owner}) and {entry.position} ({home.owner}) both name the claim "
                    f"{entry.claim}: a home has one owner, correct one of the two"
                )
                continue
        homes[(entry.name, server)] = home
    return list(homes.values()), faults


def _meeting(first: Home, second: Home) -> list[str]:
    """Why two entries that come to one home cannot stand together; nothing when they ask for the same."""
    where = f"{first.entry.position} and {second.entry.position}"
    if first.state != second.state:
        return [
            f"{first.owner} is to be both {first.state} ({first.entry.position}) and {second.state} "
            f"({second.entry.position}): keep one of the two"
        ]
    asked = [
        (home.size, home.storage_class, home.entry.claim, dict(home.entry.labels), dict(home.entry.annotations))
        for home in (first, second)
    ]
    if asked[0] != asked[1]:
        return [
            f"{where} are one home of {first.owner}, for the name template does not tell servers apart, and they ask "
            "for different things: make them alike, or put {servername} into name_template"
        ]
    return []


def _check_names(entry: UserEntry, faults: list[str]) -> None:
    if entry.claim is not None:
        fault = claim_name_fault(entry.claim)
        if fault:
            faults.append(
                f"{entry.position} ({entry.name}): claim {shown(entry.claim)} {fault}: name an existing claim or drop it"
            )
    if entry.storage_class:
        fault = claim_name_fault(entry.storage_class)
        if fault:
            faults.append(
                f"{entry.position} ({entry.name}): storage_class {shown(entry.storage_class)} {fault}: "
                "correct the name of the class"
            )


def _check_metadata(entry: UserEntry, faults: list[str]) -> None:
    for what, given, check in (
        ("label", entry.labels, label_fault),
        ("annotation", entry.annotations, annotation_fault),
    ):
        for key, value in given.items():
            fault = check(key, value)
            if fault is None and (key in reserved_keys(what) or key.partition("/")[0] in _OUR_PREFIXES):
                fault = f"{key} is KubeSpawner's or this collection's own: use a key of your own"
            if fault:
                faults.append(f"{entry.position} ({entry.name}): {what} {fault}")


class _Memo:
    """Remembers each distinct size: ten thousand users ask for three of them."""

    def __init__(self, parse: Callable[[str], int]) -> None:
        self._parse = parse
        self._known: dict[str, tuple[int, str]] = {}

    def get(self, text: str) -> tuple[int, str]:
        """Return (value, "") or (0, fault)."""
        found = self._known.get(text)
        if found is None:
            try:
                found = (self._parse(text), "")
            except QuantityError as error:
                found = (0, str(error))
            self._known[text] = found
        return found


def merge_entries(
    sources: Sequence[Sequence[UserEntry]], hub: Sequence[UserEntry] = ()
) -> tuple[list[UserEntry], list[str]]:
    """Return the entries of several lists as one, and a sentence for each home that two of them name.

    The hub says who there is; a list says more of some of them. So what a list names takes the place of the hub's
    entry, and everything else that meets is refused.
    """
    faults: list[str] = []
    seen: dict[tuple[str, str], UserEntry] = {}
    for source in sources:
        for entry in source:
            first = seen.setdefault((entry.name, entry.server), entry)
            if first is entry:
                continue
            if (first.state or "") != (entry.state or ""):
                faults.append(
                    f"{owner_text(entry.name, entry.server)} is in {first.position} as {first.state or 'present'} and in "
                    f"{entry.position} as {entry.state or 'present'}: keep one of the two"
                )
            else:
                faults.append(
                    f"{owner_text(entry.name, entry.server)} is in {first.position} and in {entry.position}: remove one"
                )
    merged = list(seen.values())
    merged.extend(entry for entry in hub if (entry.name, entry.server) not in seen)
    return merged, faults
