# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shares of an inventory or a file, made into entries of one form, or refused.

Every module about shares takes the same list and checks all of it, so that what is wrong is told by the first of them,
before anything is written.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..._hub.access import LEVELS
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
from ..validation import NOTHING, PlacedList, described, quoting, shown, text_of, texts_of
from .backend_spec import DYNAMIC, EXISTING_CLAIM, Backend, read_backend
from .grant_spec import NOBODY, Grants, read_grants
from .paths import absolute_error, mount_path_error, nested_mounts, normalised, place_errors, shared_data
from .reserved import reserved_name

KNOWN_KEYS = (
    "name",
    "level",
    "size",
    "mount_path",
    "gid",
    "until",
    "backend",
    "namespaces",
    "read",
    "write",
    "directories",
    "directory",
    "owner",
    "mode",
    "labels",
    "annotations",
    "state",
)
DEFAULT_MODE = "2770"
#: The largest id of a user: the one above means "leave it" to chown(2). Pods take no group above 2^31 - 1 (Kubernetes,
#: ``IsValidGroupID``).
LARGEST_ID = {"owner": 2**32 - 2, "gid": 2**31 - 1}

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_MODE = re.compile(r"0{0,2}[0-7]{3,4}\Z")
_DIGITS = re.compile(r"[0-9]{1,10}\Z", re.ASCII)
# What KubeSpawner and charts put on homes and on the hub's own claim: a share with these would be taken for one.
_RESERVED_PREFIXES = (OUR_PREFIX, "hub.jupyter.org/")
_RESERVED_LABELS = ("component", "app.kubernetes.io/component")


def _nothing() -> Mapping[str, str]:
    return NOTHING


@dataclass(frozen=True)
class ShareSpec:
    """One share that is wanted, or wanted away.

    ``claim`` is the name of its PVC in each namespace, ``size`` is in bytes (None: not said) with ``size_text`` as it was
    written, ``until`` is the last day it is granted (YYYY-MM-DD), ``namespaces`` empty means those of the run, ``directory``
    empty means the name, and ``position`` is for sentences: ``shares[3]`` or ``shares.yml line 12``.
    """

    name: str
    level: str = ""
    claim: str = ""
    size: Optional[int] = None
    size_text: str = ""
    mount_path: str = ""
    gid: Optional[int] = None
    until: Optional[str] = None
    backend: Backend = DYNAMIC
    namespaces: tuple[str, ...] = ()
    read: Grants = NOBODY
    write: Grants = NOBODY
    directories: tuple[str, ...] = ()
    directory: str = ""
    owner: Optional[int] = None
    mode: str = DEFAULT_MODE
    labels: Mapping[str, str] = field(default_factory=_nothing)
    annotations: Mapping[str, str] = field(default_factory=_nothing)
    state: Optional[str] = None
    position: str = ""


def positions_of(raw: Sequence[Any], source: str) -> list[str]:
    """Where each item of a list stands, for sentences: `shares[3]`, or `shares.yml line 12` where lines are known."""
    if isinstance(raw, PlacedList):
        return [f"{source} line {line}" for line in raw.lines]
    return [f"{source}[{index}]" for index in range(len(raw))]


def parse_shares(
    raw: object,
    source: str,
    home: str,
    roots: Sequence[str] = (),
    positions: Optional[Sequence[str]] = None,
    run_state: str = PRESENT,
) -> tuple[list[ShareSpec], list[str]]:
    """The entries of a list of shares, and a sentence for each fault (without a full stop).

    ``raw`` is what YAML, JSON or Ansible made of the list. ``home`` is where servers mount the home, ``roots`` are the other
    paths below which shares may be mounted. ``positions`` are those of the items where the list was put together of several.
    ``run_state`` is that of shares that say none: what goes needs its name alone.
    The entries are of use only when there is no sentence.
    """
    if not isinstance(raw, (list, tuple)):
        return [], [
            f"{source}: {described(raw)} stands where a list of shares should: write a list, each item a mapping with `name` and "
            "`level`"
        ]
    errors = place_errors(home, roots)
    if errors:
        # Where shares may be mounted is not known then; the rest is looked at all the same.
        home, roots = "", ()
    specs: list[ShareSpec] = []
    seen: dict[str, str] = {}
    for position, item in zip(positions or positions_of(raw, source), raw):
        wrong: list[str] = []
        spec = _read_item(item, position, home, roots, run_state, wrong)
        if spec is not None:
            first = seen.setdefault(spec.name, position)
            if first != position:
                wrong.append(f"the share is listed already at {first}: remove one of the two")
            specs.append(spec)
        who = f"{position} ({spec.name})" if spec is not None else position
        errors += [f"{who}: {error}" for error in wrong]
    # Those too that have other faults, so that these are not all that is told.
    different = [spec for spec in specs if seen[spec.name] == spec.position]
    errors += nested_mounts([spec for spec in different if spec.mount_path])
    errors += shared_data(different)
    return specs, errors


