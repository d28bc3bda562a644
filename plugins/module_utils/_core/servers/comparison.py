# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare what a server mounts with what its user may mount now: excess, missing and stale access.

- Excess is access that is not granted: to a share, to write to a share, to the home of somebody else, or to the database
  of a hub.
- Missing is what a new server would get in addition.
- Stale is everything else that a new server would get in another way. The name of a claim proves no excess. That of a
  volume does if the spawn hook gave it to the claim of a share, and no share has this claim now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Optional

from ..._hub.access import MODES, Decision, Verdict
from ..._hub.acl_format import is_hub_database
from ..._hub.claim_policy import verify_mounts
from ..._hub.observed_claims import SHARE, SHARE_KEY, Claim
from ..access.model import RO, RW, Acl
from ..report.access import AccessReport, ReportContext
from ..validation import quoted
from .pods import MountedClaim, ServerPod
from .static_homes import StaticHomes

#: Every path is below it, so an AccessReport with it decides about grants alone.
_ANYWHERE = "/"
_NOT_MOUNTED = "not mounted: "


class Finding(NamedTuple):
    """A difference. `mounted` and `granted` are ro, rw or "". `share` is "" for a claim that is no share."""

    claim: str
    share: str
    mounted: str
    granted: str
    reason: str

    def as_result(self) -> dict[str, str]:
        """Return the finding as modules return it."""
        return self._asdict()


class Comparison(NamedTuple):
    """The differences of one server."""

    excess: tuple[Finding, ...] = ()
    missing: tuple[Finding, ...] = ()
    stale: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Grants:
    """What people may mount now: the ACL, the claims of the namespace by name, and what the ACL does not say.

    `context` has the groups of the hub, the day, and where the hub mounts shares. Without a home path there, shares may be
    mounted everywhere. `homes` is None unless the hub mounts a folder of one claim for each user.
    """

    acl: Acl
    claims: Mapping[str, Claim]
    context: ReportContext
    homes: Optional[StaticHomes] = None

    @cached_property
    def shares(self) -> dict[str, str]:
        """The names of the shares by claim."""
        return {share["claim"]: name for name, share in self.acl.by_name.items()}

    @cached_property
    def _anywhere(self) -> AccessReport:
        context = ReportContext(self.context.today, "", (_ANYWHERE,), self.context.hub_groups)
        return AccessReport(self.acl, context)

    @cached_property
    def _placed(self) -> AccessReport:
        return AccessReport(self.acl, self.context) if self.context.home else self._anywhere

    def compare(self, pod: ServerPod) -> Comparison:
        """Return the differences of a server. A secret share that it mounts was requested when it was started."""
        mounted = {self.shares[claim] for claim in pod.mounts if claim in self.shares}
        requested = [name for name in sorted(mounted) if self.acl.by_name[name]["level"] == "secret"]
        decision = self._anywhere.decision(pod.user, requested)
        verdicts = {verdict.share: verdict for verdict in decision.verdicts}
        excess: list[Finding] = []
        missing: list[Finding] = []
        stale: list[Finding] = list(_annotations(pod))
        for claim, mount in sorted(pod.mounts.items()):
            name = self.shares.get(claim)
            reason = self._never(pod.user, claim, name) or _withdrawn(claim, mount, name)
            if reason:
                excess.append(Finding(claim, "", mount.mode, "", reason))
            elif self.homes is not None and claim == self.homes.home.claim:
                for folder in mount.folders:
                    reason = self.homes.reason(pod.user, pod.server, folder)
                    if reason:
                        excess.append(Finding(claim, "", mount.mode, "", reason))
                    elif "$(" in folder:
                        stale.append(Finding(claim, "", mount.mode, "", _unknown_folder(claim, folder)))
            elif name is None:
                stale += self._unknown(claim, mount)
            else:
                found = _share_finding(claim, mount, verdicts[name])
                if found is not None:
                    (missing if found.mounted == RO and found.granted == RW else excess).append(found)
                if found is None or found.granted:
                    stale += self._stale(pod, claim, name)
        if self._placed is not self._anywhere:
            decision = self._placed.decision(pod.user, requested)
        missing += self._not_mounted(pod, decision, verdicts)
        return Comparison(tuple(excess), tuple(missing), tuple(stale))

    def _never(self, user: str, claim: str, share: Optional[str]) -> str:
        """Return why this user never mounts a claim, as a phrase, or "". `share` is the share of the claim by the ACL."""
        if is_hub_database(claim):
            return f"mounts claim {claim}, the database of a hub by its name"
        observed = self.claims.get(claim)
        if observed is not None and observed.is_of_hub:
            return f"mounts claim {claim}, the database of a hub by its label"
        if observed is None or self._is_marked(observed, share):
            return ""
        owner = observed.user
        if owner is not None and owner != user and observed.kind != SHARE:
            return f"mounts claim {claim}, the home of {quoted(owner)}"
        if share is None and (observed.kind == SHARE or SHARE_KEY in observed.annotations):
            return f"mounts claim {claim} of share {quoted(observed.annotations.get(SHARE_KEY, ''))}, which the ACL does not have"
        return ""

    def _is_marked(self, observed: Claim, share: Optional[str]) -> bool:
        return share is not None and observed.kind == SHARE and observed.annotations.get(SHARE_KEY) == share

    def _unknown(self, claim: str, mount: MountedClaim) -> Iterator[Finding]:
        observed = self.claims.get(claim)
        if observed is None:
            yield Finding(claim, "", mount.mode, "", f"mounts claim {claim}, which does not exist any more")
        elif observed.user is None and observed.is_somebodys:
            yield Finding(
                claim, "", mount.mode, "", f"mounts claim {claim}, a home without an annotation that names its owner"
            )

    def _stale(self, pod: ServerPod, claim: str, name: str) -> Iterator[Finding]:
        share, mount = self.acl.by_name[name], pod.mounts[claim]
        path, gid = share["mount_path"], share.get("gid")
        observed = self.claims.get(claim)
        reasons = []
        if observed is None:
            reasons.append(f"mounts share {name}, whose claim {claim} does not exist any more")
        elif not self._is_marked(observed, name):
            reasons.append(f"mounts claim {claim}, which is not marked as share {name} any more")
        if path not in mount.paths:
            reasons.append(f"mounts share {name} at {', '.join(mount.paths)} instead of {path}")
        if gid is not None and gid not in pod.gids:
            reasons.append(f"runs without group {gid} of share {name}")
        for reason in reasons:
            yield Finding(claim, name, mount.mode, mount.mode, reason)

    def _not_mounted(self, pod: ServerPod, decision: Decision, verdicts: Mapping[str, Verdict]) -> Iterator[Finding]:
        usable, _left_out = verify_mounts(decision.mounts, self.claims)
        for mount in usable:
            if mount.claim not in pod.mounts:
                reason = f"does not mount share {mount.share}, which is granted {verdicts[mount.share].rule}"
                yield Finding(mount.claim, mount.share, "", mount.mode, reason)


