# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update of one existing claim: labels, annotations, retirement and size, with the reasons and the API requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .. import requests
from ..metadata import RETIRED_ANNOTATION
from ..plan import ADOPT, KEEP, UPDATE
from ..quantity import format_size
from ..requests import ApiRequest, Precondition
from .claims import Claim

_RANK = {KEEP: 0, UPDATE: 1, ADOPT: 2}
UP_TO_DATE = "is up to date"


class ClaimUpdate:
    """Collects what changes on a claim.

    `action` is KEEP until something changes, then UPDATE, or ADOPT. `reasons` are clauses for the change, `before` and
    `after` are parts of its two diff lines. `size` is the size in bytes that the claim requests afterwards.
    """

    __slots__ = (
        "_annotations",
        "_labels",
        "_other",
        "_size_text",
        "action",
        "after",
        "before",
        "claim",
        "namespace",
        "reasons",
        "size",
    )

    def __init__(self, namespace: str, claim: Claim) -> None:
        self.namespace = namespace
        self.claim = claim
        self.action = KEEP
        self.reasons: list[str] = []
        self.before: list[str] = []
        self.after: list[str] = []
        self.size: Optional[int] = claim.size
        self._labels: dict[str, Optional[str]] = {}
        self._annotations: dict[str, Optional[str]] = {}
        self._other: tuple[ApiRequest, ...] = ()
        self._size_text = ""

    @property
    def reason(self) -> str:
        """All reasons as one text."""
        return "; ".join(self.reasons) or UP_TO_DATE

    def adopt(self, reason: str, before: str) -> None:
        """Make the claim one of ours; set the labels and annotations for that with `set_metadata`."""
        self._raise_action(ADOPT)
        self.reasons.append(reason)
        self.before.append(before)

    def set_metadata(
        self,
        labels: Optional[Mapping[str, Optional[str]]] = None,
        annotations: Optional[Mapping[str, Optional[str]]] = None,
    ) -> None:
        """Set our own labels and annotations (None removes one), for a reason that is added separately."""
        for key, value in (labels or {}).items():
            self._labels[key] = value
        for key, value in (annotations or {}).items():
            self._annotations[key] = value
        if self._labels or self._annotations:
            self._raise_action(UPDATE)

    def mark(self, annotation: str, reason: str, after: str) -> None:
        """Set an annotation of ours to "true"."""
        self.set_metadata(annotations={annotation: "true"})
        self.reasons.append(reason)
        self.after.append(after)

    def set_given(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        """Set the labels and annotations of the inventory where they differ, with a reason each."""
        if labels:
            self._set_given("label", labels, self.claim.labels, self._labels)
        if annotations:
            self._set_given("annotation", annotations, self.claim.annotations, self._annotations)

    def unretire(self) -> None:
        """Remove the retirement annotation, if there is one."""
        if self.claim.retired_at is not None:
            self.set_metadata(annotations={RETIRED_ANNOTATION: None})
            self.reasons.append("it is no longer retired")
            self.before.append(f"retired since {self.claim.retired_at}")

    def expand(self, size: int, size_text: str) -> None:
        """Request `size` bytes (`size_text` as written). Less than before takes back an expansion that is not finished."""
        self._raise_action(UPDATE)
        before = format_size(self.claim.size or 0)
        is_less = size < (self.claim.size or 0)
        change = f"its expansion to {before} is taken back" if is_less else f"it is expanded from {before}"
        self.reasons.append(f"{change} to {size_text}" if not is_less else f"{change}, and it requests {size_text}")
        self.size = size
        self._size_text = size_text

    def add_requests(self, operations: Sequence[ApiRequest], reasons: Sequence[str], adopts: bool = False) -> None:
        """Add requests on other objects, the claim's volume say, which are sent before those on the claim."""
        if operations:
            self._raise_action(ADOPT if adopts else UPDATE)
            self._other += tuple(operations)
            self.reasons.extend(reasons)
            self.after.extend(reasons)

    def operations(self) -> tuple[ApiRequest, ...]:
        """Return the API requests, in order.

        The expansion is a patch of its own, so that the labels stay when the API server does not allow it.
        """
        claim = self.claim
        planned = []
        both: dict[str, Any] = {"labels": self._labels, "annotations": self._annotations}
        metadata = {key: value for key, value in both.items() if value}
        version = Precondition(resource_version=claim.version)
        if metadata:
            planned.append(self._patch({"metadata": metadata}, version))
        if self._size_text:
            # The first patch changes the resource version, so the second one is bound to the UID.
            body = {"spec": {"resources": {"requests": {"storage": self._size_text}}}}
            planned.append(self._patch(body, Precondition(uid=claim.uid) if planned else version))
        return (*self._other, *planned)

    def _patch(self, body: Mapping[str, Any], precondition: Precondition) -> ApiRequest:
        return requests.patch(requests.CLAIMS, self.namespace, self.claim.name, body, precondition)

    def _set_given(
        self,
        what: str,
        given: Mapping[str, str],
        observed: Mapping[str, str],
        changed: dict[str, Optional[str]],
    ) -> None:
        for key, value in given.items():
            if observed.get(key) == value:
                continue
            self._raise_action(UPDATE)
            changed[key] = value
            self.reasons.append(f"its {what} {key} becomes {value}")
            if key in observed:
                self.before.append(f"{what} {key}={observed[key]}")
            self.after.append(f"{what} {key}={value}")

    def _raise_action(self, action: str) -> None:
        if _RANK[action] > _RANK[self.action]:
            self.action = action