def _read_item(
    item: object, position: str, home: str, roots: Sequence[str], run_state: str, errors: list[str]
) -> Optional[ShareSpec]:
    """The entry of one item, None where not even its name is known; what is wrong goes to ``faults``."""
    if not isinstance(item, Mapping):
        errors.append(f"{described(item)} stands where a share should: write a mapping with `name` and `level`")
        return None
    errors += [
        f"the key {shown(str(key))} is unknown{did_you_mean(str(key), KNOWN_KEYS)}: known are {', '.join(KNOWN_KEYS)}"
        for key in item
        if key not in KNOWN_KEYS
    ]
    name = _name_of(item, errors)
    if name is None:
        return None
    state = text_of(item, "state", errors)
    if state is not None and state not in STATES:
        errors.append(f"`state` is {shown(state)}{did_you_mean(state, STATES)}: write one of {', '.join(STATES)}")
    going = (state or run_state) in (RETIRED, ABSENT)
    level = _level_of(item, going, errors)
    known = len(errors)
    backend = read_backend(item, errors)
    if len(errors) > known:
        backend = DYNAMIC  # where its data is is not known
    size, size_text = _size_of(item, errors)
    read, write = read_grants(item, "read", level, errors), read_grants(item, "write", level, errors)
    claim = backend.claim if backend.type == EXISTING_CLAIM and backend.claim else name
    if reserved_name(claim) and not going:
        errors.append(f"the claim {claim} is {reserved_name(claim)}, and is never made a share: name another one")
    known = len(errors)
    mount_path = text_of(item, "mount_path", errors)
    if not going:
        mount_path = mount_path or f"{home.rstrip('/')}/{name}"
        wrong = mount_path_error(mount_path, normalised(home), roots) if home else None
        if wrong:
            errors.append(f"`mount_path` {wrong}")
    if going or len(errors) > known:
        mount_path = None  # what goes is mounted nowhere, so its path is free for another
    return ShareSpec(
        name=name,
        level=level,
        claim=claim,
        size=size,
        size_text=size_text,
        mount_path=mount_path or "",
        gid=_id_of(item, "gid", errors),
        until=_until_of(item, errors),
        backend=backend,
        namespaces=_namespaces_of(item, errors),
        read=read,
        write=write,
        directories=_directories_of(item, errors),
        directory=_directory_of(item, errors),
        owner=_id_of(item, "owner", errors),
        mode=_mode_of(item, level, errors),
        labels=_extras_of(item, "labels", errors),
        annotations=_extras_of(item, "annotations", errors),
        state=state,
        position=position,
    )


def _name_of(item: Mapping[Any, object], errors: list[str]) -> Optional[str]:
    name = item.get("name")
    if not isinstance(name, str):
        errors.append(
            "`name` is missing: each share needs one"
            if name is None
            else f"`name` is {described(name)}: {quoting(name)}"
        )
        return None
    wrong = claim_name_error(name)
    if wrong:
        errors.append(
            f"the name {shown(name)} {wrong}: it is the name of its claim too, so write one that both may have"
        )
        return None
    return name


def _level_of(item: Mapping[Any, object], going: bool, errors: list[str]) -> str:
    level = item.get("level")
    if level is None:
        if not going:
            errors.append(f"`level` is missing: write one of {', '.join(LEVELS)}")
        return ""
    if not isinstance(level, str) or level not in LEVELS:
        word = shown(level) + did_you_mean(level, LEVELS) if isinstance(level, str) else described(level)
        errors.append(f"the level {word} is none: write one of {', '.join(LEVELS)}")
        return ""
    return level


def _size_of(item: Mapping[Any, object], errors: list[str]) -> tuple[Optional[int], str]:
    size = item.get("size")
    if size is None:
        return None, ""
    if isinstance(size, int) and not isinstance(size, bool):
        size = str(size)
    if not isinstance(size, str):
        errors.append(f"`size` is {described(size)}: write a quantity such as `100Gi`")
        return None, ""
    try:
        return parse_size(size), size
    except QuantityError as error:
        errors.append(f"`size`: {error}")
        return None, size or "nothing"  # what was said already is not asked for again


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
    what = shown(until) if isinstance(until, str) else described(until)
    errors.append(f"`until` is {what}, which is no day: write the last day on which it is granted, such as 2027-03-31")
    return None