def _withdrawn(claim: str, mount: MountedClaim, share: Optional[str]) -> str:
    """Return why a claim that the spawn hook mounted as a share is excess if it is no share now, as a phrase, or "".

    Whoever may edit the claim can remove its marks, but nobody can rename a volume of a pod.
    """
    if share is None and mount.as_share:
        return f"mounts claim {claim} as a share, and no share of the ACL has this claim"
    return ""


def _unknown_folder(claim: str, folder: str) -> str:
    return (
        f"mounts folder {quoted(folder)} of claim {claim}, which depends on variables whose values are not in the pod"
    )


def _annotations(pod: ServerPod) -> Iterator[Finding]:
    user, server = pod.annotated
    if user and (user, server) != (pod.user, pod.server):
        named = f"{quoted(user)}, server {quoted(server)}" if server else quoted(user)
        yield Finding("", "", "", "", f"has annotations that name {named}, which the hub did not write")


def _share_finding(claim: str, mount: MountedClaim, verdict: Verdict) -> Optional[Finding]:
    """Return the difference between a mounted share and the verdict on it, None without one."""
    granted = verdict.outcome if verdict.outcome in MODES else ""
    if granted == mount.mode:
        return None
    why = f"is granted {verdict.rule}" if granted else verdict.rule.replace(_NOT_MOUNTED, "", 1)
    return Finding(
        claim, verdict.share, mount.mode, granted, f"mounts share {verdict.share} {MODES[mount.mode]}, but {why}"
    )
