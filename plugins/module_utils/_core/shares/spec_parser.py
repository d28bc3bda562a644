# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shares of an inventory or a file, read and checked.

Every module about shares takes the same list and checks all of it, so the first of them reports what is wrong, before
anything is written.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ..._hub.acl_format import LEVELS
from ..metadata import (
    ABSENT,
    NAMESPACE,
    OUR_PREFIX,
    PRESENT,
    RETIRED,
    STATES,
    annotation_error,
    claim_name_error,
    label_error,
)
from ..quantity import QuantityError, parse_size
from ..text import did_you_mean
from ..validation import (
    PlacedList,
    describe_value,
    is_huge,
    quoted,
    quoting_hint,
    text_of,
    texts_of,
    unknown_keys,
)
from .backend_spec import DYNAMIC, EXISTING_CLAIM, STORAGE_CLASS, Backend, read_backend
from .directory_spec import read_directories, read_directory, read_id, read_mode
from .grant_spec import read_grants
from .naming import reserved_name
from .overlaps import nested_mounts, shared_data
from .paths import mount_path_error, normalised, place_errors
from .spec import ShareSpec

KNOWN_KEYS = (
    "name",
    "level",
    "size",
    "mount_path",
    "gid",
    "until",
    "backend",
    "adopt",
    "namespaces",
    "read",
    "write",
    "distinct_from",
    "directories",
    "directory",
    "owner",
    "mode",
    "labels",
    "annotations",
    "state",
)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
# KubeSpawner and charts put these on homes and on the hub's own claim. A share with them would be taken for one.
_RESERVED_PREFIXES = (OUR_PREFIX, "hub.jupyter.org/")
_RESERVED_LABELS = ("component", "app.kubernetes.io/component")


class PositionedList(list[Any]):
    """A list of shares from several sources: ``positions`` says of each item where it is (`shares[3]`, `shares.yml line 12`)."""

    def __init__(self, items: Iterable[Any], positions: Sequence[str]) -> None:
        super().__init__(items)
        self.positions = positions


def positions_of(raw: Sequence[Any], source: str) -> list[str]:
    """Return where each item of a list is, for messages: `shares[3]`, or `shares.yml line 12` when lines are known."""
    if isinstance(raw, PositionedList):
        return list(raw.positions)
    if isinstance(raw, PlacedList):
        return [f"{source} line {line}" for line in raw.lines]
    return [f"{source}[{index}]" for index in range(len(raw))]


def parse_shares(
    raw: object, source: str, home: str, roots: Sequence[str] = (), run_state: str = PRESENT
) -> tuple[list[ShareSpec], list[str]]:
    """Return the specs of a list of shares, and a sentence without a full stop for each error.

    ``raw`` is the list as YAML, JSON or Ansible loads it. ``home`` is where servers mount the home, ``roots`` are other
    paths below which shares may be mounted. ``run_state`` is the state of shares without one. A retired or absent share
    needs only its name. The specs are valid only when there is no error.
    """
    if not isinstance(raw, (list, tuple)):
        return [], [
            f"{source}: shares must be a list, not {describe_value(raw)}: write a list, each item a mapping with `name` and "
            "`level`"
        ]
    errors = place_errors(home, roots)
    if errors:
        # Mount paths cannot be checked then. Everything else is.
        home, roots = "", ()
    specs: list[ShareSpec] = []
    seen: dict[str, str] = {}
    for position, item in zip(positions_of(raw, source), raw):
        wrong: list[str] = []
        spec = _ItemReader(home, roots, run_state, wrong).read(item, position)
        if spec is not None:
            first = seen.setdefault(spec.name, position)
            if first != position:
                wrong.append(f"the share is already listed at {first}: remove one of the two")
            specs.append(spec)
        who = f"{position} ({spec.name})" if spec is not None else position
        errors += [f"{who}: {error}" for error in wrong]
    # Shares with other errors are compared too, so that one run reports everything.
    different = [spec for spec in specs if seen[spec.name] == spec.position]
    errors += nested_mounts([spec for spec in different if spec.mount_path])
    errors += shared_data(different)
    return specs, errors


