# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of Helm values: the keys with their lines, and our keys in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ..._core.hub.helm_values import Entries
from ..._core.hub.marked_lines import lines_of, stripped
from ..._core.hub.values_conflicts import conflicts, foreign_lines
from ..._core.hub.values_merge import BLOCK, EMPTY, OTHER, YamlNode, values_with
from ..errors import ExternalError
from .data_files import UNREADABLE

with contextlib.suppress(ImportError):  # the module reports it, with missing_required_lib
    import yaml


class ValuesFile(NamedTuple):
    """A file of Helm values: its text (None: it does not exist), its text without our lines, and whether we made it."""

    path: str
    text: Optional[str]
    base: str
    is_new: bool

    @property
    def restored(self) -> Optional[str]:
        """The text without our lines, None if the file must not exist."""
        return None if self.is_new and not self.base else self.base


def read_values(path: str) -> ValuesFile:
    """Return the file. Raises ExternalError if it cannot be read, and ValueError if it is no mapping in YAML."""
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"{path} is a folder: set `hub_values_file` to a file of Helm values in it")
    if not file.parent.is_dir():
        raise ValueError(
            f"the folder {file.parent} of `hub_values_file` does not exist: create it, or correct the path"
        )
    try:
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ValuesFile(path, None, "", True)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text in UTF-8: correct `hub_values_file`") from error
    except OSError as error:
        raise ExternalError(f"{path} cannot be read: {error.strerror}", retryable=False) from error
    without = stripped(text)
    if without.errors:
        raise ValueError(f"{path}: {without.errors[0]}: restore it, or remove the lines of this role by hand")
    current, base = outline(text, path), outline(without.text, path)
    foreign = foreign_lines(current, base, lines_of(text))
    if foreign:
        raise ValueError("; ".join(f"{path}: {one}" for one in foreign))
    return ValuesFile(path, text, without.text, without.is_new)


def values_of(file: ValuesFile) -> Mapping[str, Any]:
    """Return what the file says without our lines."""
    return data_of(file.base)


def data_of(text: str) -> Mapping[str, Any]:
    """Return what a text says that was read before."""
    found = yaml.safe_load(text)
    return found if isinstance(found, Mapping) else {}


def merged(file: ValuesFile, entries: Entries, settings: Mapping[str, Any], manages_groups: bool) -> str:
    """Return the text with our keys. Raises ValueError with all conflicts."""
    root = outline(file.base, file.path)
    entries = {
        path: {key: value for key, value in keys.items() if path != ("rbac",) or not _has(root, path, key, value)}
        for path, keys in entries.items()
    }
    entries = {path: keys for path, keys in entries.items() if keys}
    found = conflicts(root, entries, settings, manages_groups)
    if found:
        raise ValueError("; ".join(f"{file.path}: {one}" for one in found))
    try:
        text = values_with(file.base, root, entries, file.is_new)
    except ValueError as error:
        raise ValueError(f"{file.path}: {error}") from error
    # Anchors, merge keys and other forms that lines cannot show.
    expected = _with(values_of(file), entries)
    try:
        if yaml.safe_load(text) == expected:
            return text
    except yaml.YAMLError:
        pass
    raise ValueError(
        f"{file.path} has a form that nothing can be added to (anchors, merge keys, tags): write `hub` as plain mappings, or "
        "choose another file for `hub_values_file` and pass both to Helm"
    )


def _has(root: YamlNode, path: tuple[str, ...], key: str, value: Any) -> bool:
    node = root.get(*path, key)
    return node is not None and bool(node.value == value)


def _with(values: Mapping[str, Any], entries: Entries) -> dict[str, Any]:
    result = dict(values)
    for path, keys in entries.items():
        place = result
        for key in path:
            place[key] = dict(place.get(key) or {})
            place = place[key]
        place.update(keys)
    return result


def outline(text: str, path: str) -> YamlNode:
    """Return the keys of a text in YAML with their lines. Raises ValueError if it is no mapping."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, *UNREADABLE) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark is not None else ""
        raise ValueError(f"{path} is not valid YAML{where}: correct it, or correct `hub_values_file`") from error
    if node is None or node.start_mark.index == node.end_mark.index:
        return YamlNode(_first_line(text), 0, EMPTY)
    if not data and (data is None or isinstance(data, Mapping)):  # as `helm get values` prints it without any
        is_line = node.start_mark.column == 0 and node.end_mark.line == node.start_mark.line
        return YamlNode(node.start_mark.line, 0, EMPTY if is_line else OTHER, {})
    if not isinstance(data, Mapping):
        raise ValueError(
            f"{path} is no YAML mapping, as Helm values are, but {_kind(data)}: correct it, or correct `hub_values_file`"
        )
    repeated = next(_repeated_keys(node, ()), None)
    if repeated is not None:
        raise ValueError(f"{path}: {repeated}")
    root = _node(node, node, data)
    first = min((child.line for child in root.children.values()), default=root.line)
    return YamlNode(first, 0, root.style if root.children else EMPTY, root.value, 0, root.children)


def _node(key: Any, value: Any, data: Any) -> YamlNode:
    is_alias = value.start_mark.index < key.start_mark.index
    line, column = key.start_mark.line, key.start_mark.column
    if isinstance(value, yaml.MappingNode) and not is_alias:
        if not value.value:
            return YamlNode(line, column, EMPTY, {})
        children = {
            str(child.value): _node(child, content, data.get(_key(child)))
            for child, content in value.value
            if isinstance(child, yaml.ScalarNode) and isinstance(data, Mapping)
        }
        style = OTHER if value.flow_style or not children else BLOCK
        return YamlNode(line, column, style, data, 0, children)
    if data is None:
        return YamlNode(line, column, EMPTY)
    is_literal = isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")
    return YamlNode(line, column, OTHER, data, value.start_mark.line + int(is_literal))


def _key(node: Any) -> Any:
    """Return a key as data. A merge key is none, because its place in the data is that of its keys."""
    return node.value if node.tag.endswith((":str", ":merge")) else yaml.safe_load(node.value)


def _repeated_keys(node: Any, place: tuple[str, ...]) -> Iterator[str]:
    """Return a sentence without a full stop for each key that a mapping has twice: YAML keeps only the last one."""
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name = ".".join((*place, str(key.value)))
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge") and lines.setdefault(name, line) != line:
            yield f"`{name}` is in line {lines[name]} and again in line {line}: merge both into one"
        if value.start_mark.index >= key.start_mark.index:  # not an alias
            yield from _repeated_keys(value, (*place, str(key.value)))


def _first_line(text: str) -> int:
    """Return the line after the marks that begin a document."""
    lines = text.split("\n")
    return max((number + 1 for number, line in enumerate(lines) if line.startswith(("---", "%"))), default=0)


def _kind(data: Any) -> str:
    return "a list" if isinstance(data, list) else "a text" if isinstance(data, str) else f"{data!r}"
