# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors of Kubernetes, also over labels that are known in part."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple, Optional


class Answer(IntEnum):
    """Whether something holds. The minimum of two answers is their conjunction, the maximum their disjunction."""

    NO = 0
    MAYBE = 1
    YES = 2

    def __invert__(self) -> Answer:
        """Return the negation."""
        return Answer(2 - self)


class Labels(NamedTuple):
    """The labels of an object. If they are not `complete`, it may have others."""

    known: Mapping[str, str]
    complete: bool = True


def selects(selector: Optional[Mapping[str, Any]], labels: Labels) -> Answer:
    """Return whether a label selector selects an object. An empty selector selects everything, and none selects nothing."""
    if selector is None:
        return Answer.NO
    found = Answer.YES
    for key, value in (selector.get("matchLabels") or {}).items():
        found = min(found, _holds(labels, key, "In", [value]))
    for rule in selector.get("matchExpressions") or ():
        found = min(found, _holds(labels, rule["key"], rule["operator"], rule.get("values") or []))
    return found


def _holds(labels: Labels, key: str, operator: str, values: list[str]) -> Answer:
    if key not in labels.known and not labels.complete:
        return Answer.MAYBE
    value = labels.known.get(key)
    if operator == "In":
        return Answer.YES if value in values else Answer.NO
    if operator == "NotIn":
        return Answer.NO if value in values else Answer.YES
    if operator == "Exists":
        return Answer.YES if value is not None else Answer.NO
    if operator == "DoesNotExist":
        return Answer.NO if value is not None else Answer.YES
    return Answer.MAYBE
