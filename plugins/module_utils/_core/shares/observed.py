# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes and claims of shares as they are in the cluster, reduced to what planning needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from ..kubernetes.claims import Claim, claim_from
from ..kubernetes.volumes import PROVISIONED_BY_ANNOTATION as PROVISIONED
from ..kubernetes.volumes import RETAIN, Volume, volume_from
from ..kubernetes.volumes import RWX as MANY
from ..metadata import (
    KIND_HOME,
    KIND_LABEL,
    KIND_SHARE,
    SHARE_KEY,
    USERNAME_LABEL,
)
from .naming import share_label
from .reserved import is_spawner_name, reserved_name

_COMPONENTS = {"hub": "the hub's own", "singleuser-storage": "a home by its labels"}


def share_of(claim: Claim) -> Optional[str]:
    """The share whose claim it is by our marks, None where nothing says so."""
    if claim.labels.get(KIND_LABEL) != KIND_SHARE:
        return None
    return claim.annotations.get(SHARE_KEY) or claim.labels.get(SHARE_KEY)


def what_else(claim: Claim) -> Optional[str]:
    """What a claim is that can be no share ("the home of bob"), None where nothing speaks against one."""
    if claim.user is not None:
        return f"the home of {claim.user}"
    kind = claim.labels.get(KIND_LABEL)
    if kind is not None and kind != KIND_SHARE:
        return "a home" if kind == KIND_HOME else f"a {kind}"
    if reserved_name(claim.name):
        return reserved_name(claim.name)
    if USERNAME_LABEL in claim.labels:
        return "a home by its labels"
    if kind != KIND_SHARE and is_spawner_name(claim.name):
        return f"a home by its name (where it is none, say so with the label {KIND_LABEL}={KIND_SHARE})"
    return _COMPONENTS.get(claim.labels.get("component", ""))


