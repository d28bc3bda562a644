# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired homes: the entries with the defaults of the run. Every value is validated before the cluster is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Callable, Optional

from ..kubespawner.manifests import reserved_keys
from ..kubespawner.naming import Template
from ..metadata import annotation_error, claim_name_error, label_error
from ..quantity import QuantityError, parse_size
from ..text import did_you_mean
from ..validation import quoted
from .spec import UserSpec, owner_text

_OUR_PREFIXES = ("hub.jupyter.org", "odh.persistency")
ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod", "ReadOnlyMany")


@dataclass(frozen=True)
class HomeSettings:
    """The settings of a run. `now` is in UTC. `retention` is the minimum time between retirement and deletion."""

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
    """One desired home, or one to retire or delete. `size` is in bytes, `size_text` as written."""

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
        """The owner for messages."""
        return owner_text(self.user, self.server)


def check_settings(size: str, access_modes: Sequence[str], storage_class: Optional[str]) -> list[str]:
    """Return an error for each default of the run that is not valid."""
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
                f"access_modes: {mode!r} is not an access mode{did_you_mean(mode, ACCESS_MODES)}: use one of "
                f"{', '.join(ACCESS_MODES)}"
            )
    if "ReadWriteOncePod" in access_modes and len(access_modes) > 1:
        errors.append("access_modes: Kubernetes allows no other mode beside ReadWriteOncePod: remove the others")
    if storage_class:
        error = claim_name_error(storage_class)
        if error:
            errors.append(f"storage_class: {quoted(storage_class)} {error}: correct the name of the storage class")
    return errors


def resolve(specs: Sequence[UserSpec], settings: HomeSettings) -> tuple[list[Home], list[str]]:
    """Return the desired homes of the entries, and an error for each entry that is not valid.

    With a template that does not distinguish servers, the named servers of a user share one home. Their entries become
    one, and are rejected when they differ.
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
        if first is not None and spec.from_hub:
            continue  # A named server of a user whose entry says what the home is.
        if first is not None:
            errors.extend(_shared_home_errors(first, home))
            continue
        if spec.claim is not None:
            other = claims.setdefault(spec.claim, home)
            if other is not home:
                errors.append(
                    f"{other.spec.position} ({other.owner}) and {spec.position} ({home.owner}) both name claim "
                    f"{spec.claim}: a home has one owner, correct one of the two"
                )
                continue
        homes[(spec.name, server)] = home
    return list(homes.values()), errors


def _shared_home_errors(first: Home, second: Home) -> list[str]:
    """Return the error for two entries of one home that differ, none when they agree."""
    where = f"{first.spec.position} and {second.spec.position}"
    if first.state != second.state:
        return [
            f"{first.owner} is both {first.state} ({first.spec.position}) and {second.state} "
            f"({second.spec.position}): keep one of the two"
        ]
    asked = [
        (home.size, home.storage_class, home.spec.claim, dict(home.spec.labels), dict(home.spec.annotations))
        for home in (first, second)
    ]
    if asked[0] != asked[1]:
        return [
            f"{where} are one home of {first.owner}, because the name template does not distinguish servers, and they "
            "differ: make them equal, or put {servername} into name_template"
        ]
    return []


def _check_names(spec: UserSpec, errors: list[str]) -> None:
    if spec.claim is not None:
        error = claim_name_error(spec.claim)
        if error:
            errors.append(
                f"{spec.position} ({spec.name}): claim {quoted(spec.claim)} {error}: name an existing claim or remove `claim`"
            )
    if spec.storage_class:
        error = claim_name_error(spec.storage_class)
        if error:
            errors.append(
                f"{spec.position} ({spec.name}): storage_class {quoted(spec.storage_class)} {error}: "
                "correct the name of the storage class"
            )


def _check_metadata(spec: UserSpec, errors: list[str]) -> None:
    for what, given, check in (
        ("label", spec.labels, label_error),
        ("annotation", spec.annotations, annotation_error),
    ):
        for key, value in given.items():
            error = check(key, value)
            if error is None and (key in reserved_keys(what) or key.partition("/")[0] in _OUR_PREFIXES):
                error = f"{key} is reserved for KubeSpawner or this collection: use another key"
            if error:
                errors.append(f"{spec.position} ({spec.name}): {what} {error}")


class _Memo:
    """Parses each distinct size once: ten thousand users have a few sizes."""

    def __init__(self, parse: Callable[[str], int]) -> None:
        self._parse = parse
        self._known: dict[str, tuple[int, str]] = {}

    def get(self, text: str) -> tuple[int, str]:
        """Return (value, "") or (0, error)."""
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
    """Return the entries of several lists as one list, and an error for each home that two lists name.

    An entry of a list replaces the hub's entry of the same home.
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
