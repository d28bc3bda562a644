# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The census: the claim names of users under each naming scheme, the claims that exist, and what a new scheme would break.

KubeSpawner finds a home by its name alone. A hub that starts to compute other names gives its users empty homes, and
sometimes the home of another user (measured with KubeSpawner 6.2 and 7.1: `stop-2eped` gets the old claim of
`stop.ped`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from ..kubernetes.claims import LOST, Claim
from ..kubespawner.naming import SCHEMES, NamingError, Template, collisions, scheme_names
from .observed import ObservedHomes, is_home, other_kind
from .spec import owner_text


class Person(NamedTuple):
    """A user and one of their servers, "" for the default server."""

    user: str
    server: str


def census(people: Sequence[Person], claims: Sequence[Claim], template: Template) -> dict[str, Any]:
    """Return the census of users over the claims of a namespace. `template` is the name template of the hub.

    `users`: the names of each user under every scheme and under the template, which of them exist, and the home in use.
    `lost`: homes whose volume does not exist any more.
    `orphans`: homes whose owner is not listed. `duplicates`: owners of several claims. `collisions`: names that several
    users would share, by scheme. `moves`: for each scheme, and for the template as `given`, who would get an empty home
    and who the home of another user. `adoption`: entries for `user_pvc` that keep the homes under their present names.
    """
    observed = ObservedHomes(claims, template.has_server)
    desired = list(
        dict.fromkeys(Person(person.user, person.server if template.has_server else "") for person in people)
    )
    templates: dict[str, Template] = {scheme: Template.parse(scheme) for scheme in SCHEMES}
    templates["given"] = template
    listed = set(desired)
    adoption, undecided = _adoption(desired, observed, template)
    return {
        "users": [_names_of(person, observed, template) for person in desired],
        "orphans": [
            {"name": claim.name, "owner": claim.user, "server": claim.server, "retired_at": claim.retired_at}
            for claim in sorted(claims, key=lambda item: item.name)
            if claim.user is not None
            and is_home(claim)
            and Person(claim.user, claim.server if template.has_server else "") not in listed
        ],
        "duplicates": [
            {
                "owner": user,
                "server": server,
                "claims": [claim.name for claim in active],
                "primary": next((claim.name for claim in active if claim.is_primary), None),
            }
            for user, server in sorted(observed.owners())
            for active in [observed.active(user, server)]
            if len(active) > 1
        ],
        "collisions": [
            {"scheme": scheme, "name": name, "owners": [owner_text(*owner) for owner in owners]}
            for scheme, by in templates.items()
            for name, owners in sorted(collisions(desired, by).items())
        ],
        "moves": {scheme: _move(desired, observed, by) for scheme, by in templates.items()},
        "lost": [
            {"name": claim.name, "owner": claim.user, "server": claim.server, "volume": claim.volume}
            for claim in sorted(claims, key=lambda item: item.name)
            if is_home(claim) and claim.phase == LOST and not claim.deleting
        ],
        "adoption": adoption,
        "undecided": undecided,
    }


def _home(observed: ObservedHomes, person: Person) -> Optional[Claim]:
    """Return the claim that is this person's home now. None if there is none, or if no single one is marked."""
    active = observed.active(person.user, person.server)
    if len(active) == 1:
        return active[0]
    for chosen in (
        [claim for claim in active if claim.is_primary],
        [claim for claim in active if claim.retired_at is None],
    ):
        if len(chosen) == 1:
            return chosen[0]
    return None


def _name(template: Template, person: Person) -> Optional[str]:
    try:
        return template.claim_name(person.user, person.server)
    except NamingError:
        return None


def _names_of(person: Person, observed: ObservedHomes, template: Template) -> dict[str, Any]:
    names = scheme_names(person.user, person.server)
    given = _name(template, person)
    home = _home(observed, person)
    exists = {name for name in [*names.values(), given] if name is not None and name in observed.by_name}
    return {
        "name": person.user,
        "server": person.server,
        "names": names,
        "given": given,
        "home": home.name if home is not None else None,
        "exists": sorted(exists),
    }


def _move(desired: Iterable[Person], observed: ObservedHomes, template: Template) -> dict[str, Any]:
    """Return what changes for whom when the hub computes names with this template and mounts claims by name."""
    empty: list[dict[str, Any]] = []
    takeovers: list[dict[str, Any]] = []
    switched: list[dict[str, Any]] = []
    unnamed: list[str] = []
    for person in desired:
        name = _name(template, person)
        if name is None:
            unnamed.append(owner_text(*person))
            continue
        found = observed.by_name.get(name)
        home = _home(observed, person)
        row = {"name": person.user, "server": person.server}
        if found is not None and found.user is not None and not _is_theirs(found, person, template):
            takeovers.append({**row, "claim": name, "belongs_to": owner_text(found.user, found.server)})
        elif home is not None and home.name != name:
            (empty if found is None else switched).append({**row, "claim": home.name, "would_get": name})
    return {"empty": empty, "takeovers": takeovers, "switched": switched, "unnamed": unnamed}


def _is_theirs(claim: Claim, person: Person, template: Template) -> bool:
    return claim.user == person.user and (claim.server == person.server or not template.has_server)


def _adoption(
    desired: Sequence[Person], observed: ObservedHomes, template: Template
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Return entries for homes whose name differs from the template's, and what a person must decide.

    A claim without an owner is assigned to a listed user only when no other listed user has that name under any scheme.
    """
    specs: list[dict[str, str]] = []
    undecided: list[dict[str, Any]] = []
    candidates: dict[str, list[Person]] = {}
    for person in desired:
        if observed.owned(person.user, person.server):
            continue
        names = {*scheme_names(person.user, person.server).values(), _name(template, person)}
        for name in names:
            claim = observed.by_name.get(name or "")
            if claim is not None and claim.user is None and other_kind(claim) is None and not claim.deleting:
                candidates.setdefault(claim.name, []).append(person)
    taken: dict[Person, list[str]] = {}
    for name, people in candidates.items():
        if len(people) > 1:
            undecided.append(
                {"claim": name, "owners": [owner_text(*person) for person in people], "why": "names no owner"}
            )
        else:
            taken.setdefault(people[0], []).append(name)
    for person in desired:
        active = observed.active(person.user, person.server)
        home = _home(observed, person)
        own = taken.get(person, [])
        if home is not None and (len(active) > 1 or home.name != _name(template, person)):
            specs.append(_spec(person, home.name))
        elif home is None and active:
            undecided.append(
                {
                    "claim": ", ".join(claim.name for claim in active),
                    "owners": [owner_text(*person)],
                    "why": "several homes, and none is marked as the one to mount",
                }
            )
        elif len(own) == 1:
            specs.append(_spec(person, own[0]))
        elif own:
            undecided.append(
                {"claim": ", ".join(own), "owners": [owner_text(*person)], "why": "several claims without an owner"}
            )
    return specs, undecided


def _spec(person: Person, claim: str) -> dict[str, str]:
    spec = {"name": person.user, "claim": claim}
    if person.server:
        spec["server"] = person.server
    return spec