class _ItemReader:
    """Reads one share. What is wrong with it is appended to ``errors``."""

    def __init__(self, home: str, roots: Sequence[str], run_state: str, errors: list[str]) -> None:
        self.home = home
        self.roots = roots
        self.run_state = run_state
        self.errors = errors

    def read(self, item: object, position: str) -> Optional[ShareSpec]:
        """Return the spec of an item of the list, None when it has no usable name."""
        errors = self.errors
        if not isinstance(item, Mapping):
            errors.append(f"a share must be a mapping with `name` and `level`, not {describe_value(item)}")
            return None
        errors += [
            f"unknown key {quoted(key)}{did_you_mean(key, KNOWN_KEYS)}: the known keys are {', '.join(KNOWN_KEYS)}"
            for key in unknown_keys(item, KNOWN_KEYS, errors)
        ]
        name = _name_of(item, errors)
        if name is None:
            return None
        state = text_of(item, "state", errors)
        if state is not None and state not in STATES:
            errors.append(f"`state` is {quoted(state)}{did_you_mean(state, STATES)}: write one of {', '.join(STATES)}")
        is_present = (state or self.run_state) not in (RETIRED, ABSENT)
        level = _level_of(item, is_present, errors)
        backend = self._backend(item)
        size, size_text = _size_of(item, errors)
        read, write = read_grants(item, "read", level, errors), read_grants(item, "write", level, errors)
        claim = backend.claim if backend.type == EXISTING_CLAIM and backend.claim else name
        if reserved_name(claim) and is_present:
            errors.append(f"claim {claim} is {reserved_name(claim)} and cannot be a share: use another claim or name")
        return ShareSpec(
            name=name,
            level=level,
            claim=claim,
            size=size,
            size_text=size_text,
            mount_path=self._mount_path(item, name, is_present),
            gid=read_id(item, "gid", errors),
            until=_until_of(item, errors),
            backend=backend,
            namespaces=_namespaces_of(item, errors),
            read=read,
            write=write,
            distinct_from=_distinct_from(item, name, errors),
            directories=read_directories(item, errors),
            directory=read_directory(item, errors),
            owner=read_id(item, "owner", errors),
            mode=read_mode(item, level, errors),
            labels=_metadata_of(item, "labels", errors),
            annotations=_metadata_of(item, "annotations", errors),
            state=state,
            position=position,
            adopt=_adopt_of(item, backend, errors),
        )

    def _backend(self, item: Mapping[Any, object]) -> Backend:
        known = len(self.errors)
        backend = read_backend(item, self.errors)
        return DYNAMIC if len(self.errors) > known else backend

    def _mount_path(self, item: Mapping[Any, object], name: str, is_present: bool) -> str:
        """Return where the share is mounted, "" for an invalid path and for a share that is not to be present."""
        known = len(self.errors)
        mount_path = text_of(item, "mount_path", self.errors)
        if not is_present:
            return ""
        mount_path = mount_path or f"{self.home.rstrip('/')}/{name}"
        wrong = mount_path_error(mount_path, normalised(self.home), self.roots) if self.home else None
        if wrong:
            self.errors.append(f"`mount_path` {wrong}")
        return mount_path if len(self.errors) == known else ""


def _name_of(item: Mapping[Any, object], errors: list[str]) -> Optional[str]:
    name = item.get("name")
    if not isinstance(name, str):
        errors.append(
            "`name` is missing: every share needs one"
            if name is None
            else f"`name` is {describe_value(name)}: {quoting_hint(name)}"
        )
        return None
    wrong = claim_name_error(name)
    if wrong:
        errors.append(
            f"the name {quoted(name)} {wrong}: it is also the name of the claim, so write one that is valid for both"
        )
        return None
    return name


def _level_of(item: Mapping[Any, object], is_present: bool, errors: list[str]) -> str:
    level = item.get("level")
    if level is None:
        if is_present:
            errors.append(f"`level` is missing: write one of {', '.join(LEVELS)}")
        return ""
    if not isinstance(level, str) or level not in LEVELS:
        word = quoted(level) + did_you_mean(level, LEVELS) if isinstance(level, str) else describe_value(level)
        errors.append(f"the level {word} is unknown: write one of {', '.join(LEVELS)}")
        return ""
    return level


