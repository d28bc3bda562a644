# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of a stack with their places, so that each error names the file and the line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..validation import describe_value


@dataclass(frozen=True)
class Placed:
    """A value, and where it is: `stack.yml:12`, or `stack: easyconfigs[2]` for one that was no file.

    A list has `items`, a mapping has `pairs` of keys and values, and anything else has a `value`, with its `text` as it
    is written (`5.10` is not the number 5.1).
    """

    where: str
    value: Any = None
    text: str = ""
    items: Optional[tuple[Placed, ...]] = None
    pairs: Optional[tuple[tuple[Placed, Placed], ...]] = None

    @property
    def is_scalar(self) -> bool:
        """Whether it is neither a list nor a mapping."""
        return self.items is None and self.pairs is None

    @property
    def is_nothing(self) -> bool:
        """Whether it is null."""
        return self.is_scalar and self.value is None

    @property
    def plain(self) -> Any:
        """The value as data, without places."""
        if self.items is not None:
            return [item.plain for item in self.items]
        if self.pairs is not None:
            return {key.value if key.is_scalar else str(key.plain): value.plain for key, value in self.pairs}
        return self.value

    def describe(self) -> str:
        """Return the value in words, for a message about its type."""
        if self.items is not None:
            return "a list"
        return "a mapping" if self.pairs is not None else describe_value(self.value)


def placed(value: Any, where: str) -> Placed:
    """Return data that was passed as an option, with its path as the place."""
    if isinstance(value, Mapping):
        separator = ": " if ":" not in where else "."
        pairs = ((key, inner, f"{where}{separator}{key}") for key, inner in value.items())
        return Placed(where, pairs=tuple((Placed(at, key, str(key)), placed(inner, at)) for key, inner, at in pairs))
    if isinstance(value, (list, tuple)):
        return Placed(where, items=tuple(placed(inner, f"{where}[{number}]") for number, inner in enumerate(value)))
    return Placed(where, value, str(value))
