# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of a stack: YAML, with the line of each value."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from ..._core.software.placed import Placed
from .data_files import UNREADABLE, YAML_ERROR, FileError, FileFormat, loader_class, read_text

with contextlib.suppress(ImportError):  # reported when a file is read
    import yaml

_MERGE = "tag:yaml.org,2002:merge"
_FORMAT = FileFormat("stack", "easyconfigs", "a mapping", "`easyconfigs:` with a list", "easyconfigs: []")


def read_stack(path: str) -> Placed:
    """Return the content of a stack file with the line of each value. Raises FileError."""
    text = read_text(path, _FORMAT)
    if YAML_ERROR is not None:
        raise FileError(missing_required_lib("PyYAML"))
    try:
        loader = loader_class()(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise FileError(
                    f"{path}: the stack has nothing but comments: write `easyconfigs: []` for an empty tree"
                )
            return _Reader(path, loader).read(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as failure:
        mark = getattr(failure, "problem_mark", None) or getattr(failure, "context_mark", None)
        problem = " ".join(str(getattr(failure, "problem", None) or failure).split())
        raise FileError(
            f"{path}:{mark.line + 1 if mark else 1}: this is not plain YAML ({problem}): correct it"
        ) from None
    except UNREADABLE as failure:
        raise FileError(f"{path}: the stack has a value that YAML cannot read ({failure}): put it in quotes") from None


class _Reader:
    """Reads each node once: an alias is the node of its anchor, and may form a cycle."""

    def __init__(self, path: str, loader: Any) -> None:
        self.path = path
        self.loader = loader
        self.done: dict[int, Placed] = {}
        self.open: set[int] = set()

    def read(self, node: Any) -> Placed:
        """Return a node with its line."""
        if id(node) in self.done:
            return self.done[id(node)]
        where = f"{self.path}:{node.start_mark.line + 1}"
        if id(node) in self.open:
            raise FileError(f"{where}: this contains itself through an alias: write it without the alias")
        self.open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            found = Placed(where, items=tuple(self.read(item) for item in node.value))
        elif isinstance(node, yaml.MappingNode):
            found = Placed(where, pairs=tuple((self.read(key), self.read(value)) for key, value in node.value))
        else:
            if node.tag == _MERGE:
                raise FileError(f"{where}: the stack cannot merge mappings with `<<`: write their keys here")
            try:
                value = self.loader.construct_object(node)
            except (yaml.YAMLError, *UNREADABLE) as failure:
                problem = getattr(failure, "problem", None) or failure
                raise FileError(f"{where}: this cannot be read ({problem}): put it in quotes") from None
            found = Placed(where, value, str(node.value))
        self.done[id(node)] = found
        return found
