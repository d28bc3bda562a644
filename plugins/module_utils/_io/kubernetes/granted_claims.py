# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether claims that an access list begins to grant may be a share's at all: no home, and not the hub's database."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from ..._core.kubernetes.claims import Claim, claim_from
from ..._core.requests import CLAIMS
from ..._core.shares.observed import share_of, what_else
from .api import CONNECTIONS, Api
from .errors import ApiError

#: More claims than this are not worth a request each.
_FEW = 24


def claims_granted(old: Optional[Mapping[str, Any]], new: Mapping[str, Any]) -> dict[str, str]:
    """The claims that `new` grants and `old` does not, each with its share; both map shares to what is stored of them."""
    before = {share["claim"] for share in (old or {}).values()}
    return {share["claim"]: name for name, share in sorted(new.items()) if share["claim"] not in before}


def claim_refusals(api: Api, namespace: str, claims: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return why claims may not be granted, and what to warn of. A claim that is not there yet may be made by a later task."""
    if not claims:
        return [], []
    try:
        found = _read(api, namespace, claims)
    except ApiError as error:
        if error.status != 403:
            raise
        return [], [f"Whether the claims of new shares are homes or other shares' is not known: {error}"]
    refusals = []
    for name, share in claims.items():
        claim = found.get(name)
        other = what_else(claim) if claim is not None else None
        if other is None and claim is not None and share_of(claim) not in (None, share):
            other = f"that of the share {share_of(claim)}"
        if other is not None:
            refusals.append(
                f"the share {share} would grant the claim {name}, which is {other}: name another claim, or another share"
            )
    return refusals, []


def _read(api: Api, namespace: str, claims: Mapping[str, str]) -> dict[str, Claim]:
    if len(claims) > _FEW:
        return {claim.name: claim for claim in api.list_all(CLAIMS, namespace, claim_from)}
    with ThreadPoolExecutor(max_workers=min(CONNECTIONS, len(claims))) as pool:
        items = list(pool.map(lambda name: api.get(CLAIMS, namespace, name), claims))
    return {name: claim_from(item) for name, item in zip(claims, items) if item is not None}
