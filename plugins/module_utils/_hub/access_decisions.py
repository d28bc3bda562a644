# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server may mount now: the ACL, the groups of its owner, and the shares that the request asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .access import ASK, Decision, SpawnRequest, Verdict, decide
from .acl_reader import AclReader, AclUnreadable
from .claim_policy import verify_mounts
from .hub_settings import Runtime, Settings
from .kubernetes_client import ApiFailure, KubernetesClient
from .observed_claims import KIND_LABEL, SHARE, Claim
from .requested_shares import requested_shares
from .spawn_stamp import NOTICE, Outcome


def without_acl() -> Outcome:
    """Return what a server gets if the ACL cannot be read."""
    return Outcome("", [], {}, NOTICE)


class AccessDecisions:
    """Decides about servers. `settings` and `runtime` are those of the hub."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self._settings, self._runtime = settings, runtime
        self._reader = AclReader()

    async def decide(self, spawner: Any) -> tuple[Outcome, Mapping[str, Claim]]:
        """Return what a server gets, and the claims of all shares by name if they were read. Raises AclUnreadable."""
        digest, decision = await self._decision(spawner, requested_shares(spawner))
        left_out = {
            verdict.share: verdict.rule for verdict in decision.verdicts if verdict.visible and verdict.outcome == "-"
        }
        if not decision.mounts:
            return Outcome(digest, [], left_out), {}
        claims = await _share_claims(KubernetesClient(spawner, spawner.namespace, self._settings.timeout))
        mounts, unusable = verify_mounts(decision.mounts, claims)
        secret = frozenset(verdict.share for verdict in decision.verdicts if verdict.level == "secret")
        return Outcome(digest, mounts, {**left_out, **unusable}, secret=secret), claims

    async def offered(self, spawner: Any) -> list[Verdict]:
        """Return the secret shares that the owner of a server may request. Raises AclUnreadable."""
        _digest, decision = await self._decision(spawner, ())
        return [verdict for verdict in decision.verdicts if verdict.outcome == ASK]

    async def _decision(self, spawner: Any, requested: Iterable[str]) -> tuple[str, Decision]:
        """Return the digest of the ACL, and its decision about the owner of a server, whoever starts it."""
        settings = self._settings
        person = spawner.user.name
        client = KubernetesClient(spawner, settings.namespace or spawner.namespace, settings.timeout)
        acl = await self._reader.read(client, person)
        groups = [group.name for group in getattr(spawner.user, "groups", None) or ()]
        today = self._runtime.clock().date()
        request = SpawnRequest(person, groups, requested, today, settings.home_path, settings.mount_roots)
        decision = decide(acl.shares, acl.members, request)
        if decision.errors:
            raise AclUnreadable("; ".join(decision.errors))
        return acl.digest, decision


async def _share_claims(client: KubernetesClient) -> dict[str, Claim]:
    try:
        return {claim.name: claim for claim in await client.claims(f"{KIND_LABEL}={SHARE}")}
    except ApiFailure as error:
        raise AclUnreadable(f"the claims of shares cannot be read: {error}") from error
