# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data files that modules read themselves, as UTF-8, and parse as JSON or YAML."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..._core.text import did_you_mean, quote_list
from ..._core.validation import PlacedList, describe_value, quoted
from ..errors import ExternalError

try:
    import yaml

    YAML_ERROR: Exception | None = None
except ImportError as error:  # reported when a YAML file is read
    YAML_ERROR = error


#: How deeply a YAML file may nest lists and mappings. An entry needs five levels.
_MOST_LEVELS = 100


class FileError(ExternalError):
    """A file is unreadable or invalid. The message names the file, the line and the way out."""

    retryable = False


@dataclass(frozen=True)
class FileFormat:
    """The format of a data file, and the words of its error messages.

    `title`: what the file is called. `key`: the one top-level key that may enclose the content. `content`: what the file
    must contain. `example`: what to write. `empty`: how to write that there are none. `mapping`: the content may be a
    mapping.
    """

    title: str
    key: str
    content: str
    example: str
    empty: str = "[]"
    mapping: bool = False


def parse(path: str, fmt: FileFormat, text: str, is_json: bool) -> Any:
    """Return the content of a file: a list (a PlacedList if lines are known), or a mapping if the format allows one.

    Raises FileError.
    """
    return _from_json(path, fmt, text) if is_json else _from_yaml(path, fmt, text)


