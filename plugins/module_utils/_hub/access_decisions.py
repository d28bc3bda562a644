# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server may mount now: the ACL, the person's groups, and the shares that the request asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .access import SpawnRequest, decide
from .acl_reader import AclReader, AclUnreadable
from .claim_policy import verify_mounts
from .hub_settings import Runtime, Settings
from .kubernetes_client import ApiFailure, KubernetesClient
from .observed_claims import KIND_LABEL, SHARE, Claim
from .spawn_stamp import NOTICE, Outcome

#: The key of the request to start a server: the secret shares to mount.
REQUESTED_KEY = "secret_shares"


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
        settings = self._settings
        person = spawner.user.name
        client = KubernetesClient(spawner, settings.namespace or spawner.namespace, settings.timeout)
        acl = await self._reader.read(client, person)
        groups = [group.name for group in getattr(spawner.user, "groups", None) or ()]
        request = SpawnRequest(
            person,
            groups,
            requested_shares(spawner),
            self._runtime.clock().date(),
            settings.home_path,
            settings.mount_roots,
        )
        decision = decide(acl.shares, acl.members, request)
        if decision.errors:
            raise AclUnreadable("; ".join(decision.errors))
        left_out = {
            verdict.share: verdict.rule for verdict in decision.verdicts if verdict.visible and verdict.outcome == "-"
        }
        if not decision.mounts:
            return Outcome(acl.digest, [], left_out), {}
        claims = await _share_claims(KubernetesClient(spawner, spawner.namespace, settings.timeout))
        mounts, unusable = verify_mounts(decision.mounts, claims)
        return Outcome(acl.digest, mounts, {**left_out, **unusable}), claims


async def _share_claims(client: KubernetesClient) -> dict[str, Claim]:
    try:
        return {claim.name: claim for claim in await client.claims(f"{KIND_LABEL}={SHARE}")}
    except ApiFailure as error:
        raise AclUnreadable(f"the claims of shares cannot be read: {error}") from error


def requested_shares(spawner: Any) -> list[str]:
    """Return the secret shares that this request asks for: the list `secret_shares` in the JSON body of an API request.

    The body is read, not `spawner.user_options`: the hub remembers those, and fills them from the query of a link.
    """
    request = getattr(getattr(spawner, "handler", None), "request", None)
    if request is None or request.method != "POST":
        return []
    try:
        body = json.loads(request.body)
    except (TypeError, ValueError, RecursionError):
        return []
    names = body.get(REQUESTED_KEY) if isinstance(body, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
