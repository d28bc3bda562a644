# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the claims that an ACL grants: one list of the claims of shares, and single reads of what is not in it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Optional

from ..._core.access.granted_claims import ObservedClaims
from ..._core.kubernetes.claims import Claim, claim_from
from ..._core.requests import CLAIMS, Resource
from ..._core.shares.naming import SELECTOR
from ..._core.shares.planning.observed import reserved_for
from ..._hub.acl_format import reserved_claim
from .api import Api
from .errors import ApiError
from .share_reader import FEW_OBJECTS, in_parallel

SNAPSHOTS = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots")


class ClaimReader:
    """Reads claims of one namespace, each once."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._found: dict[str, Optional[Claim]] = {}
        self._errors: dict[str, str] = {}

    def read(self, names: Collection[str]) -> ObservedClaims:
        """Return these claims, with what can be found out about the claims that they are copies of."""
        if not names:
            return ObservedClaims()
        self._list(SELECTOR)
        missing = self._missing(names)
        if len(missing) > FEW_OBJECTS and self._list(""):
            self._found.update(dict.fromkeys(self._missing(names)))
        self._get(self._missing(names))
        origins = {}
        for name in sorted(names):
            home = self._origin(self._found.get(name), set())
            if home:
                origins[name] = home
        return ObservedClaims(self._found, self._errors, origins)

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

    def _origin(self, claim: Optional[Claim], seen: set[str]) -> str:
        """Return the home that a claim is a copy of, over copies of copies ("the home of bob, claim-bob"), or ""."""
        for kind, name in () if claim is None else claim.sources:
            source = self._claim_of_snapshot(name) if kind == "VolumeSnapshot" else name
            if not source or source in seen:
                continue
            if self._missing([source]):
                self._get([source])
            found = self._found.get(source)
            use = reserved_claim(source) if found is None else reserved_for(found) or reserved_claim(source)
            if use:
                return f"{use}, {source}"
            home = self._origin(found, {*seen, source})
            if home:
                return home
        return ""

    def _claim_of_snapshot(self, name: str) -> str:
        try:
            found = self._api.get(SNAPSHOTS, self._namespace, name)
        except ApiError as error:
            if error.status != 403:
                raise
            return ""
        return ((found or {}).get("spec") or {}).get("source", {}).get("persistentVolumeClaimName") or ""
