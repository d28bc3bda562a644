# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of homes, the unreconcilable differences of homes, and the lines that describe them in a diff."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Optional

from ..kubernetes.claims import LOST, Claim
from ..kubernetes.expansion import failed_expansion
from ..kubernetes.facts import ClusterFacts
from ..metadata import KIND_HOME
from ..plan import KEEP, REFUSE, Change, Rejected, Unchanged, Unreconcilable
from ..quantity import format_size
from ..validation import quoted
from .desired import Home, HomeSettings
from .observed import ObservedHomes


@dataclass
class HomesContext:
    """What a plan of homes is made from. Planning adds the unreconcilable differences that it finds."""

    settings: HomeSettings
    observed: ObservedHomes
    facts: ClusterFacts
    #: The claims that entries name.
    named: frozenset[str] = frozenset()
    unreconcilable: list[Unreconcilable] = field(default_factory=list)

    def warn(self, home: Home, claim: str, reason: str) -> None:
        """Add a difference that the run cannot, or must not, change."""
        self.unreconcilable.append(Unreconcilable(KIND_HOME, home.namespace, claim, reason, home.user))

    def warn_claim(self, home: Home, claim: Claim, difference: str) -> None:
        """Add such a difference of a claim, if there is one: a clause without its subject ("has 1Gi, not 2Gi: ...")."""
        if difference:
            self.warn(home, claim.name, f"Claim {claim.name} of {home.owner} {difference}")

    def warn_of_volume(self, home: Home, claim: Claim) -> None:
        """Warn of a claim that lost its volume, or whose expansion failed."""
        self.warn_claim(home, claim, lost_volume(claim) or failed_expansion(claim))


def change_home(action: str, home: Home, name: str, reason: str, **more: Any) -> Change:
    """Return a change of a home under the name of its claim ("" when it has none)."""
    return Change(action, KIND_HOME, home.namespace, name, reason, home.user, subject=home, **more)


def keep_home(home: Home, name: str, reason: str) -> Change:
    """Return that a home stays as it is."""
    return change_home(KEEP, home, name, reason)


def reject_home(home: Home, name: str, rejected: Rejected) -> Change:
    """Return the refusal of a home, with the entry of the inventory in front of the reason."""
    reason = f"{home.spec.position} ({home.owner}): {rejected.reason}"
    return change_home(REFUSE, home, rejected.name or name, reason)


def granted_error(context: HomesContext, name: str) -> Optional[Rejected]:
    """Return why a claim cannot become a home when the ACL grants it as a share, None when it does not."""
    share = context.facts.granting_share(name)
    if share is None:
        return None
    return Rejected(
        f"the ACL grants claim {name} to others, as the share {share}, so it cannot become a home: give the share another claim, "
        "or retire it, and run share_acl first",
        name,
    )


def leave_out(context: HomesContext, home: Home, rejected: Rejected) -> Change:
    """Return that a home is left out, with a warning: what others control stops no run.

    That is the name of a user of the hub, and claims that somebody else created in the namespace.
    """
    who = f"{home.spec.position} ({home.owner})"
    if home.spec.from_hub:
        who = home.spec.position + (f" (server {quoted(home.server)})" if home.server else "")
    reason = f"{who} is left out: {rejected.reason}"
    context.warn(home, rejected.name, reason)
    return keep_home(home, "", reason)


def keep_unchanged(context: HomesContext, home: Home, name: str, unchanged: Unchanged) -> Change:
    """Return that a home stays as it is although the inventory asks for a change, with a warning if it says so."""
    if unchanged.warns:
        context.warn(home, name, f"Claim {name} of {home.owner} is kept: {unchanged.reason}")
    return keep_home(home, name, unchanged.reason)


def lost_volume(claim: Claim) -> str:
    """Return that the volume of a claim does not exist any more ("has lost ..."), "" when it does."""
    if claim.phase != LOST:
        return ""
    return (
        f"has lost its volume {claim.volume}: restore the PersistentVolume, or delete the claim so that the next run creates an "
        "empty home"
    )


def new_home_line(home: Home, name: str) -> str:
    """Return the diff line of a home that is created as claim `name`."""
    return _line(home, name, [format_size(home.size), _class(home.storage_class)])


def home_line(home: Home, claim: Claim, details: Iterable[str] = (), size: Optional[int] = None) -> str:
    """Return the diff line of an existing home. `size` in bytes replaces that of its claim."""
    shown = claim.size if size is None else size
    return _line(
        home,
        claim.name,
        [format_size(shown) if shown is not None else "no size", _class(claim.storage_class), *details],
    )


def _class(name: Optional[str]) -> str:
    return f"class {name}" if name else ""


def _line(home: Home, name: str, parts: Iterable[str]) -> str:
    return f"home {name} of {home.owner}: {', '.join(part for part in parts if part)}"
