# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that modules open themselves: read whole, as UTF-8, and parsed as JSON or YAML, or refused in one sentence."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._core.text import did_you_mean, quote_list
from ..._core.validation import PlacedList, shown
from ..errors import ExternalError

try:
    import yaml

    YAML_ERROR: Exception | None = None
except ImportError as error:  # told when a YAML file is read
    YAML_ERROR = error


class FileError(ExternalError):
    """A file cannot be read: one sentence, without a full stop, with the file, the place and the way out."""

    retryable = False


@dataclass(frozen=True)
class Form:
    """What a file is about, in words: `what` the file is called, the one `key` that may stand above it all, what is
    `wanted` in it, an `example` of what to write, and how to write that there are none. `mapping`: it may be one.
    """

    what: str
    key: str
    desired: str
    example: str
    empty: str = "[]"
    mapping: bool = False


def parse(path: str, form: Form, text: str, is_json: bool) -> Any:
    """What a file holds: a list (a PlacedList, where lines are known), or a mapping where the form has these.

    Raises FileError.
    """
    return _from_json(path, form, text) if is_json else _from_yaml(path, form, text)


def read_text(path: str, form: Form) -> str:
    """The text of a file, in UTF-8. Raises FileError for what cannot be read, and for an empty file."""
    try:
        # Not blocking, for a named pipe that nobody writes to would hold the run for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileError(f"The {form.what} {path} is no regular file: give the path of a file")
            data = file.read()
    except FileNotFoundError:
        raise FileError(
            f"The {form.what} {path} does not exist on the host that runs the task: correct the path"
        ) from None
    except IsADirectoryError:
        raise FileError(f"The {form.what} {path} is a directory: give the path of a file") from None
    except PermissionError:
        raise FileError(
            f"The {form.what} {path} may not be read by the user that runs the task: change its mode or owner"
        ) from None
    except OSError as failure:
        raise FileError(f"The {form.what} {path} cannot be read ({failure.strerror or failure}): check it") from None
    except ValueError:
        raise FileError(f"The path of the {form.what}, {shown(path)}, is no path: correct it") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileError(f"The {form.what} {path} is in UTF-16: save it in UTF-8 (in Excel: CSV UTF-8)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        offset = failure.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        line = data.count(b"\n", 0, offset) + 1
        raise FileError(
            f"The {form.what} {path} is not in UTF-8: byte {offset} is 0x{data[offset]:02x}, in line {line}; save it in "
            "UTF-8"
        ) from None
    if text.startswith("$ANSIBLE_VAULT;"):
        raise FileError(
            f"The {form.what} {path} is encrypted with Ansible Vault, which only Ansible opens: decrypt it, or load it "
            "with `vars_files` and hand what it holds to `{form.key}`"
        )
    if not text.strip():
        empty = "its header alone" if path.lower().endswith(".csv") else f"`{form.empty}`"
        raise FileError(
            f"The {form.what} {path} is empty, as after an export that broke off: write {empty} if there are no {form.key}"
        )
    return text


def _wanted_in(path: str, form: Form, content: object) -> Any:
    """What the file is about: all of it, or the value of its one key `form.key`."""
    if isinstance(content, dict) and (not form.mapping or _is_wrapper(content, form)):
        others = [str(key) for key in content if key != form.key]
        if form.key not in content:
            raise FileError(
                f"The {form.what} {path} holds a mapping without the key `{form.key}`, but with "
                f"{quote_list([shown(other) for other in others]) or 'no key at all'}"
                f"{did_you_mean(others[0], [form.key]) if len(others) == 1 else ''}: write a list, or `{form.key}:` above it"
            )
        if others:
            raise FileError(
                f"The {form.what} {path} holds more than the key `{form.key}`: move "
                f"{quote_list([shown(other) for other in others])} elsewhere"
            )
        content = content[form.key]
    if not isinstance(content, (list, dict) if form.mapping else list):
        raise FileError(
            f"The {form.what} {path} holds {_kind_of(content)} where {form.desired} should be: write {form.example}, and "
            f"`{form.empty}` if there are no {form.key}"
        )
    return content


def _is_wrapper(content: Mapping[str, Any], form: Form) -> bool:
    """Whether a mapping is `groups:` above the groups, rather than groups of which one has that name."""
    value = content.get(form.key)
    return len(content) == 1 and (
        isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
    )


def _kind_of(content: object) -> str:
    if content is None:
        return "nothing (null)"
    if isinstance(content, dict):
        return "a mapping"
    return "a text" if isinstance(content, str) else f"a value of type {type(content).__name__}"


def _from_json(path: str, form: Form, text: str) -> Any:
    def pairs_to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            keys = [key for key, _value in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            whose = f" in the item of {shown(str(made['name']))}" if "name" in made else ""
            raise FileError(
                f"The {form.what} {path} has the key {shown(twice)} twice{whose}: remove one, for only one can hold"
            )
        return made

    try:
        content = json.loads(text, object_pairs_hook=pairs_to_dict)
    except json.JSONDecodeError as failure:
        raise FileError(
            f"The {form.what} {path} is no JSON at line {failure.lineno}, column {failure.colno} ({failure.msg}): "
            "correct that line"
        ) from None
    except (RecursionError, ValueError) as failure:
        # Lists within lists without end, or a number of more digits than Python reads.
        raise FileError(f"The {form.what} {path} cannot be read ({failure}): correct it") from None
    return _wanted_in(path, form, content)


def _from_yaml(path: str, form: Form, text: str) -> Any:
    if YAML_ERROR is not None:
        from ansible.module_utils.basic import missing_required_lib

        raise FileError(f"{missing_required_lib('PyYAML')} Or write the {form.what} as JSON")
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loader = loader_class(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise FileError(
                    f"The {form.what} {path} holds nothing but comments: write `{form.empty}` if there are no {form.key}"
                )
            _refuse_duplicates(path, form, node)
            listed = _list_node(form, node)
            content = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as failure:
        mark = getattr(failure, "problem_mark", None) or getattr(failure, "context_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(getattr(failure, "problem", None) or failure).split())
        raise FileError(f"The {form.what} {path} is no plain YAML{where} ({problem}): correct that line") from None
    except (RecursionError, ValueError) as failure:
        # Lists within lists without end, or 2026-02-31 without quotes.
        raise FileError(
            f"The {form.what} {path} holds a value that YAML cannot read ({failure}): put dates and numbers in quotes"
        ) from None
    found = _wanted_in(path, form, content)
    if listed is None or not isinstance(found, list) or len(listed.value) != len(found):
        return found
    return PlacedList(found, [item.start_mark.line + 1 for item in listed.value])


def _list_node(form: Form, node: Any) -> Any:
    """The node of the list that the file is about, None where it is a mapping."""
    if isinstance(node, yaml.MappingNode):
        node = next((value for key, value in node.value if key.value == form.key), None)
    return node if isinstance(node, yaml.SequenceNode) else None


def _refuse_duplicates(path: str, form: Form, root: Any) -> None:
    """Refuse keys that stand twice in one mapping, anywhere: YAML silently takes the last."""
    nodes = [root]
    known = {id(root)}  # an alias is its anchor's node, and may lead in a circle
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
                        f"The {form.what} {path} has the key {shown(key.value)} twice, the second time at line "
                        f"{key.start_mark.line + 1}: remove one, for only one can hold"
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
