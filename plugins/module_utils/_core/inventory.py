# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists of an inventory: entries that are retired or absent, overrides by name, and the variables of a role.

``source`` is what messages call a list: an option of a module (``retired``) or a variable of a role
(``shares_retired``). Messages have no full stop.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from .metadata import ABSENT, RETIRED
from .text import did_you_mean, nearest, quote_list
from .validation import describe_value, is_huge, is_list_text, octal_error, quoted, quoting_hint
from .visible import visible

#: How deeply the options of a task may be nested. A share needs six levels.
_MOST_LEVELS = 100
#: Longer than any number of an option.
_MOST_DIGITS = 20
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)\Z")


def list_error(raw: object, source: str) -> Optional[str]:
    """Return why ``raw`` is not a list, None if it is one or is empty.

    A text is rejected too: its letters would become entries, or the whole text one entry.
    """
    if not raw or isinstance(raw, (list, tuple)):
        return None
    return (
        f"{source} must be a list, not {describe_value(raw)}: in YAML, write one item per line after `- `, on the command line "
        f'-e \'{{"VARIABLE": ["NAME"]}}\''
    )


def list_text_error(values: Sequence[object], source: str, items: bool = True) -> Optional[str]:
    """Return why a list is not one, None if it is: Ansible splits a text at its commas, and so makes a list of it.

    Found is what begins and ends like a list in JSON, Python or YAML, and a text of several lines. With ``items``, so are
    items that look like lists.
    """
    first, last = (values[0], values[-1]) if values else ("", "")
    if isinstance(first, str) and isinstance(last, str):
        begin, end = first.lstrip(), last.rstrip()[-1:]
        is_whole = begin.startswith(("[", "{", "('", '("')) and end in ("]", "}", ")")
        if is_whole or (len(values) == 1 and (begin.startswith("- ") or len(first.splitlines()) > 1)):
            return list_error(",".join(value for value in values if isinstance(value, str)), source)
    for index, value in enumerate(values if items else ()):
        if isinstance(value, str) and is_list_text(value):
            return (
                f"{source}[{index}] is the text {quoted(value)}, which looks like a list: write each of its items as an item of "
                f"{source}"
            )
    return None


