# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims and volumes of shares as observed in the cluster, read as far as planning needs them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from ...kubernetes.claims import BOUND, Claim, SnapshotSource
from ...kubernetes.volumes import Volume
from ...metadata import (
    KIND_HOME,
    KIND_LABEL,
    KIND_SHARE,
    KIND_TREE,
    SHARE_KEY,
    TREE_KEY,
    TREE_PREFIX,
    USERNAME_LABEL,
)
from ..naming import is_spawner_name, name_key, plain_name, reserved_name, share_label

#: The kinds that have names of their own: the key of the name, and what precedes it in plans.
_KINDS = {KIND_SHARE: (SHARE_KEY, ""), KIND_TREE: (TREE_KEY, TREE_PREFIX)}
_COMPONENTS = {"hub": "the hub's own", "singleuser-storage": "a home by its labels"}


def share_of(claim: Claim) -> Optional[str]:
    """Return the share or tree that a claim belongs to by our labels and annotations, None when they say nothing."""
    kind = claim.labels.get(KIND_LABEL)
    if kind not in _KINDS:
        return None
    key, prefix = _KINDS[kind]
    name = claim.annotations.get(key) or claim.labels.get(key)
    return prefix + name if name else prefix or None


def is_marked(claim: Claim, share: str) -> bool:
    """Return whether our marks say that a claim belongs to a share, also when somebody removed its labels."""
    owner = share_of(claim)
    if owner is not None:
        return owner in (share, share_label(share))
    return claim.annotations.get(name_key(share)) == plain_name(share)


def owner_of(claim: Claim) -> Optional[str]:
    """Return whose claim this is if it is a home or the hub's, whatever other marks it carries. None otherwise."""
    return reserved_for(claim._replace(is_block=False))


def reserved_for(claim: Claim) -> Optional[str]:
    """Return what a claim is that cannot be a share ("the home of bob"), None when it can be one."""
    if claim.user is not None:
        return f"the home of {claim.user}"
    if USERNAME_LABEL in claim.annotations:
        return "a home without the name of its owner"
    kind = claim.labels.get(KIND_LABEL)
    if kind is not None and kind not in _KINDS:
        return "a home" if kind == KIND_HOME else f"a {kind}"
    if reserved_name(claim.name):
        return reserved_name(claim.name)
    if USERNAME_LABEL in claim.labels:
        return "a home by its labels"
    if kind is None and is_spawner_name(claim.name):
        return f"a home by its name (if it is not, set the label {KIND_LABEL}={KIND_SHARE})"
    if claim.is_block:
        return "a raw block device (volumeMode Block)"
    return _COMPONENTS.get(claim.labels.get("component", ""))


def reserved_volume(volume: Volume) -> Optional[str]:
    """Return what a volume without a claim is ("the home of bob"), by its marks or its old claim; None when it can be a share."""
    user = volume.annotations.get(USERNAME_LABEL)
    if user:
        return f"the home of {user}, whose claim was deleted"
    if volume.labels.get(KIND_LABEL) == KIND_HOME:
        return "a home, whose claim was deleted"
    name = volume.claim_name
    if name and volume.phase != BOUND and (reserved_name(name) or is_spawner_name(name)):
        return f"{reserved_name(name) or 'a home by its name'} (reserved for claim {name} in {volume.claim_namespace})"
    return None