def _size_of(item: Mapping[Any, object], errors: list[str]) -> tuple[Optional[int], str]:
    size = item.get("size")
    if size is None:
        return None, ""
    if isinstance(size, int) and not isinstance(size, bool) and not is_huge(size):
        size = str(size)
    if not isinstance(size, str):
        errors.append(f"`size` is {describe_value(size)}: write a quantity such as `100Gi`")
        return None, ""
    try:
        return parse_size(size), size
    except QuantityError as error:
        errors.append(f"`size`: {error}")
        return None, size or "nothing"  # so that it is not reported as missing too


def _adopt_of(item: Mapping[Any, object], backend: Backend, errors: list[str]) -> bool:
    adopt = item.get("adopt")
    if adopt is None:
        return False
    if not isinstance(adopt, bool):
        errors.append(f"`adopt` is {describe_value(adopt)}: write true or false")
        return False
    if adopt and backend.type != STORAGE_CLASS:
        errors.append(
            f"`adopt` is only for shares of a storage class, and the backend {backend.type} names its data already, so that an "
            "existing claim of that data is adopted without it: remove `adopt`"
        )
    return adopt


def _until_of(item: Mapping[Any, object], errors: list[str]) -> Optional[str]:
    until = item.get("until")
    if until is None:
        return None
    if type(until) is datetime.date:  # pylint: disable=unidiomatic-typecheck
        return until.isoformat()
    if isinstance(until, str) and _DAY.match(until):
        try:
            return datetime.date.fromisoformat(until).isoformat()
        except ValueError:
            pass
    what = quoted(until) if isinstance(until, str) else describe_value(until)
    errors.append(f"`until` is {what}, which is not a day: write the last day of the grants, such as 2027-03-31")
    return None


def _namespaces_of(item: Mapping[Any, object], errors: list[str]) -> tuple[str, ...]:
    namespaces = item.get("namespaces")
    if namespaces is None:
        return ()
    if not isinstance(namespaces, (list, tuple)) or not namespaces:
        errors.append(
            f"`namespaces` is {'empty' if namespaces == [] else describe_value(namespaces)}: list at least one, or remove it "
            "to use those of the run"
        )
        return ()
    found = [name for name in namespaces if isinstance(name, str) and NAMESPACE.match(name)]
    for name in namespaces:
        if name not in found:
            errors.append(
                f"`namespaces` has {quoted(name) if isinstance(name, str) else describe_value(name)}, which is not a namespace "
                "name: write lower-case letters, digits and '-', at most 63"
            )
    if len(set(found)) < len(found):
        errors.append("`namespaces` lists a namespace twice: remove one")
    return tuple(found)


def _distinct_from(item: Mapping[Any, object], name: str, errors: list[str]) -> tuple[str, ...]:
    value = item.get("distinct_from")
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        errors.append(
            f"`distinct_from` must be a list, not {describe_value(value)}: write `distinct_from: [SHARE, ...]`"
        )
        return ()
    found = []
    for other in value:
        if not isinstance(other, str):
            errors.append(
                f"`distinct_from` has {describe_value(other)} instead of the name of a share: {quoting_hint(other)}"
            )
        elif other == name:
            errors.append("`distinct_from` names the share itself: remove it")
        elif claim_name_error(other):
            errors.append(
                f"`distinct_from` has {quoted(other)}, which is not the name of a share: correct or remove it"
            )
        else:
            found.append(other)
    return tuple(found)


def _metadata_of(item: Mapping[Any, object], key: str, errors: list[str]) -> Mapping[str, str]:
    extras = texts_of(item, key, errors)
    for name, value in extras.items():
        wrong = label_error(name, value) if key == "labels" else annotation_error(name, value)
        if wrong is None and (name.startswith(_RESERVED_PREFIXES) or (key == "labels" and name in _RESERVED_LABELS)):
            wrong = f"{name} identifies a claim and its owner, and only the collection and the hub set it: remove it"
        if wrong:
            errors.append(f"`{key}`: {wrong}")
    return extras
