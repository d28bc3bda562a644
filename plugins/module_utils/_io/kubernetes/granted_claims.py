# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the claims that an ACL grants: one list of the claims of shares, and single reads of what is not in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Optional

from ..._core.access.granted_claims import ObservedClaims
from ..._core.kubernetes.claims import Claim, SnapshotSource, claim_from
from ..._core.requests import CLAIMS
from ..._core.shares.naming import SELECTOR
from ..._core.shares.planning.copies import copy_problem
from .api import Api
from .errors import ApiError
from .parallel import FEW_OBJECTS, in_parallel
from .share_reader import SourceReader


class ClaimReader:
    """Reads claims of one namespace, each once (a `SourceLookup` of `_core/shares/planning/copies.py`)."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._sources = SourceReader(api)
        self._found: dict[str, Optional[Claim]] = {}
        self._errors: dict[str, str] = {}

    def read(self, levels: Mapping[str, str], trusted: Collection[str] = ()) -> ObservedClaims:
        """Return the claims of `levels`, with what can be found out about the claims that they are copies of.

        `levels` are those that their shares have. For the `trusted` ones the operator confirmed what cannot be found out.
        """
        names = levels.keys()
        if not names:
            return ObservedClaims()
        self._list(SELECTOR)
        missing = self._missing(names)
        if len(missing) > FEW_OBJECTS and self._list(""):
            self._found.update(dict.fromkeys(self._missing(names)))
        self._get(self._missing(names))
        copies = {}
        for name in sorted(names):
            claim = self._found.get(name)
            problem = copy_problem(self._namespace, claim, self, levels[name]) if claim is not None else None
            if problem is not None and (problem.is_known or name not in trusted):
                copies[name] = problem
        return ObservedClaims(self._found, self._errors, copies)

    def source_claim(self, namespace: str, name: str) -> tuple[Optional[Claim], str]:
        """Return a claim, None when it does not exist; and why it cannot be read, "" when it can."""
        if namespace != self._namespace:
            return self._sources.source_claim(namespace, name)
        self._get(self._missing([name]))
        return self._found.get(name), self._errors.get(name, "")

    def snapshot_source(self, namespace: str, name: str) -> SnapshotSource:
        """Return the claim that a VolumeSnapshot was taken of, and when."""
        return self._sources.snapshot_source(namespace, name)

    def _missing(self, names: Collection[str]) -> list[str]:
        return sorted(set(names) - self._found.keys() - self._errors.keys())

    def _list(self, selector: str) -> bool:
        try:
            claims = self._api.list_all(CLAIMS, self._namespace, claim_from, selector)
        except ApiError as error:
            if error.status != 403:
                raise
            return False
        self._found.update((claim.name, claim) for claim in claims)
        return True

    def _get(self, names: Collection[str]) -> None:
        def read(name: str) -> tuple[Optional[Claim], str]:
            try:
                item = self._api.get(CLAIMS, self._namespace, name)
            except ApiError as error:
                if error.status != 403:
                    raise
                return None, str(error)
            return (None if item is None else claim_from(item)), ""

        for name, (claim, error) in zip(names, in_parallel(read, list(names))):
            if error:
                self._errors[name] = error
            else:
                self._found[name] = claim