class ObservedShares:
    """Claims and volumes as far as they were read; what planning asks beyond that is noted as missing.

    Known by whole namespaces (`whole`), by single names, or, of volumes, by our label (`marked`) or all of them.
    """

    def __init__(self) -> None:
        self.missing_claims: set[tuple[str, str]] = set()
        self.missing_volumes: set[str] = set()
        self.wants_marked_volumes = False
        self.wants_all_volumes = False
        self.wants_everywhere = False
        self.volumes_error = ""
        self._claims: dict[tuple[str, str], Optional[Claim]] = {}
        self._volumes: dict[str, Optional[Volume]] = {}
        self._whole: set[str] = set()
        self._marked_known = False
        self._all_known = False
        self._by_claim: Optional[dict[tuple[str, str], list[Volume]]] = None
        self._by_share: Optional[dict[tuple[str, str], list[Claim]]] = None
        self._claim_errors: dict[tuple[str, str], str] = {}
        self._everywhere_known = False
        self._earlier: Optional[ObservedShares] = None

    # -- what was read --

    def add_claims(self, found: Iterable[tuple[str, Claim]], is_complete: Iterable[str] = ()) -> None:
        """Take in claims as (namespace, claim). Of the namespaces in `whole` these are all."""
        for namespace, claim in found:
            self._claims[namespace, claim.name] = claim
        self._whole.update(is_complete)
        self._by_share = None

    def add_everywhere(self, found: Iterable[tuple[str, Claim]]) -> None:
        """Take in the marked claims of the whole cluster, as far as they may be read."""
        self.add_claims(found)
        self._everywhere_known = True

    def put_claim(self, namespace: str, name: str, claim: Optional[Claim]) -> None:
        """Take in one claim as it is now; None: there is none of that name."""
        self._claims[namespace, name] = claim
        self._by_share = None

    def forbid_claim(self, namespace: str, name: str, error: str) -> None:
        """A claim in a namespace that is none of the run's may not be read, for this reason."""
        self._claims[namespace, name] = None
        self._claim_errors[namespace, name] = error

    def add_volumes(self, found: Iterable[Volume], everything: bool = False) -> None:
        """Take in all volumes that our label marks, or all that there are."""
        for volume in found:
            self._volumes[volume.name] = volume
        self._marked_known = True
        self._all_known = self._all_known or everything
        self._by_claim = None

    def put_volume(self, name: str, volume: Optional[Volume]) -> None:
        """Take in one volume as it is now; None: there is none of that name."""
        self._volumes[name] = volume
        self._by_claim = None

    def forbid_volumes(self, error: str) -> None:
        """Volumes may not be read, for this reason."""
        self.volumes_error = error

    def around(self, targets: Iterable[tuple[str, str]], share: str) -> ObservedShares:
        """Return what is known of one share in these namespaces, as (namespace, claim), to be read anew and planned again."""
        part = ObservedShares()
        part.volumes_error = self.volumes_error
        part._marked_known = self._marked_known or self._all_known
        # What the whole plan was held against does for this one as well; a volume that is not in it is read by its name.
        part._earlier = self if self._all_known else self._earlier
        part._claim_errors = self._claim_errors
        for namespace, name in targets:
            for claim in (self._claims.get((namespace, name)), *self.claims_of(namespace, share)):
                if claim is not None:
                    part._claims[namespace, claim.name] = claim
                    if claim.volume in self._volumes:
                        part._volumes[claim.volume] = self._volumes[claim.volume]
                for volume in self._reserved().get((namespace, claim.name if claim is not None else name), ()):
                    part._volumes[volume.name] = volume
        return part

    @property
    def is_missing(self) -> bool:
        """Whether planning asked for what was not read."""
        desired = self.wants_marked_volumes or self.wants_all_volumes or self.wants_everywhere
        return bool(self.missing_claims or self.missing_volumes or desired)

    # -- what planning asks --

    def claim(self, namespace: str, name: str) -> Optional[Claim]:
        """The claim of that name, None where there is none, or it is not known yet."""
        key = (namespace, name)
        found = self._claims.get(key)
        if found is None and key not in self._claims and namespace not in self._whole:
            self.missing_claims.add(key)
        return found

    def claims_of(self, namespace: str, share: str) -> list[Claim]:
        """The claims in a namespace that our marks call this share's, be it by the hash of its name alone."""
        if self._by_share is None:
            index: dict[tuple[str, str], list[Claim]] = {}
            for (where, _name), claim in self._claims.items():
                marked = share_of(claim) if claim is not None else None
                if claim is not None and marked is not None:
                    index.setdefault((where, marked), []).append(claim)
            self._by_share = index
        found = self._by_share.get((namespace, share), [])
        hashed = share_label(share)
        return found if hashed == share else [*found, *self._by_share.get((namespace, hashed), [])]

    def volume(self, name: str) -> Optional[Volume]:
        """The volume of that name, None where there is none, it is not known yet, or may not be read."""
        found = self._volumes.get(name)
        if found is None and name not in self._volumes and not self._all_known and not self.volumes_error:
            if self._marked_known:
                self.missing_volumes.add(name)
            else:
                self.wants_marked_volumes = True
        return found

    def ask_everywhere(self) -> None:
        """Ask for the marked claims of the whole cluster."""
        self.wants_everywhere = not self._everywhere_known

    def claims_everywhere(self, share: str) -> list[tuple[str, Claim]]:
        """The claims that our marks call this share's in all namespaces that were read, with these."""
        where = {namespace for namespace, _name in self._claims}
        return [(namespace, claim) for namespace in where for claim in self.claims_of(namespace, share)]

    def known_volume(self, name: str) -> Optional[Volume]:
        """The volume of that name as far as it was read already."""
        return self._volumes.get(name)

    def claim_error(self, namespace: str, name: str) -> str:
        """Why a claim may not be read, "" where it may."""
        return self._claim_errors.get((namespace, name), "")

    def marked_volumes(self) -> list[Volume]:
        """The volumes that our marks call a share's, as far as they may be read."""
        if not (self._marked_known or self.volumes_error):
            self.wants_marked_volumes = True
        return [volume for volume in self._volumes.values() if volume is not None and volume.share is not None]

    def marked_shares(self) -> set[str]:
        """The shares whose marks were read, on claims or volumes."""
        claims = {share_of(claim) for claim in self._claims.values() if claim is not None}
        volumes = {volume.share for volume in self._volumes.values() if volume is not None}
        return {name for name in claims | volumes if name is not None}

    def all_volumes(self) -> Optional[list[Volume]]:
        """All volumes that there are, None where they are not known yet, or may not be read."""
        if not self._all_known and self._earlier is None:
            self.wants_all_volumes = self.wants_all_volumes or not self.volumes_error
            return None
        earlier = self._earlier._volumes if self._earlier is not None else {}
        return [volume for volume in {**earlier, **self._volumes}.values() if volume is not None]

    def volumes_for(self, namespace: str, claim: str, unmarked: bool) -> list[Volume]:
        """The volumes that are reserved for a claim of that name; those without our label too where `unmarked`."""
        if not self.volumes_error:
            if unmarked and not self._all_known and self._earlier is None:
                self.wants_all_volumes = True
            elif not self._marked_known:
                self.wants_marked_volumes = True
        return self._reserved().get((namespace, claim), [])

    def _reserved(self) -> dict[tuple[str, str], list[Volume]]:
        if self._by_claim is None:
            index: dict[tuple[str, str], list[Volume]] = {}
            for volume in self._volumes.values():
                if volume is not None and volume.claim_name:
                    index.setdefault((volume.claim_namespace, volume.claim_name), []).append(volume)
            self._by_claim = index
        return self._by_claim


__all__ = [
    "MANY",
    "PROVISIONED",
    "RETAIN",
    "Claim",
    "ObservedShares",
    "Volume",
    "claim_from",
    "share_of",
    "volume_from",
    "what_else",
]
