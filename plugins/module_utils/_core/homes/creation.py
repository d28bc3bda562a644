# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creation of a home: its claim, and what stands in the way of its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, Optional

from .. import requests
from ..kubernetes.claims import Claim
from ..kubernetes.deletion import reject_terminating
from ..kubespawner.manifests import NewHome, claim_manifest, owner_hash
from ..kubespawner.naming import NamingError
from ..metadata import OWNER_LABEL
from ..plan import CREATE, Change, Rejected
from ..text import quote_list
from .changes import HomesContext, change_home, granted_error, leave_out, new_home_line, reject_home
from .desired import Home
from .observed import claim_owner, describe_other_kind, other_kind


def plan_creation(context: HomesContext, home: Home, owned: Sequence[Claim]) -> Change:
    """Plan a new home. `owned` are the owner's claims, which are all being deleted.

    A user whose new home has an obstacle that others control is left out. Raises Rejected when the name template gives the
    user no name.
    """
    try:
        name = context.settings.template.claim_name(home.user, home.server)
    except NamingError as error:
        raise Rejected(str(error)) from None
    obstacle = _obstacle(context, home, name, owned)
    if obstacle is not None:
        return leave_out(context, home, obstacle)
    _warn_of_old_data(context, home, name)
    manifest = claim_manifest(
        NewHome(
            name=name,
            user=home.user,
            server=home.server,
            size=home.size_text,
            storage_class=home.storage_class,
            access_modes=context.settings.access_modes,
            labels=home.spec.labels,
            annotations=home.spec.annotations,
        )
    )
    return change_home(
        CREATE,
        home,
        name,
        f"{home.owner} has no home yet",
        after=new_home_line(home, name),
        operations=(requests.create(requests.CLAIMS, home.namespace, manifest),),
    )


def _warn_of_old_data(context: HomesContext, home: Home, name: str) -> None:
    """Warn of data that may be the user's, because the new home starts empty beside it."""
    empty = f"The new home {name} of {home.owner} starts empty, but"
    template = context.settings.template
    names = template.names_by_naming(home.user, home.server if template.has_server else "")
    former = context.observed.former.get(owner_hash(home.user), ())
    why = {claim.name: f"which has the label {OWNER_LABEL} of this user" for claim in former}
    why.update((other, f"which naming `{naming}` gives this user") for other, naming in names.items())
    for other, reason in why.items():
        claim = context.observed.by_name.get(other)
        if claim is None or claim.user is not None or claim.deleting or other_kind(claim) is not None:
            continue
        if other not in context.named:
            context.warn(
                home,
                other,
                f"{empty} claim {other}, {reason}, names no owner: if it is theirs, set `claim: "
                f"{other}` in an entry for this user",
            )
    by_server = context.settings.template.has_server
    for volume in context.facts.released_volumes(home.namespace, home.user, (name, *names)):
        if volume.claim_uid in context.observed.uids or (volume.user and by_server and volume.server != home.server):
            continue
        if volume.claim == name:
            data = "a deleted claim of that name"
            way_out = f"remove `uid` and `resourceVersion` from the claimRef of {volume.name}, and run again"
        elif not volume.claim:
            data = "a deleted home of this user, here or in another namespace"
            way_out = f"and create a claim for {volume.name} with the annotation of its owner"
        else:
            data = f"claim {volume.claim}, a deleted home of this user"
            way_out = (
                f"remove the claimRef of {volume.name}, and create a claim for it with the annotation of its owner"
            )
            if not volume.user:
                data = f"the deleted claim {volume.claim}, which another `naming` gives this user"
        context.warn(
            home,
            name,
            f"{empty} volume {volume.name} has the data of {data}: to use it, delete the new claim while it is empty, {way_out}",
        )


def _obstacle(context: HomesContext, home: Home, name: str, owned: Sequence[Claim]) -> Optional[Rejected]:
    """Return why claim `name` cannot be created for a user, None when it can.

    Whoever may edit claims in the namespace can create such obstacles.
    """
    existing = context.observed.by_name.get(name)
    try:
        for claim in owned:
            reject_terminating(home.namespace, claim, context.facts)
        if existing is not None:
            _reject_existing(context, home, existing)
    except Rejected as rejected:
        return rejected
    return granted_error(context, name)


def _reject_existing(context: HomesContext, home: Home, claim: Claim) -> NoReturn:
    name = claim.name
    other_name = "change `naming` or `name_template` so that the names differ"
    way_out = f"set `claim` to the claim that is the home of {home.owner}, or {other_name}"
    if other_kind(claim) is not None:
        raise Rejected(
            f"the name of this home, {name}, is taken by a claim that {describe_other_kind(claim)}: {way_out}", name
        )
    if claim.user is not None:
        raise Rejected(
            f"the name of this home, {name}, is taken by the home of {claim_owner(claim)}, which is not touched: {way_out}",
            name,
        )
    if claim.deleting:
        reject_terminating(home.namespace, claim, context.facts)
    raise Rejected(
        f"claim {name} exists and names no owner: if it is the home of {home.owner}, set `claim: {name}`, otherwise remove it "
        f"or {other_name}",
        name,
    )


def reject_shared_names(context: HomesContext, changes: Sequence[Change], homes: Sequence[Home]) -> list[Change]:
    """Return the changes with a refusal for each new home whose name another one has too.

    Homes that the hub asked for are left out instead, and so are those whose name is that of a claim which another entry
    names: that claim existed, and somebody deleted it.
    """
    by_name: dict[str, list[int]] = {}
    for number, change in enumerate(changes):
        if change.action == CREATE:
            by_name.setdefault(change.name, []).append(number)
    named = {home.spec.claim: home for home in homes if home.spec.claim is not None}
    checked = list(changes)
    for name, numbers in by_name.items():
        sharing = [changes[number].subject for number in numbers]
        is_named = name in named and named[name] not in sharing
        if is_named:
            sharing.append(named[name])
        if len(sharing) < 2:
            continue
        owners = quote_list([home.owner for home in sharing])
        rejected = Rejected(
            f"the homes of {owners} would share claim {name}: change `name_template`, `naming` or `claim` so that the "
            "names differ",
            name,
        )
        listed = [home for home in sharing if not home.spec.from_hub]
        for number in numbers:
            home = changes[number].subject
            if home.spec.from_hub or (is_named and len(numbers) == 1):
                checked[number] = leave_out(context, home, rejected)
            elif len(listed) > 1:
                checked[number] = reject_home(home, name, rejected)
    return checked
