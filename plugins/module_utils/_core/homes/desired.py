# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted: entries and the defaults of the run made into homes, every value checked before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Callable, Optional

from ..metadata import annotation_error, claim_name_error, label_error
from ..quantity import QuantityError, parse_size
from ..text import did_you_mean
from ..validation import shown
from .kubespawner import reserved_keys
from .naming import Template
from .spec import UserSpec, owner_text

_OUR_PREFIXES = ("hub.jupyter.org", "odh.persistency")
ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod", "ReadOnlyMany")


@dataclass(frozen=True)
class HomeSettings:
    """What holds for a whole run. `now` is in UTC; `retention` is how long a retired home is kept at least."""

    namespace: str
    template: Template
    size: str
    storage_class: Optional[str]
    access_modes: tuple[str, ...]
    state: str
    retention: timedelta
    keep_volume: bool
    assume_unused: bool
    now: datetime


@dataclass(frozen=True)
class Home:
    """One home that is wanted, or wanted away. `size` in bytes, with `size_text` as it was written."""

    user: str
    server: str
    namespace: str
    spec: UserSpec
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
    errors = []
    try:
        parse_size(size)
    except QuantityError as invalid:
        errors.append(f"size: {invalid}")
    if not access_modes:
        errors.append("access_modes is empty: name at least one, such as ReadWriteOnce")
    for mode in access_modes:
        if mode not in ACCESS_MODES:
            errors.append(
                f"access_modes: {mode!r} is none{did_you_mean(mode, ACCESS_MODES)}: take one of {', '.join(ACCESS_MODES)}"
            )
    if "ReadWriteOncePod" in access_modes and len(access_modes) > 1:
        errors.append("access_modes: Kubernetes takes ReadWriteOncePod only by itself: leave the others out")
    if storage_class:
        error = claim_name_error(storage_class)
        if error:
            errors.append(f"storage_class: {shown(storage_class)} {error}: correct the name of the class")
    return errors


def resolve(specs: Sequence[UserSpec], settings: HomeSettings) -> tuple[list[Home], list[str]]:
    """Return the homes that the entries ask for, and a sentence for each entry that cannot be.

    Under a template that does not tell servers apart, a user's named servers share the user's home: their entries fall
    together into one, and are refused where they ask for different things.
    """
    errors: list[str] = []
    sizes = _Memo(parse_size)
    homes: dict[tuple[str, str], Home] = {}
    claims: dict[str, Home] = {}
    for spec in specs:
        before = len(errors)
        size_text = spec.size if spec.size is not None else settings.size
        size, error = sizes.get(size_text)
        if error:
            errors.append(f"{spec.position} ({spec.name}): size {error}")
        _check_names(spec, errors)
        if spec.labels or spec.annotations:
            _check_metadata(spec, errors)
        if len(errors) > before:
            continue
        server = spec.server if settings.template.has_server else ""
        home = Home(
            user=spec.name,
            server=server,
            namespace=settings.namespace,
            spec=spec,
            state=spec.state or settings.state,
            size=size,
            size_text=size_text,
            storage_class=spec.storage_class if spec.storage_class is not None else settings.storage_class,
        )
        first = homes.get((spec.name, server))
        if first is not None:
            errors.extend(_meeting(first, home))
            continue
        if spec.claim is not None:
            other = claims.setdefault(spec.claim, home)
            if other is not home:
                errors.append(
                    f"{other.spec.position} ({other.owner}) and {spec.position} ({home.owner}) both name the claim "
                    f"{spec.claim}: a home has one owner, correct one of the two"
                )
                continue
        homes[(spec.name, server)] = home
    return list(homes.values()), errors


def _meeting(first: Home, second: Home) -> list[str]:
    """Why two entries that come to one home cannot stand together; nothing when they ask for the same."""
    where = f"{first.spec.position} and {second.spec.position}"
    if first.state != second.state:
        return [
            f"{first.owner} is to be both {first.state} ({first.spec.position}) and {second.state} "
            f"({second.spec.position}): keep one of the two"
        ]
    asked = [
        (home.size, home.storage_class, home.spec.claim, dict(home.spec.labels), dict(home.spec.annotations))
        for home in (first, second)
    ]
    if asked[0] != asked[1]:
        return [
            f"{where} are one home of {first.owner}, for the name template does not tell servers apart, and they ask "
            "for different things: make them alike, or put {servername} into name_template"
        ]
    return []


def _check_names(spec: UserSpec, errors: list[str]) -> None:
    if spec.claim is not None:
        error = claim_name_error(spec.claim)
        if error:
            errors.append(
                f"{spec.position} ({spec.name}): claim {shown(spec.claim)} {error}: name an existing claim or drop it"
            )
    if spec.storage_class:
        error = claim_name_error(spec.storage_class)
        if error:
            errors.append(
                f"{spec.position} ({spec.name}): storage_class {shown(spec.storage_class)} {error}: "
                "correct the name of the class"
            )


def _check_metadata(spec: UserSpec, errors: list[str]) -> None:
    for what, given, check in (
        ("label", spec.labels, label_error),
        ("annotation", spec.annotations, annotation_error),
    ):
        for key, value in given.items():
            error = check(key, value)
            if error is None and (key in reserved_keys(what) or key.partition("/")[0] in _OUR_PREFIXES):
                error = f"{key} is KubeSpawner's or this collection's own: use a key of your own"
            if error:
                errors.append(f"{spec.position} ({spec.name}): {what} {error}")


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


def merge_users(
    sources: Sequence[Sequence[UserSpec]], hub: Sequence[UserSpec] = ()
) -> tuple[list[UserSpec], list[str]]:
    """Return the entries of several lists as one, and a sentence for each home that two of them name.

    The hub says who there is; a list says more of some of them. So what a list names takes the place of the hub's
    entry, and everything else that meets is refused.
    """
    errors: list[str] = []
    seen: dict[tuple[str, str], UserSpec] = {}
    for source in sources:
        for spec in source:
            first = seen.setdefault((spec.name, spec.server), spec)
            if first is spec:
                continue
            if (first.state or "") != (spec.state or ""):
                errors.append(
                    f"{owner_text(spec.name, spec.server)} is in {first.position} as {first.state or 'present'} and in "
                    f"{spec.position} as {spec.state or 'present'}: keep one of the two"
                )
            else:
                errors.append(
                    f"{owner_text(spec.name, spec.server)} is in {first.position} and in {spec.position}: remove one"
                )
    merged = list(seen.values())
    merged.extend(spec for spec in hub if (spec.name, spec.server) not in seen)
    return merged, errors
