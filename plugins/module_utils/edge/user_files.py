# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of users, which a module opens itself: JSON, YAML, and CSV with a header.

Ansible would take seconds to carry 10,000 users through variables; a path costs nothing.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Iterator
from typing import Any

from ..pure.inputs import PlacedList, shown
from ..pure.text import did_you_mean, quote_list
from .errors import EdgeError

try:
    import yaml

    YAML_ERROR: Exception | None = None
except ImportError as error:  # told when a YAML file is read
    YAML_ERROR = error

#: The columns of a CSV file, besides `label:KEY` and `annotation:KEY`.
COLUMNS = ("name", "server", "claim", "size", "storage_class", "state")
_PREFIXES = {"label": "labels", "annotation": "annotations"}

_KINDS = {".json": "JSON", ".yml": "YAML", ".yaml": "YAML", ".csv": "CSV"}


class UserFileError(EdgeError):
    """A file of users cannot be read: one sentence, without a full stop, with the file, the place and the way out."""

    mends = False


def load_users_file(path: str) -> list[Any]:
    """The raw list of users in a file, for `parse_entries`; a PlacedList, with lines, where these are known.

    The extension chooses: `.json`, `.yml` and `.yaml` hold a list, or a mapping with the one key `users`; `.csv` has a
    header with some of `COLUMNS`, `label:KEY` and `annotation:KEY`, a cell left blank being "not said". An empty list
    is a list; an empty file is refused, for it may be an export that broke off. Raises UserFileError.
    """
    kind = _KINDS.get(os.path.splitext(path)[1].lower())
    if kind is None:
        extension = os.path.splitext(path)[1] or "(none)"
        raise UserFileError(
            f"The users file {path} has the extension {extension}, which says nothing of its form: "
            f"name it {', '.join(_KINDS)}"
        )
    text = _read(path, kind)
    if kind == "CSV":
        return _from_csv(path, text)
    return _from_json(path, text) if kind == "JSON" else _from_yaml(path, text)