def read_text(path: str, fmt: FileFormat) -> str:
    """Return the text of a file. Raises FileError if it cannot be read, is not UTF-8, or is empty."""
    try:
        # Not blocking, because opening a named pipe that nobody writes to never returns.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileError(f"The {fmt.title} {path} is not a regular file: set the path of a file")
            data = file.read()
    except FileNotFoundError:
        raise FileError(
            f"The {fmt.title} {path} does not exist on the host that runs the task: correct the path"
        ) from None
    except IsADirectoryError:
        raise FileError(f"The {fmt.title} {path} is a directory: set the path of a file") from None
    except PermissionError:
        raise FileError(
            f"The {fmt.title} {path} may not be read by the user that runs the task: change its mode or owner"
        ) from None
    except OSError as failure:
        raise FileError(f"The {fmt.title} {path} cannot be read ({failure.strerror or failure}): check it") from None
    except ValueError:
        raise FileError(f"The path of the {fmt.title}, {quoted(path)}, is not a valid path: correct it") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileError(f"The {fmt.title} {path} is in UTF-16: save it in UTF-8 (in Excel: CSV UTF-8)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        offset = failure.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        line = data.count(b"\n", 0, offset) + 1
        raise FileError(
            f"The {fmt.title} {path} is not in UTF-8: byte {offset} is 0x{data[offset]:02x}, in line {line}; save it in "
            "UTF-8"
        ) from None
    if text.startswith("$ANSIBLE_VAULT;"):
        raise FileError(
            f"The {fmt.title} {path} is encrypted with Ansible Vault, which only Ansible can read: decrypt it, or load it "
            f"with `vars_files` and pass its content to `{fmt.key}`"
        )
    if not text.strip():
        empty = "its header alone" if path.lower().endswith(".csv") else f"`{fmt.empty}`"
        raise FileError(
            f"The {fmt.title} {path} is empty, perhaps because an export failed: write {empty} if there are no {fmt.key}"
        )
    return text


def _unwrapped(path: str, fmt: FileFormat, content: object) -> Any:
    """Return the content of a file without its enclosing key, if it has one."""
    if isinstance(content, dict) and (not fmt.mapping or _is_wrapper(content, fmt)):
        others = [key if isinstance(key, str) else describe_value(key) for key in content if key != fmt.key]
        if fmt.key not in content:
            raise FileError(
                f"The {fmt.title} {path} is a mapping without the key `{fmt.key}`, but with "
                f"{quote_list([quoted(other) for other in others]) or 'no key at all'}"
                f"{did_you_mean(others[0], [fmt.key]) if len(others) == 1 else ''}: write a list, or put it below `{fmt.key}:`"
            )
        if others:
            raise FileError(
                f"The {fmt.title} {path} has more than the key `{fmt.key}`: move "
                f"{quote_list([quoted(other) for other in others])} elsewhere"
            )
        content = content[fmt.key]
    if not isinstance(content, (list, dict) if fmt.mapping else list):
        raise FileError(
            f"The {fmt.title} {path} is {_kind_of(content)}, not {fmt.content}: write {fmt.example}, and "
            f"`{fmt.empty}` if there are no {fmt.key}"
        )
    return content


def _is_wrapper(content: Mapping[str, Any], fmt: FileFormat) -> bool:
    """Whether a mapping is `groups:` enclosing the groups, rather than groups of which one has that name."""
    value = content.get(fmt.key)
    return len(content) == 1 and (
        isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
    )


def _kind_of(content: object) -> str:
    if content is None:
        return "nothing (null)"
    if isinstance(content, dict):
        return "a mapping"
    return "a text" if isinstance(content, str) else f"a value of type {type(content).__name__}"


def _from_json(path: str, fmt: FileFormat, text: str) -> Any:
    def pairs_to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            keys = [key for key, _value in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            whose = f" in the item of {quoted(made['name'])}" if isinstance(made.get("name"), str) else ""
            raise FileError(f"The {fmt.title} {path} has the key {quoted(twice)} twice{whose}: remove one of them")
        return made

    try:
        content = json.loads(text, object_pairs_hook=pairs_to_dict)
    except json.JSONDecodeError as failure:
        raise FileError(
            f"The {fmt.title} {path} is not valid JSON at line {failure.lineno}, column {failure.colno} ({failure.msg}): "
            "correct that line"
        ) from None
    except (RecursionError, ValueError) as failure:
        # Lists nested too deeply, or a number with more digits than Python reads.
        raise FileError(f"The {fmt.title} {path} cannot be read ({failure}): correct it") from None
    return _unwrapped(path, fmt, content)


def _from_yaml(path: str, fmt: FileFormat, text: str) -> Any:
    if YAML_ERROR is not None:
        from ansible.module_utils.basic import missing_required_lib

        raise FileError(f"{missing_required_lib('PyYAML')} Or write the {fmt.title} as JSON")
    try:
        loader = loader_class()(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise FileError(
                    f"The {fmt.title} {path} has nothing but comments: write `{fmt.empty}` if there are no {fmt.key}"
                )
            _refuse_duplicates(path, fmt, node)
            listed = _list_node(fmt, node)
            content = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as failure:
        mark = getattr(failure, "problem_mark", None) or getattr(failure, "context_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(getattr(failure, "problem", None) or failure).split())
        raise FileError(f"The {fmt.title} {path} is not plain YAML{where} ({problem}): correct that line") from None
    except UNREADABLE as failure:
        raise FileError(
            f"The {fmt.title} {path} has a value that YAML cannot read ({failure}): put dates and numbers in quotes"
        ) from None
    found = _unwrapped(path, fmt, content)
    if listed is None or not isinstance(found, list) or len(listed.value) != len(found):
        return found
    return PlacedList(found, [item.start_mark.line + 1 for item in listed.value])


#: What PyYAML raises for lists nested too deeply, 2026-02-31, and what does not fit its tag (`!!bool x`, `!!int ''`).
UNREADABLE = (RecursionError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@cache
def loader_class() -> Any:
    """Return the loader of YAML, with a limit to nesting."""

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """A loader with a limit to nesting: the one in C needs no Python frames, and overflows its stack."""

        depth = 0

        def descend_resolver(self, _parent: object, _index: object) -> None:
            """Enter a node. The loader resolves no paths, so nothing is needed of the original."""
            self.depth += 1
            if self.depth > _MOST_LEVELS:
                raise RecursionError(f"more than {_MOST_LEVELS} levels of lists and mappings")

        def ascend_resolver(self) -> None:
            """Leave a node."""
            self.depth -= 1

    return Loader


def _list_node(fmt: FileFormat, node: Any) -> Any:
    """Return the node of the list in the file, None if the content is a mapping."""
    if isinstance(node, yaml.MappingNode):
        node = next((value for key, value in node.value if key.value == fmt.key), None)
    return node if isinstance(node, yaml.SequenceNode) else None


def _refuse_duplicates(path: str, fmt: FileFormat, root: Any) -> None:
    """Raise FileError for a duplicate key in any mapping: YAML silently takes the last."""
    nodes = [root]
    known = {id(root)}  # an alias is the node of its anchor, and may fmt a cycle
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            below = [value for _key, value in node.value]
            seen = set()
            for key, _value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if (key.tag, key.value) in seen:
                    raise FileError(
                        f"The {fmt.title} {path} has the key {quoted(key.value)} twice, the second time at line "
                        f"{key.start_mark.line + 1}: remove one of them"
                    )
                seen.add((key.tag, key.value))
        elif isinstance(node, yaml.SequenceNode):
            below = node.value
        else:
            continue
        for child in below:
            if not isinstance(child, yaml.ScalarNode) and id(child) not in known:
                known.add(id(child))
                nodes.append(child)
