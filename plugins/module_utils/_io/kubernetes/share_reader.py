# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the claims and volumes of shares, as far as planning needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Callable, Optional

from ..._core import requests
from ..._core.kubernetes.claims import Claim, SnapshotSource, claim_from, read_again
from ..._core.kubernetes.volumes import volume_from
from ..._core.shares.naming import SELECTOR
from ..._core.shares.planning.observed import ObservedShares
from .api import Api
from .errors import ApiError
from .parallel import FEW_OBJECTS, in_parallel

#: In more namespaces than this, one list of the whole cluster is tried before a list of each namespace.
FEW_NAMESPACES = 3

#: A claim with its namespace.
PlacedClaim = tuple[str, Claim]


class SourceReader:
    """Reads the sources of copies, one request each (a `SourceLookup` of `_core/shares/planning/copies.py`)."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def source_claim(self, namespace: str, name: str) -> tuple[Optional[Claim], str]:
        """Return a claim, None when it does not exist; and why it cannot be read, "" when it can."""
        try:
            item = self.api.get(requests.CLAIMS, namespace, name)
        except ApiError as denied:
            if denied.status != 403:
                raise
            return None, str(denied)
        return (claim_from(item) if item is not None else None), ""

    def snapshot_source(self, namespace: str, name: str) -> SnapshotSource:
        """Return the claim that a VolumeSnapshot was taken of, and when."""
        try:
            item = self.api.get(requests.SNAPSHOTS, namespace, name)
        except ApiError as denied:
            if denied.status != 403:
                raise
            return SnapshotSource("", error=str(denied))
        if item is None:
            return SnapshotSource("", error=f"VolumeSnapshot {name} does not exist in {namespace}")
        source = (item.get("spec") or {}).get("source") or {}
        claim = str(source.get("persistentVolumeClaimName") or "")
        error = "" if claim else f"VolumeSnapshot {name} does not name a claim"
        return SnapshotSource(claim, item["metadata"].get("creationTimestamp", ""), error)


class ShareReader:
    """Reads claims and volumes. `namespaces` are those of the run, `populated` are those in which claims were found."""

    def __init__(self, api: Api, namespaces: Iterable[str]) -> None:
        self.api = api
        self._sources = SourceReader(api)
        self.namespaces = list(dict.fromkeys(namespaces))
        self.populated: set[str] = set()
        self._lists_cluster = len(self.namespaces) > FEW_NAMESPACES
        self._may_list_cluster = True

    def read_labelled(self, observed: ObservedShares, with_volumes: bool, with_homes: bool) -> None:
        """Read the claims with our label in the namespaces of the run, and the volumes with our label.

        `with_homes` also reads the volumes of homes, to compare them, if all volumes are one page.
        """
        readers: list[Callable[[], None]] = [
            lambda: observed.add_claims(self.list_claims(self.namespaces, SELECTOR)),
        ]
        if with_volumes:
            read_volumes = self._list_first_volumes if with_homes else partial(self._list_volumes, selector=SELECTOR)
            readers.append(lambda: read_volumes(observed))
        in_parallel(lambda read: read(), readers)

    def read_missing(self, observed: ObservedShares) -> None:
        """Read what planning asked for."""
        if observed.missing_claims:
            self._read_claims(observed)
        for namespace, name in sorted(observed.missing_snapshots):
            observed.put_snapshot(namespace, name, self._sources.snapshot_source(namespace, name))
        observed.missing_snapshots.clear()
        if observed.needs_all_volumes or len(observed.missing_volumes) > FEW_OBJECTS:
            self._list_volumes(observed, "")
        elif observed.needs_labelled_volumes:
            self._list_volumes(observed, SELECTOR)
        elif observed.missing_volumes:
            self._read_volumes(observed)
        if observed.needs_cluster_claims:
            self._read_cluster_claims(observed)
        observed.needs_all_volumes = observed.needs_labelled_volumes = observed.needs_cluster_claims = False
        observed.missing_volumes.clear()

    def list_claims(self, namespaces: Sequence[str], selector: str) -> list[PlacedClaim]:
        """List the claims of namespaces: with one list of the cluster if that is less work and allowed, or one by one."""
        listed = frozenset(namespaces)

        def convert(item: dict[str, Any]) -> Optional[PlacedClaim]:
            namespace = item["metadata"]["namespace"]
            return (namespace, claim_from(item)) if namespace in listed else None

        if self._lists_cluster and len(namespaces) > FEW_NAMESPACES:
            try:
                found = self.api.list_all(requests.CLAIMS, None, convert, selector)
            except ApiError as error:
                if error.status != 403:
                    raise
                self._lists_cluster = self._may_list_cluster = False
            else:
                return self._note_populated(found)
        pages = in_parallel(lambda name: self.api.list_all(requests.CLAIMS, name, convert, selector), namespaces)
        return self._note_populated(item for page in pages for item in page)

    def read_claim(self, observed: ObservedShares, namespace: str, name: str) -> None:
        """Read one claim again."""
        earlier = observed.known_claim(namespace, name)
        item = self.api.get(requests.CLAIMS, namespace, name)
        observed.put_claim(namespace, name, read_again(claim_from(item), earlier) if item is not None else None)

    def read_volume(self, observed: ObservedShares, name: str) -> None:
        """Read one volume again."""
        item = self.api.get(requests.VOLUMES, None, name)
        observed.put_volume(name, volume_from(item) if item is not None else None)

    def _note_populated(self, found: Iterable[Optional[PlacedClaim]]) -> list[PlacedClaim]:
        placed = [item for item in found if item is not None]
        self.populated.update(namespace for namespace, _claim in placed)
        return placed

    def _list_first_volumes(self, observed: ObservedShares) -> None:
        """Read all volumes if they are one page, so that homes are compared at no cost, and otherwise those with our label."""
        try:
            volumes = self.api.list_first(requests.VOLUMES, volume_from)
        except ApiError as error:
            if error.status != 403:
                raise
            observed.set_volumes_error(str(error))
            return
        if volumes is None:
            self._list_volumes(observed, SELECTOR)
        else:
            observed.add_volumes(volumes, everything=True)

    def read_again(self) -> ObservedShares:
        """Read the claims and volumes with our label again, to see what others wrote during the run."""
        observed = ObservedShares()
        readers: list[Callable[[], None]] = [
            lambda: observed.add_claims(self.list_claims(self.namespaces, SELECTOR)),
            lambda: self._list_volumes(observed, SELECTOR),
        ]
        in_parallel(lambda read: read(), readers)
        return observed

    def _list_volumes(self, observed: ObservedShares, selector: str) -> None:
        try:
            volumes = self.api.list_all(requests.VOLUMES, None, volume_from, selector)
        except ApiError as error:
            if error.status != 403:
                raise
            observed.set_volumes_error(str(error))
        else:
            observed.add_volumes(volumes, everything=not selector)

    def _read_claims(self, observed: ObservedShares) -> None:
        keys = sorted(observed.missing_claims)
        observed.missing_claims.clear()
        self._read_other_claims(observed, [key for key in keys if key[0] not in self.namespaces])
        missing = [key for key in keys if key[0] in self.namespaces]
        if len(missing) > FEW_OBJECTS:
            namespaces = sorted({namespace for namespace, _name in missing})
            observed.add_claims(self.list_claims(namespaces, ""), complete=namespaces)
            return
        found = in_parallel(lambda key: self.api.get(requests.CLAIMS, *key), missing)
        for (namespace, name), item in zip(missing, found):
            observed.put_claim(namespace, name, claim_from(item) if item is not None else None)

    def _read_cluster_claims(self, observed: ObservedShares) -> None:
        """Read the claims of shares in the whole cluster. They are only for a note, so a login need not have that right."""
        found: list[PlacedClaim] = []
        try:
            if self._may_list_cluster:
                found = self.api.list_all(requests.CLAIMS, None, _placed_claim, SELECTOR)
        except ApiError as error:
            if error.status != 403:
                raise
        observed.add_cluster_claims(item for item in found if item[0] not in self.namespaces)

    def _read_other_claims(self, observed: ObservedShares, missing: Sequence[tuple[str, str]]) -> None:
        """Read claims in namespaces outside the run, where a login need not have any right."""

        def read(key: tuple[str, str]) -> tuple[Optional[Claim], str]:
            try:
                item = self.api.get(requests.CLAIMS, *key)
            except ApiError as denied:
                if denied.status != 403:
                    raise
                return None, str(denied)
            return (claim_from(item) if item is not None else None), ""

        for (namespace, name), (claim, error) in zip(missing, in_parallel(read, missing)):
            if error:
                observed.set_claim_error(namespace, name, error)
            else:
                observed.put_claim(namespace, name, claim)

    def _read_volumes(self, observed: ObservedShares) -> None:
        names = sorted(observed.missing_volumes)
        try:
            found = in_parallel(lambda name: self.api.get(requests.VOLUMES, None, name), names)
        except ApiError as error:
            if error.status != 403:
                raise
            observed.set_volumes_error(str(error))
            return
        for name, item in zip(names, found):
            observed.put_volume(name, volume_from(item) if item is not None else None)


def _placed_claim(item: dict[str, Any]) -> PlacedClaim:
    return item["metadata"]["namespace"], claim_from(item)