def _read(path: str, kind: str) -> str:
    try:
        # Not blocking, for a named pipe that nobody writes to would hold the run for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UserFileError(f"The users file {path} is no regular file: give the path of a file")
            data = file.read()
    except FileNotFoundError:
        raise UserFileError(
            f"The users file {path} does not exist on the host that runs the task: correct the path"
        ) from None
    except IsADirectoryError:
        raise UserFileError(f"The users file {path} is a directory: give the path of a file") from None
    except PermissionError:
        raise UserFileError(
            f"The users file {path} may not be read by the user that runs the task: change its mode or owner"
        ) from None
    except OSError as failure:
        raise UserFileError(f"The users file {path} cannot be read ({failure.strerror or failure}): check it") from None
    except ValueError:
        raise UserFileError(f"The path of the users file, {shown(path)}, is no path: correct it") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserFileError(f"The users file {path} is in UTF-16: save it in UTF-8 (in Excel: CSV UTF-8)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        offset = failure.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        line = data.count(b"\n", 0, offset) + 1
        raise UserFileError(
            f"The users file {path} is not in UTF-8: byte {offset} is 0x{data[offset]:02x}, in line {line}; save it in "
            "UTF-8"
        ) from None
    if text.startswith("$ANSIBLE_VAULT;"):
        raise UserFileError(
            f"The users file {path} is encrypted with Ansible Vault, which only Ansible opens: decrypt it, or load it "
            "with `vars_files` and hand its list to `users`"
        )
    if not text.strip():
        empty = "its header alone" if kind == "CSV" else "`[]`"
        raise UserFileError(
            f"The users file {path} is empty, as after an export that broke off: write {empty} if there are no users"
        )
    return text


def _users_in(path: str, content: object) -> object:
    """The value of the one key `users`, where the file holds a mapping; the list is looked at by the caller."""
    if isinstance(content, dict):
        others = [str(key) for key in content if key != "users"]
        if "users" not in content:
            raise UserFileError(
                f"The users file {path} holds a mapping without the key `users`, but with "
                f"{quote_list([shown(other) for other in others]) or 'no key at all'}"
                f"{did_you_mean(others[0], ['users']) if len(others) == 1 else ''}: write a list, or `users:` above it"
            )
        if others:
            raise UserFileError(
                f"The users file {path} holds more than the key `users`: move "
                f"{quote_list([shown(other) for other in others])} elsewhere"
            )
        content = content["users"]
    if not isinstance(content, list):
        raise UserFileError(
            f"The users file {path} holds {_kind_of(content)} where a list of users should be: write a list, each item "
            "a name or a mapping with `name`, and `[]` if there are no users"
        )
    return content


def _kind_of(content: object) -> str:
    if content is None:
        return "nothing (null)"
    if isinstance(content, dict):
        return "a mapping"
    return "a text" if isinstance(content, str) else f"a value of type {type(content).__name__}"


def _from_json(path: str, text: str) -> list[Any]:
    def pairs_to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            keys = [key for key, _value in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            whose = f" in the item of {shown(str(made['name']))}" if "name" in made else ""
            raise UserFileError(
                f"The users file {path} has the key {shown(twice)} twice{whose}: remove one, for only one can hold"
            )
        return made

    try:
        content = json.loads(text, object_pairs_hook=pairs_to_dict)
    except json.JSONDecodeError as failure:
        raise UserFileError(
            f"The users file {path} is no JSON at line {failure.lineno}, column {failure.colno} ({failure.msg}): "
            "correct that line"
        ) from None
    except (RecursionError, ValueError) as failure:
        # Lists within lists without end, or a number of more digits than Python reads.
        raise UserFileError(f"The users file {path} is no list of users ({failure}): correct it") from None
    found: list[Any] = _users_in(path, content)  # type: ignore[assignment]
    return found


def _from_yaml(path: str, text: str) -> list[Any]:
    if YAML_ERROR is not None:
        from ansible.module_utils.basic import missing_required_lib

        raise UserFileError(f"{missing_required_lib('PyYAML')} Or write the users file as JSON or CSV")
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loader = loader_class(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise UserFileError(
                    f"The users file {path} holds nothing but comments: write `[]` if there are no users"
                )
            listed = _list_node(path, node)
            content = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as failure:
        mark = getattr(failure, "problem_mark", None) or getattr(failure, "context_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(getattr(failure, "problem", None) or failure).split())
        raise UserFileError(f"The users file {path} is no plain YAML{where} ({problem}): correct that line") from None
    except (RecursionError, ValueError) as failure:
        # Lists within lists without end, or 2026-02-31 without quotes.
        raise UserFileError(
            f"The users file {path} holds a value that YAML cannot read ({failure}): put dates and numbers in quotes"
        ) from None
    found: list[Any] = _users_in(path, content)  # type: ignore[assignment]
    if listed is None or len(listed.value) != len(found):
        return found
    return PlacedList(found, [item.start_mark.line + 1 for item in listed.value])


def _list_node(path: str, node: Any) -> Any:
    """The node of the list of users, after a look at keys that stand twice: YAML silently takes the last."""
    _refuse_twins(path, node)
    if isinstance(node, yaml.MappingNode):
        node = next((value for key, value in node.value if key.value == "users"), None)
    if not isinstance(node, yaml.SequenceNode):
        return None
    for item in node.value:
        _refuse_twins(path, item)
        if isinstance(item, yaml.MappingNode):
            for _key, value in item.value:
                _refuse_twins(path, value)
    return node


def _refuse_twins(path: str, node: Any) -> None:
    if not isinstance(node, yaml.MappingNode) or len(node.value) < 2:
        return
    seen = set()
    for key, _value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                raise UserFileError(
                    f"The users file {path} has the key {shown(key.value)} twice, the second time at line "
                    f"{key.start_mark.line + 1}: remove one, for only one can hold"
                )
            seen.add((key.tag, key.value))


def _from_csv(path: str, text: str) -> list[Any]:
    rows = _rows(path, text)
    line, header = next(rows)
    columns = _columns(path, line, header)
    items: list[Any] = []
    lines: list[int] = []
    uneven: list[str] = []
    for line, cells in rows:
        if len(cells) != len(columns):
            uneven.append(f"{len(cells)} in line {line}")
            continue
        item: dict[str, Any] = {"name": ""}
        for (key, inner), cell in zip(columns, cells):
            if not cell:
                continue
            if inner is None:
                item[key] = cell
            else:
                item.setdefault(key, {})[inner] = cell
        items.append(item if len(item) > 1 else item["name"])
        lines.append(line)
    if uneven:
        raise UserFileError(
            f"The users file {path} has {len(columns)} fields in its header, but {quote_list(uneven)}: "
            "correct each (a field that contains the separator goes in quotes)"
        )
    return PlacedList(items, lines)


def _rows(path: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold anything, each with the line that it begins on. A spreadsheet may separate with ; or tabs."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begin = 1
    try:
        for cells in reader:
            if any(cells):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as failure:
        raise UserFileError(
            f"The users file {path} is no CSV in the row that begins at line {begin} ({failure}): correct that line"
        ) from None


def _columns(path: str, line: int, header: list[str]) -> list[tuple[str, str | None]]:
    """What each column fills: (key, None), or (`labels` or `annotations`, the key inside)."""
    known = [*COLUMNS, *(f"{prefix}:KEY" for prefix in _PREFIXES)]
    columns: list[tuple[str, str | None]] = []
    faults: list[str] = []
    for title in header:
        prefix, colon, inner = title.partition(":")
        if title in COLUMNS:
            columns.append((title, None))
        elif colon and inner and prefix in _PREFIXES:
            columns.append((_PREFIXES[prefix], inner))
        else:
            faults.append(f"the unknown column {shown(title)}{did_you_mean(title, known)}")
    faults += [f"the column {shown(title)} twice" for title in dict.fromkeys(header) if header.count(title) > 1]
    if ("name", None) not in columns:
        faults.append("no column `name`")
    if faults:
        raise UserFileError(
            f"The users file {path} has in its header (line {line}) {quote_list(faults)}: known are {', '.join(known)}"
        )
    return columns