def _id_of(item: Mapping[Any, object], key: str, errors: list[str]) -> Optional[int]:
    number = item.get(key)
    if number is None:
        return None
    if isinstance(number, str) and _DIGITS.match(number):
        number = int(number)  # templates make text of numbers
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST_ID[key]:
        errors.append(
            f"`{key}` is {described(number)}: write the number of a {'user' if key == 'owner' else 'group'}, such as 5000"
        )
        return None
    return number


def _mode_of(item: Mapping[Any, object], level: str, errors: list[str]) -> str:
    mode = item.get("mode")
    if mode is None:
        return DEFAULT_MODE
    if not isinstance(mode, str) or not _MODE.match(mode):
        errors.append(
            f'`mode` is {described(mode)}: write it in quotes, in octal digits, such as "2770" (without quotes YAML reads '
            "another number)"
        )
        return DEFAULT_MODE
    plain = mode.lstrip("0").rjust(4, "0")
    bits = int(plain, 8)
    if bits & 0o4000:
        errors.append(f"`mode` {mode} sets the user id on a directory, where that means nothing: leave the 4 out")
    elif bits & 0o500 != 0o500:
        errors.append(f"`mode` {mode} keeps the owner out, so nobody could look after it: begin with 7, such as 2770")
    elif bits & 0o007 and level in ("private", "secret"):
        errors.append(
            f"`mode` {mode} lets everyone in who reaches the server, and the share is {level}: end it with 0, such as 2770"
        )
    return plain


def _namespaces_of(item: Mapping[Any, object], errors: list[str]) -> tuple[str, ...]:
    namespaces = item.get("namespaces")
    if namespaces is None:
        return ()
    if not isinstance(namespaces, (list, tuple)) or not namespaces:
        errors.append(
            f"`namespaces` is {'empty' if namespaces == [] else described(namespaces)}: write a list of at least one, or leave "
            "it out for those of the run"
        )
        return ()
    found = [name for name in namespaces if isinstance(name, str) and NAMESPACE.match(name)]
    for name in namespaces:
        if name not in found:
            errors.append(
                f"`namespaces` has {shown(name) if isinstance(name, str) else described(name)}, which is no name of a namespace: "
                "write lower-case letters, digits and '-', at most 63"
            )
    if len(set(found)) < len(found):
        errors.append("`namespaces` names one namespace twice: remove one")
    return tuple(found)


def relative_error(path: str) -> Optional[str]:
    """What is wrong with a path that must lie below another one, as a clause; None when nothing is."""
    if not path or path == ".":
        return f"{shown(path)} names no directory: write one, such as a/b"
    if path.startswith("/"):
        return f"{shown(path)} is absolute: write it relative to the share"
    wrong = absolute_error("/" + path, "a/b")
    if wrong is None:
        return None
    if ".." in path.split("/"):
        return f"{shown(path)} contains `..`, which leads out of the share: write the path that is meant"
    if "control character" in wrong:
        return f"{shown(path)} contains a control character: remove it"
    return f"{shown(path)} is not in its shortest form: write {normalised('/' + path)[1:]}"


def _directories_of(item: Mapping[Any, object], errors: list[str]) -> tuple[str, ...]:
    directories = item.get("directories")
    if directories is None:
        return ()
    if not isinstance(directories, (list, tuple)):
        errors.append(f"`directories` is {described(directories)}, not a list: write `directories: [NAME, ...]`")
        return ()
    found = []
    for directory in directories:
        if not isinstance(directory, str):
            errors.append(f"`directories` has {described(directory)} where a path should be: {quoting(directory)}")
            continue
        wrong = relative_error(directory)
        if wrong:
            errors.append(f"`directories`: {wrong}")
            continue
        found.append(directory)
    for directory in sorted({name for name in found if found.count(name) > 1}):
        errors.append(f"`directories` names {shown(directory)} twice: remove one")
    return tuple(found)


def _directory_of(item: Mapping[Any, object], errors: list[str]) -> str:
    directory = text_of(item, "directory", errors)
    if directory is None:
        return ""
    wrong = relative_error(directory)
    if wrong:
        errors.append(f"`directory` {wrong}")
    return directory


def _extras_of(item: Mapping[Any, object], key: str, errors: list[str]) -> Mapping[str, str]:
    extras = texts_of(item, key, errors)
    for name, value in extras.items():
        wrong = label_error(name, value) if key == "labels" else annotation_error(name, value)
        if wrong is None and (name.startswith(_RESERVED_PREFIXES) or (key == "labels" and name in _RESERVED_LABELS)):
            wrong = f"{name} says what a claim is and whose, and is written by the collection or by the hub alone: remove it"
        if wrong:
            errors.append(f"`{key}`: {wrong}")
    return extras
