# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server may mount now: the ACL, the groups of its owner, and the shares that the request asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional

from .access import ASK, Decision, SpawnRequest, Verdict, decide
from .acl_reader import AclReader, AclUnreadable, PersonalAcl
from .claim_policy import verify_mounts
from .hub_settings import Runtime, Settings
from .kubernetes_client import ApiFailure, KubernetesClient
from .observed_claims import KIND_LABEL, SHARE, Claim
from .requested_shares import requested_shares
from .spawn_stamp import NOTICE, Outcome
from .turns import Turns


def without_acl() -> Outcome:
    """Return what a server gets if the ACL cannot be read."""
    return Outcome("", [], {}, NOTICE)


class AccessDecisions:
    """Decides about servers. `settings` and `runtime` are those of the hub."""

    def __init__(self, settings: Settings, runtime: Runtime, turns: Turns) -> None:
        self._settings, self._runtime, self._turns = settings, runtime, turns
        self._reader = AclReader()

    async def decide(self, spawner: Any, known: dict[str, Optional[Claim]]) -> Outcome:
        """Return what a server gets. `known` are claims that were read, and gets those of shares. Raises AclUnreadable."""
        acl, requested = await self._acl(spawner), requested_shares(spawner)
        client = KubernetesClient(spawner, spawner.namespace, self._settings.timeout, self._turns)
        lost: dict[str, str] = {}
        asked: set[str] = set()
        while True:
            decision = self._decision(spawner, acl, [share for share in requested if share not in lost])
            names = [mount.claim for mount in decision.mounts if mount.claim not in known and mount.claim not in asked]
            await _read_claims(names, client, known)
            asked.update(names)
            shares = {name: claim for name, claim in known.items() if claim is not None and claim.kind == SHARE}
            mounts, unusable = verify_mounts(decision.mounts, shares)
            secret = frozenset(verdict.share for verdict in decision.verdicts if verdict.level == "secret")
            # The others are read only beside a secret share, so decide again without one that cannot be mounted.
            newly_lost = {share: reason for share, reason in unusable.items() if share in secret}
            if not newly_lost:
                break
            lost.update(newly_lost)
        left_out = {
            verdict.share: verdict.rule for verdict in decision.verdicts if verdict.visible and verdict.outcome == "-"
        }
        return Outcome(acl.digest, mounts, {**left_out, **unusable, **lost}, secret=secret)

    async def offered(self, spawner: Any) -> list[Verdict]:
        """Return the secret shares that the owner of a server may request. Raises AclUnreadable."""
        decision = self._decision(spawner, await self._acl(spawner), ())
        return [verdict for verdict in decision.verdicts if verdict.outcome == ASK]

    async def _acl(self, spawner: Any) -> PersonalAcl:
        settings = self._settings
        client = KubernetesClient(spawner, settings.namespace or spawner.namespace, settings.timeout, self._turns)
        return await self._reader.read(client, spawner.user.name)

    def _decision(self, spawner: Any, acl: PersonalAcl, requested: Iterable[str]) -> Decision:
        """Return the decision about the owner of a server, whoever starts it."""
        settings = self._settings
        groups = [group.name for group in getattr(spawner.user, "groups", None) or ()]
        today = self._runtime.clock().date()
        request = SpawnRequest(spawner.user.name, groups, requested, today, settings.home_path, settings.mount_roots)
        decision = decide(acl.shares, acl.members, request)
        if decision.errors:
            raise AclUnreadable("; ".join(decision.errors))
        return decision


async def _read_claims(names: Sequence[str], client: KubernetesClient, known: dict[str, Optional[Claim]]) -> None:
    """Read claims of shares that the list with the homes did not have: one, or the list of all shares. Raises AclUnreadable."""
    try:
        if len(names) == 1:
            known[names[0]] = await client.claim(names[0])
        elif names:
            known.update((claim.name, claim) for claim in await client.claims(f"{KIND_LABEL}={SHARE}"))
    except ApiFailure as error:
        raise AclUnreadable(f"the claims of shares cannot be read: {error}") from error
