# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our keys in a file of Helm values that has others: where the text gets which lines.

The lines of others stay as they are, with their comments, so that `absent` gives the file back byte for byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .helm_values import Entries
from .marked_lines import ADDED, BEGIN, END, NEW, REPLACED, lines_of

_NO_BLOCK = "is no mapping with keys on lines of their own: write it as one"
BLOCK, EMPTY, OTHER = "block", "empty", "other"
#: What a literal block of YAML can contain as it is.
_LITERAL = re.compile("[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*\\Z")


@dataclass(frozen=True)
class YamlNode:
    """A key of a mapping in YAML, or the root.

    `line` is that of the key, from 0, and `column` its indentation. `style` is `block` (a mapping with keys on lines of their
    own), `empty` (nothing, null, `{}`) or `other`. `value` is the value as data, and `value_line` where its text begins. A root
    that is empty has a value only if there is a text for it, on its line.
    """

    line: int
    column: int
    style: str
    value: Any = None
    value_line: int = 0
    children: Mapping[str, YamlNode] = field(default_factory=dict)

    @property
    def entries(self) -> dict[str, YamlNode]:
        """The children, and the keys that aliases and merge keys give this mapping, which have its line."""
        data = self.value if isinstance(self.value, Mapping) else {}
        resolved = {
            str(key): YamlNode(self.line, self.column, OTHER, value, self.line)
            for key, value in data.items()
            if str(key) not in self.children
        }
        return {**self.children, **resolved}

    def get(self, *path: str) -> YamlNode | None:
        """Return the node of a path of keys, None if it does not exist."""
        found: YamlNode | None = self
        for key in path:
            found = None if found is None else found.entries.get(key)
        return found

    def has_line(self, *path: str) -> bool:
        """Return whether a path of keys is written, and not only there by an alias or a merge key."""
        found: YamlNode | None = self
        for key in path:
            found = None if found is None else found.children.get(key)
        return found is not None


def values_with(text: str, root: YamlNode, entries: Entries, is_new: bool = False) -> str:
    """Return the text with our entries. Raises ValueError for a place that is not a mapping with keys on lines of their own."""
    lines = lines_of(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    additions: list[tuple[int, list[str]]] = []
    replacements: dict[int, str] = {}
    tree: dict[str, Any] = {}
    for path, keys in entries.items():
        place = tree
        for key in path:
            place = place.setdefault(key, {})
        place.update({key: _Leaf(value) for key, value in keys.items()})
    _place(tree, root, "", (additions, replacements, lines))
    for number, line in replacements.items():
        lines[number] = line
    for number, added in sorted(additions, key=lambda item: item[0], reverse=True):
        lines[number:number] = [line + newline for line in added]
    merged = "".join(lines)
    return merged.replace(BEGIN, BEGIN + NEW, 1) if is_new else merged


@dataclass(frozen=True)
class _Leaf:
    value: Any


def _place(
    tree: Mapping[str, Any],
    node: YamlNode,
    path: str,
    text: tuple[list[tuple[int, list[str]]], dict[int, str], list[str]],
) -> None:
    """Put the keys of a tree into a mapping that exists."""
    additions, replacements, lines = text
    is_root = not path
    if node.style == OTHER:
        name = f"`{path}`" if path else "the value"
        raise ValueError(f"{name} in line {node.line + 1} {_NO_BLOCK}")
    column = next(iter(node.children.values())).column if node.children else 0 if is_root else node.column + 2
    new: dict[str, Any] = {}
    for key, subtree in tree.items():
        child = node.children.get(key)
        if child is None or isinstance(subtree, _Leaf):
            new[key] = subtree
        else:
            _place(subtree, child, f"{path}.{key}" if path else key, text)
    if not new:
        return
    at = node.line if is_root else node.line + 1
    if is_root and node.style == EMPTY and node.value is not None:
        line = lines[node.line].rstrip("\r\n")
        replacements[node.line] = f"{REPLACED}{json.dumps(line)}{lines[node.line][len(line) :]}"
    elif node.style == EMPTY and not is_root:
        line = lines[node.line].rstrip("\r\n")
        head, end = line[: node.column], lines[node.line][len(line) :] or "\n"
        key, colon, rest = line[node.column :].partition(":")
        if not colon or head.strip():
            raise ValueError(f"`{path}` in line {node.line + 1} {_NO_BLOCK}")
        replacements[node.line] = f"{head}{key}:{REPLACED}{json.dumps(rest)}{end}"
    additions.append((at, _lines_of_tree(new, column)))


def _lines_of_tree(tree: Mapping[str, Any], column: int) -> list[str]:
    """Return lines for keys: those of leaves between our two comments, and those of other mappings marked as added."""
    lines: list[str] = []
    leaves = {key: value.value for key, value in tree.items() if isinstance(value, _Leaf)}
    if leaves:
        lines += [" " * column + BEGIN, *yaml_lines(leaves, column), " " * column + END]
    for key, value in tree.items():
        if not isinstance(value, _Leaf):
            lines += [" " * column + f"{key}:{ADDED}", *_lines_of_tree(value, column + 2)]
    return lines


def yaml_lines(mapping: Mapping[str, Any], column: int) -> list[str]:
    """Return a mapping as lines of YAML. Texts of several lines are blocks, so that a diff is readable."""
    lines: list[str] = []
    indentation = " " * column
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{indentation}{key}:", *yaml_lines(value, column + 2)]
        elif isinstance(value, str) and _is_block(value):
            block = [f"{indentation}  {line}" if line else "" for line in value[:-1].split("\n")]
            lines += [f"{indentation}{key}: |", *block]
        else:
            lines.append(f"{indentation}{key}: {json.dumps(value)}")
    return lines


def _is_block(text: str) -> bool:
    """Return whether a literal block can have this text: it keeps exactly one newline at the end."""
    body = text[:-1]
    return bool(
        text.endswith("\n") and body.strip() and body[-1] != "\n" and body[0] not in " \n\t" and _LITERAL.match(text)
    )
