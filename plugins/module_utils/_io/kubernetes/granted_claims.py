# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the claims that an ACL starts to grant can be shares: not homes, and not the hub's database."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from ..._core.kubernetes.claims import Claim, claim_from
from ..._core.requests import CLAIMS
from ..._core.shares.planning.observed import reserved_for, share_of
from .api import CONNECTIONS, Api
from .errors import ApiError

#: To read more single claims than this, all claims of the namespace are listed.
_FEW = 24


def claims_granted(old: Optional[Mapping[str, Any]], new: Mapping[str, Any]) -> dict[str, str]:
    """Return the claims that `new` grants and `old` does not, with their shares. Both map shares to their stored data."""
    before = {share["claim"] for share in (old or {}).values()}
    return {share["claim"]: name for name, share in sorted(new.items()) if share["claim"] not in before}


def claim_refusals(api: Api, namespace: str, claims: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return why claims (given with their shares) must not be granted, and warnings. A later task may create a missing claim."""
    if not claims:
        return [], []
    try:
        found = _read(api, namespace, claims)
    except ApiError as error:
        if error.status != 403:
            raise
        return [], [f"Whether the claims of new shares belong to homes or other shares is unknown: {error}"]
    refusals = []
    for name, share in claims.items():
        claim = found.get(name)
        if claim is None:
            continue
        other_use = reserved_for(claim)
        if other_use is None and share_of(claim) not in (None, share):
            other_use = f"the claim of the share {share_of(claim)}"
        if other_use is not None:
            refusals.append(
                f"the share {share} would grant claim {name}, which is {other_use}: use another claim, or another name for the "
                "share"
            )
    return refusals, []


def _read(api: Api, namespace: str, claims: Mapping[str, str]) -> dict[str, Claim]:
    if len(claims) > _FEW:
        return {claim.name: claim for claim in api.list_all(CLAIMS, namespace, claim_from)}
    with ThreadPoolExecutor(max_workers=min(CONNECTIONS, len(claims))) as pool:
        items = list(pool.map(lambda name: api.get(CLAIMS, namespace, name), claims))
    return {name: claim_from(item) for name, item in zip(claims, items) if item is not None}