def number_error(value: object, source: str) -> Optional[str]:
    """Return why a value is not an integer that means the same to everybody, None if it is one or is not set.

    Ansible would read "1_000" and full-width digits too, fail on infinity, and compute 1e999999 for minutes.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if octal_error(value):
            return f"{source} is the text {quoted(value)}, which {octal_error(value)}"
        is_number = len(value) <= _MOST_DIGITS and _INTEGER.match(value) is not None
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        is_number = abs(value) < 10**_MOST_DIGITS and value == int(value)
    else:
        is_number = False
    return None if is_number else f"{source} is {describe_value(value)}: write a whole number, such as 10"


def typed_errors(options: Mapping[str, Any]) -> list[str]:
    """Return what JSON would change or not accept in the options of a task, a sentence without a full stop each.

    JSON has only text as keys, so `on:` and `010:` would become the keys "true" and "8". Integers of thousands of digits and
    lists in hundreds of levels cannot be passed at all.
    """
    errors = []
    pending: deque[tuple[str, Any, int]] = deque((str(name), value, 0) for name, value in options.items())
    while pending:
        place, value, level = pending.popleft()
        if is_huge(value):
            errors.append(f"{place} is {describe_value(value)}: correct it")
        elif level > _MOST_LEVELS:
            errors.append(
                f"{place.split('[')[0].split('.')[0]} has more than {_MOST_LEVELS} levels of lists: correct it"
            )
            break
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                if isinstance(key, str):
                    pending.append((f"{place}.{visible(key)}", inner, level + 1))
                else:
                    errors.append(f"{place} has {describe_value(key)} as a key, but keys are text: {quoting_hint(key)}")
        elif isinstance(value, (list, tuple)):
            pending += [
                (f"{place}[{index}]", item, level + 1)
                for index, item in enumerate(value)
                if isinstance(item, (Mapping, list, tuple, int))
            ]
    return errors


def entries_with_state(raw: Any, source: str, state: str, errors: list[str]) -> list[Any]:
    """Return the entries of a list whose members all have ``state``, as mappings with that state.

    Names become mappings. What is neither a name nor a mapping is returned as it is, for the parser of the entries to
    reject. An entry with another ``state`` is an error.
    """
    wrong = list_error(raw, source)
    if wrong is not None:
        errors.append(wrong)
        return []
    entries: list[Any] = []
    for index, item in enumerate(raw or ()):
        if isinstance(item, str):
            entries.append({"name": item, "state": state})
        elif isinstance(item, Mapping):
            own = item.get("state")
            if own not in (None, state):
                errors.append(
                    f"{source}[{index}] ({_shown(item.get('name', 'no name'))}) has `state: {_shown(own)}`, but the entries of "
                    f"{source} are {state}: remove `state` from the entry, or move the entry to another list"
                )
            entries.append({**item, "state": state})
        else:
            entries.append(item)
    return entries


def names_of(raw: Any) -> list[str]:
    """Return the names of the entries of a list, as texts. Entries without a name, or with a list as one, are left out."""
    entries = raw if isinstance(raw, (list, tuple)) else ()
    names = [item.get("name") if isinstance(item, Mapping) else item for item in entries]
    return [
        describe_value(name) if is_huge(name) else str(name)
        for name in names
        if name is not None and not isinstance(name, (Mapping, list, tuple, set))
    ]


def _shown(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 80 else describe_value(value)


def overrides_error(raw: object, source: str) -> Optional[str]:
    """Return why ``raw`` is not a mapping of names to mappings, None if it is one or is empty."""
    if not raw or (isinstance(raw, Mapping) and all(isinstance(keys, Mapping) for keys in raw.values())):
        return None
    return (
        f"{source} must be a dictionary of dictionaries: write the name of a share, and below it the keys that differ"
    )


def override_errors(names: Sequence[str], overrides: Mapping[Any, Any], source: str, list_source: str) -> list[str]:
    """Return a sentence for each override of an unknown share, and for each that renames its share."""
    errors = []
    for name, keys in overrides.items():
        if not isinstance(name, str):
            errors.append(f"{source}: {describe_value(name)} is not the name of a share: {quoting_hint(name)}")
            continue
        if name not in names:
            there = f"it has {', '.join(sorted(names))}" if names else "it has none"
            errors.append(
                f"{source}: {name} is not a share in {list_source}{did_you_mean(str(name), names)}: correct the name ({there}), "
                f"or add a share that only this environment has to a list of its own"
            )
        if "name" in keys:
            errors.append(
                f"{source}: {name} sets `name`, but a share with another name is another share: remove `name`"
            )
    return errors


def overridden(entries: Sequence[Any], overrides: Mapping[Any, Mapping[Any, Any]]) -> list[Any]:
    """Return the entries with their overrides. Each key of an override replaces that of the entry, whole."""
    return [
        {**item, **overrides[item["name"]]}
        if isinstance(item, Mapping) and isinstance(item.get("name"), str) and item["name"] in overrides
        else item
        for item in entries
    ]


def repeated_names(lists: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each name that is on more than one of the lists."""
    places: dict[str, list[str]] = {}
    for source, raw in lists.items():
        for name in dict.fromkeys(names_of(raw)):
            places.setdefault(name, []).append(source)
    return [
        f"{name} is on {quote_list(sources)}: remove it from all but one"
        for name, sources in places.items()
        if sources[1:]
    ]


def unknown_variables(names: Iterable[str], role: str, known: Sequence[str], results: Sequence[str] = ()) -> list[str]:
    """Return a sentence for each variable with the role's prefix that the role does not know.

    Ansible's own validation ignores such names, so a misspelt `homes_retention` would have no effect.
    """
    # Compared without the prefix, which makes all of them alike.
    words = {name[len(role) + 1 :]: name for name in known}
    errors = []
    for name in sorted(set(names) - set(known) - set(results)):
        near = nearest(name[len(role) + 1 :], words)
        guess = f" (did you mean `{words[near]}`?)" if near is not None else ""
        errors.append(
            f"{name} is not a variable of the role {role}{guess}: correct it, or rename a variable of your own (the role has "
            f"{', '.join(sorted(known))})"
        )
    return errors


def role_errors(
    names: Iterable[str], role: str, known: Sequence[str], results: Sequence[str], values: Mapping[str, Any]
) -> list[str]:
    """Return everything that is wrong with the variables of a role.

    ``names`` are the variables with the role's prefix that are set, ``known`` those that the role documents, ``results``
    those that it registers. ``values`` holds the lists, and overrides if there are any, by variable. A value of a wrong
    type hides the other errors.
    """
    retired, absent, overrides = (f"{role}_{word}" for word in (RETIRED, ABSENT, "overrides"))
    types = [
        overrides_error(value, name) if name == overrides else list_error(value, name) for name, value in values.items()
    ]
    errors = [visible(error) for error in types if error is not None]
    if errors:
        return errors
    errors = unknown_variables(names, role, known, results)
    entries_with_state(values.get(retired), retired, RETIRED, errors)
    entries_with_state(values.get(absent), absent, ABSENT, errors)
    if overrides in values:
        source = f"{role}_list"
        errors += override_errors(names_of(values.get(source)), values[overrides] or {}, overrides, source)
        errors += repeated_names({name: values.get(name) for name in (source, retired, absent)})
    return [visible(error) for error in errors]
