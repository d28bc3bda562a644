# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set right on a volume that exists: our marks, Retain, a claimRef of a claim that is gone, mount options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from .. import requests
from ..metadata import RETIRED_ANNOTATION
from ..plan import Change
from .changes import Context, refuse
from .desired import ShareTarget
from .facts import PATCH
from .observed import RETAIN, Volume


class Fix(NamedTuple):
    """What there is to do on a volume: steps, and a clause for each; nothing in both where it is as it should be."""

    operations: tuple[requests.ApiRequest, ...] = ()
    reasons: tuple[str, ...] = ()
    adopts: bool = False


NOTHING = Fix()


def retain(volume: Volume) -> requests.ApiRequest:
    """Set a volume to Retain, if it still is the very one that was looked at; whose it is makes no difference to that."""
    return _guarded(volume, requests.JsonPatch(replaces={"/spec/persistentVolumeReclaimPolicy": RETAIN}), (_IS_RETAIN,))


def fix(
    ctx: Context,
    target: ShareTarget,
    volume: Volume,
    claim_uid: Optional[str],
    mount_options: Sequence[str] = (),
    lost: bool = False,
) -> tuple[Fix, Optional[Change]]:
    """Return what there is to do on a volume of a share, or the refusal where this login may not do it.

    `claim_uid` is that of the claim that it is for, None where that claim is yet to be made; `lost`: that claim was bound
    to it before, and is Lost.
    """
    share = target.share
    reasons: list[str] = []
    replaces: dict[str, Any] = {}
    removes: list[str] = []
    expect = []
    if volume.policy != RETAIN:
        replaces["/spec/persistentVolumeReclaimPolicy"] = RETAIN
        expect.append(_IS_RETAIN)
        reasons.append(f"its volume {volume.name} is set to Retain, which was {volume.policy}")
    adds: dict[str, Any] = {}
    if lost and claim_uid and volume.claim_name and volume.claim_uid != claim_uid:
        # A claim that was bound once takes a volume only that names it by its uid; else it is Lost for ever.
        adds["/spec/claimRef/uid"] = claim_uid
        expect.append((("spec", "claimRef", "uid"), claim_uid))
        reasons.append(f"its volume {volume.name} is given back to the claim that lost it")
    elif volume.claim_uid and volume.claim_uid != claim_uid:
        removes.append("/spec/claimRef/uid")
        expect.append((("spec", "claimRef", "uid"), None))
        reasons.append(f"its volume {volume.name}, left by a claim that is gone, is taken up again")
    labels = {key: value for key, value in share.labels.items() if volume.labels.get(key) != value}
    annotations: dict[str, Optional[str]] = {
        key: value for key, value in share.annotations.items() if volume.annotations.get(key) != value
    }
    if labels or annotations:
        reasons.append(f"its volume {volume.name} lacked the share's labels or annotations")
    if volume.retired_at is not None:
        annotations[RETIRED_ANNOTATION] = None
        reasons.append(f"its volume {volume.name} is taken out of retirement")
    body: dict[str, Any] = {}
    if labels or annotations:
        body["metadata"] = {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}
    spec: dict[str, Any] = {}
    # Of a volume that we made, all its options are ours; one that was made by hand keeps its own where none are asked for.
    made = (
        volume.name == target.volume and volume.share == share.name and volume.clone_of is None and not share.is_dynamic
    )
    if (mount_options or made) and tuple(mount_options) != volume.mount_options:
        spec["mountOptions"] = list(mount_options) or None
        had, desired = (", ".join(options) or "none" for options in (volume.mount_options, mount_options))
        reasons.append(f"the mount options of its volume, {had}, become {desired} at the next mount")
    if not volume.claim_name:
        spec["claimRef"] = {"namespace": target.namespace, "name": target.claim, "kind": "PersistentVolumeClaim"}
        spec["claimRef"]["apiVersion"] = "v1"
        if lost and claim_uid:
            spec["claimRef"]["uid"] = claim_uid
        reasons.append(f"its volume {volume.name} is reserved for its claim")
    planned: list[requests.ApiRequest] = []
    version = ""
    if not volume.claim_name:
        # All in one, over the very version that was looked at: somebody else may reserve it meanwhile.
        version = volume.version
        if volume.policy != RETAIN:
            spec["persistentVolumeReclaimPolicy"] = RETAIN
    elif expect:
        planned.append(
            _guarded(volume, requests.JsonPatch(replaces=replaces, removes=removes, adds=adds), tuple(expect))
        )
    if spec:
        body["spec"] = spec
    if body:
        after = () if volume.claim_name else tuple(expect)
        precondition = requests.Precondition(version, volume.uid)
        planned.append(requests.patch(requests.VOLUMES, "", volume.name, body, precondition).expecting(after))
    if not planned:
        return NOTHING, None
    error = ctx.facts.may_not(PATCH)
    if error:
        what = "; ".join(reasons)
        return NOTHING, refuse(target, f"{what}, but {error}: have that rule granted, or do it by hand first")
    return Fix(tuple(planned), tuple(reasons), adopts=volume.share is None), None


_IS_RETAIN: tuple[tuple[str, ...], Any] = (("spec", "persistentVolumeReclaimPolicy"), RETAIN)


def _guarded(volume: Volume, changes: requests.JsonPatch, expected: requests.Expected) -> requests.ApiRequest:
    tests = {"/metadata/uid": volume.uid}
    if volume.claim_uid and (changes.removes or changes.adds):
        tests["/spec/claimRef/uid"] = volume.claim_uid
    return requests.json_patch(requests.VOLUMES, "", volume.name, replace(changes, tests=tests)).expecting(expected)