class ObservedShares:
    """The claims and volumes read so far. What planning asks beyond that is noted as missing.

    Claims are known by namespace (`complete`) or by name. Volumes are known by name, by our label, or all of them.
    """

    def __init__(self) -> None:
        self.missing_claims: set[tuple[str, str]] = set()
        self.missing_volumes: set[str] = set()
        self.missing_snapshots: set[tuple[str, str]] = set()
        self.needs_labelled_volumes = False
        self.needs_all_volumes = False
        self.needs_cluster_claims = False
        self.volumes_error = ""
        self._claims: dict[tuple[str, str], Optional[Claim]] = {}
        self._volumes: dict[str, Optional[Volume]] = {}
        self._complete: set[str] = set()
        self._knows_labelled = False
        self._knows_all = False
        self._by_claim: Optional[dict[tuple[str, str], list[Volume]]] = None
        self._by_share: Optional[dict[tuple[str, str], list[Claim]]] = None
        self._claim_errors: dict[tuple[str, str], str] = {}
        self._snapshots: dict[tuple[str, str], SnapshotSource] = {}
        self._knows_cluster_claims = False
        self._earlier: Optional[ObservedShares] = None

    # -- what was read --

    def add_claims(self, found: Iterable[tuple[str, Claim]], complete: Iterable[str] = ()) -> None:
        """Add claims as (namespace, claim). For the namespaces in `complete` these are all claims."""
        for namespace, claim in found:
            self._claims[namespace, claim.name] = claim
        self._complete.update(complete)
        self._by_share = None

    def add_cluster_claims(self, found: Iterable[tuple[str, Claim]]) -> None:
        """Add the claims of shares in the whole cluster, as far as this login may list them."""
        self.add_claims(found)
        self._knows_cluster_claims = True

    def put_claim(self, namespace: str, name: str, claim: Optional[Claim]) -> None:
        """Add one claim as it is now. None: there is no claim of that name."""
        self._claims[namespace, name] = claim
        self._by_share = None

    def set_claim_error(self, namespace: str, name: str, error: str) -> None:
        """Note why a claim in a namespace outside the run cannot be read."""
        self._claims[namespace, name] = None
        self._claim_errors[namespace, name] = error

    def put_snapshot(self, namespace: str, name: str, source: SnapshotSource) -> None:
        """Add the claim that a VolumeSnapshot was taken of."""
        self._snapshots[namespace, name] = source

    def add_volumes(self, found: Iterable[Volume], everything: bool = False) -> None:
        """Add all volumes with our label, or all volumes of the cluster."""
        for volume in found:
            self._volumes[volume.name] = volume
        self._knows_labelled = True
        self._knows_all = self._knows_all or everything
        self._by_claim = None

    def put_volume(self, name: str, volume: Optional[Volume]) -> None:
        """Add one volume as it is now. None: there is no volume of that name."""
        self._volumes[name] = volume
        self._by_claim = None

    def set_volumes_error(self, error: str) -> None:
        """Note why volumes cannot be read."""
        self.volumes_error = error

    def of_share(self, targets: Iterable[tuple[str, str]], share: str) -> ObservedShares:
        """Return what is known of one share in these (namespace, claim), to read it again and plan it again."""
        part = ObservedShares()
        part.volumes_error = self.volumes_error
        part._knows_labelled = self._knows_labelled or self._knows_all
        # The volumes of the whole plan serve for conflicts here too. A volume that is not among them is read by name.
        part._earlier = self if self._knows_all else self._earlier
        part._claim_errors = self._claim_errors
        part._snapshots = self._snapshots
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
        """Whether planning asked for something that was not read."""
        needs_list = self.needs_labelled_volumes or self.needs_all_volumes or self.needs_cluster_claims
        return bool(self.missing_claims or self.missing_volumes or self.missing_snapshots or needs_list)

    # -- what planning asks --

    def claim(self, namespace: str, name: str) -> Optional[Claim]:
        """Return the claim of that name, None when there is none or it is not known yet."""
        key = (namespace, name)
        found = self._claims.get(key)
        if found is None and key not in self._claims and namespace not in self._complete:
            self.missing_claims.add(key)
        return found

    def claims_of(self, namespace: str, share: str) -> list[Claim]:
        """Return the claims in a namespace that belong to a share by our labels, or by the hash of its name alone."""
        if self._by_share is None:
            index: dict[tuple[str, str], list[Claim]] = {}
            for (where, _name), claim in self._claims.items():
                owner = share_of(claim) if claim is not None else None
                if claim is not None and owner is not None:
                    index.setdefault((where, owner), []).append(claim)
            self._by_share = index
        found = self._by_share.get((namespace, share), [])
        hashed = share_label(share)
        return found if hashed == share else [*found, *self._by_share.get((namespace, hashed), [])]

    def volume(self, name: str) -> Optional[Volume]:
        """Return the volume of that name, None when there is none, or it is not known yet or cannot be read."""
        found = self._volumes.get(name)
        if found is None and name not in self._volumes and not self._knows_all and not self.volumes_error:
            if self._knows_labelled:
                self.missing_volumes.add(name)
            else:
                self.needs_labelled_volumes = True
        return found

    def bound_volume(self, claim: Optional[Claim]) -> Optional[Volume]:
        """Return the volume that a claim names, None without a claim or a volume."""
        return self.volume(claim.volume) if claim is not None and claim.volume else None

    def request_cluster_claims(self) -> None:
        """Ask for the claims of shares in the whole cluster."""
        self.needs_cluster_claims = not self._knows_cluster_claims

    def cluster_claims_of(self, share: str) -> list[tuple[str, Claim]]:
        """Return the claims of a share in all namespaces that were read, as (namespace, claim)."""
        where = {namespace for namespace, _name in self._claims}
        return [(namespace, claim) for namespace in where for claim in self.claims_of(namespace, share)]

    def known_volume(self, name: str) -> Optional[Volume]:
        """Return the volume of that name if it was read already."""
        return self._volumes.get(name)

    def known_claim(self, namespace: str, name: str) -> Optional[Claim]:
        """Return the claim of that name if it was read already."""
        return self._claims.get((namespace, name))

    def known_volumes(self) -> list[Volume]:
        """Return the volumes that were read already."""
        return [volume for volume in self._volumes.values() if volume is not None]

    def claim_error(self, namespace: str, name: str) -> str:
        """Return why a claim cannot be read, "" when it can."""
        return self._claim_errors.get((namespace, name), "")

    def source_claim(self, namespace: str, name: str) -> tuple[Optional[Claim], str]:
        """Return a claim, None when there is none or it is not known yet; and why it cannot be read, "" when it can."""
        return self.claim(namespace, name), self.claim_error(namespace, name)

    def snapshot_source(self, namespace: str, name: str) -> SnapshotSource:
        """Return the claim that a VolumeSnapshot was taken of, and when."""
        if (namespace, name) not in self._snapshots:
            self.missing_snapshots.add((namespace, name))
        return self._snapshots.get((namespace, name), SnapshotSource(""))

    def labelled_volumes(self) -> list[Volume]:
        """Return the volumes that belong to a share by our annotation, as far as they can be read."""
        if not (self._knows_labelled or self.volumes_error):
            self.needs_labelled_volumes = True
        return [volume for volume in self._volumes.values() if volume is not None and volume.share is not None]

    def known_shares(self) -> set[str]:
        """Return the shares that the labels and annotations of claims and volumes name."""
        known = (claim for claim in self._claims.values() if claim is not None)
        claims = {share_of(claim) or claim.annotations.get(SHARE_KEY) for claim in known}
        volumes = {volume.share for volume in self._volumes.values() if volume is not None}
        return {name for name in claims | volumes if name is not None}

    def all_volumes(self) -> Optional[list[Volume]]:
        """Return all volumes of the cluster, None when they are not known yet or cannot be read."""
        if not self._knows_all and self._earlier is None:
            self.needs_all_volumes = self.needs_all_volumes or not self.volumes_error
            return None
        earlier = self._earlier._volumes if self._earlier is not None else {}
        return [volume for volume in {**earlier, **self._volumes}.values() if volume is not None]

    def volumes_for(self, namespace: str, claim: str, unlabelled: bool) -> list[Volume]:
        """Return the volumes reserved for a claim of that name, also those without our label if `unlabelled`."""
        if not self.volumes_error:
            if unlabelled and not self._knows_all and self._earlier is None:
                self.needs_all_volumes = True
            elif not self._knows_labelled:
                self.needs_labelled_volumes = True
        return self._reserved().get((namespace, claim), [])

    def _reserved(self) -> dict[tuple[str, str], list[Volume]]:
        if self._by_claim is None:
            index: dict[tuple[str, str], list[Volume]] = {}
            for volume in self._volumes.values():
                if volume is not None and volume.claim_name:
                    index.setdefault((volume.claim_namespace, volume.claim_name), []).append(volume)
            self._by_claim = index
        return self._by_claim
