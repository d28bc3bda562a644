# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which claim is the home of a server: the annotations of claims decide, never a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from .observed_claims import HOME, Claim

ASK = "Ask the administrator of this hub"


class Server(NamedTuple):
    """A server and its home.

    `computed` are the claim names that the hub computes for it, the hub's present choice first. If `shares_home` is set,
    all servers of the user have one home, because the hub's template of claim names has no field for the server.
    """

    user: str
    name: str
    computed: Sequence[str]
    shares_home: bool


class HomeRefused(Exception):
    """No claim can be this home. `message` is for the user, `detail` for the hub's log."""

    def __init__(self, message: str, detail: str) -> None:
        self.message, self.detail = message, detail
        super().__init__(detail)


def owns(claim: Claim, server: Server) -> bool:
    """Return whether the annotations of a claim name this user and server, and its label does not say otherwise."""
    return (
        claim.user == server.user and (server.shares_home or claim.server == server.name) and claim.kind in ("", HOME)
    )


def select_home(claims: Iterable[Claim], server: Server) -> Optional[str]:
    """Return the name of the claim that is the home, None if the server has none yet.

    `claims` are those that may belong to the user, and those with a computed name, as far as they exist. Raises HomeRefused
    if nothing says which claim is the home, if the home is retired, or if the computed name belongs to somebody else.
    """
    by_name = {claim.name: claim for claim in claims}
    own = [claim for _name, claim in sorted(by_name.items()) if owns(claim, server)]
    active = [claim for claim in own if not claim.terminating]
    if not active:
        _check_computed_name(by_name.get(server.computed[0]), server)
        return None
    home = _primary(active)
    if home is None:
        names = ", ".join(claim.name for claim in active)
        raise HomeRefused(
            f"Several home volumes belong to you, and none is marked as the one to use. {ASK}.",
            f"{server.user!r} owns {names}, and not exactly one of them is marked as primary",
        )
    if home.is_retired:
        raise HomeRefused(
            f"Your home volume is retired and not in use any more. {ASK} to restore it.",
            f"the home {home.name} of {server.user!r} is retired",
        )
    return home.name


def _primary(active: Sequence[Claim]) -> Optional[Claim]:
    if len(active) == 1:
        return active[0]
    primary = [claim for claim in active if claim.is_primary]
    if primary:
        return primary[0] if len(primary) == 1 else None
    current = [claim for claim in active if not claim.is_retired]
    return current[0] if len(current) == 1 else None


def _check_computed_name(claim: Optional[Claim], server: Server) -> None:
    """Refuse a new home whose name is taken. KubeSpawner would mount the existing claim, whoever owns it."""
    if claim is None:
        return
    if owns(claim, server):
        raise HomeRefused(
            f"Your home volume is being deleted. Try again in a few minutes. {ASK} if the problem remains.",
            f"the home {claim.name} of {server.user!r} is Terminating",
        )
    owner = "no owner" if claim.user is None else f"the owner {claim.user!r} and the server {claim.server!r}"
    raise HomeRefused(
        f"The name of your home volume belongs to another volume. {ASK}.",
        f"claim {claim.name}, the computed home of {server.user!r}, exists with {owner}: "
        "adopt it with `claim` in the user's entry, or rename the user",
    )
