# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The census: what names a set of users would get, what exists under them, and who would lose what by a change of names.

KubeSpawner finds a home by its name alone. So a hub that begins to compute other names gives its users empty homes,
and now and then somebody else's (facts measured on 6.2 and 7.1: `stop.ped`'s old claim is what `stop-2eped` gets).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from ..kubernetes.claims import Claim
from .naming import SCHEMES, NamingError, Template, collisions, scheme_names
from .observed import ObservedHomes, is_home, other_kind
from .spec import owner_text


class Person(NamedTuple):
    """One home that may be wanted: a user, and a server of theirs ("" for the default one)."""

    user: str
    server: str


def census(people: Sequence[Person], claims: Sequence[Claim], template: Template) -> dict[str, Any]:
    """Return the census of some users over the claims of a namespace; `template` is how the hub names, or will name.

    `users`: each one's names under all schemes and under the template, what exists of them, and the home in use.
    `orphans`: homes of nobody listed. `duplicates`: owners of several claims. `collisions`: names that several users come
    to, by scheme. `moves`: for each scheme, and for the template as `given`, who would find an empty home and who
    somebody else's. `adoption`: entries for `user_pvc` that keep everybody's home, whatever it is called.
    """
    index = ObservedHomes(claims, template.has_server)
    desired = list(
        dict.fromkeys(Person(person.user, person.server if template.has_server else "") for person in people)
    )
    templates: dict[str, Template] = {scheme: Template.parse(scheme) for scheme in SCHEMES}
    templates["given"] = template
    listed = set(desired)
    adoption, undecided = _adoption(desired, index, template)
    return {
        "users": [_names_of(person, index, template) for person in desired],
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
                "claims": [claim.name for claim in living],
                "primary": next((claim.name for claim in living if claim.is_primary), None),
            }
            for user, server in sorted(index.owners())
            for living in [_living(index, user, server)]
            if len(living) > 1
        ],
        "collisions": [
            {"scheme": scheme, "name": name, "owners": [owner_text(*owner) for owner in owners]}
            for scheme, by in templates.items()
            for name, owners in sorted(collisions(desired, by).items())
        ],
        "moves": {scheme: _move(desired, index, by) for scheme, by in templates.items()},
        "adoption": adoption,
        "undecided": undecided,
    }


def _living(index: ObservedHomes, user: str, server: str) -> list[Claim]:
    return [claim for claim in index.owned(user, server) if not claim.deleting]


def _home(index: ObservedHomes, person: Person) -> Optional[Claim]:
    """The claim that is this person's home now; None where there is none, or where several are and none is marked."""
    living = _living(index, person.user, person.server)
    if len(living) == 1:
        return living[0]
    for chosen in (
        [claim for claim in living if claim.is_primary],
        [claim for claim in living if claim.retired_at is None],
    ):
        if len(chosen) == 1:
            return chosen[0]
    return None


def _name(template: Template, person: Person) -> Optional[str]:
    try:
        return template.claim_name(person.user, person.server)
    except NamingError:
        return None


def _names_of(person: Person, index: ObservedHomes, template: Template) -> dict[str, Any]:
    names = scheme_names(person.user, person.server)
    given = _name(template, person)
    home = _home(index, person)
    exists = {name for name in [*names.values(), given] if name is not None and name in index.by_name}
    return {
        "name": person.user,
        "server": person.server,
        "names": names,
        "given": given,
        "home": home.name if home is not None else None,
        "exists": sorted(exists),
    }


def _move(desired: Iterable[Person], index: ObservedHomes, template: Template) -> dict[str, Any]:
    """Who finds what, once the hub computes names by this template and mounts what has that name."""
    empty: list[dict[str, Any]] = []
    takeovers: list[dict[str, Any]] = []
    switched: list[dict[str, Any]] = []
    unnamed: list[str] = []
    for person in desired:
        name = _name(template, person)
        if name is None:
            unnamed.append(owner_text(*person))
            continue
        found = index.by_name.get(name)
        home = _home(index, person)
        row = {"name": person.user, "server": person.server}
        if found is not None and found.user is not None and not _is_theirs(found, person, template):
            takeovers.append({**row, "claim": name, "belongs_to": owner_text(found.user, found.server)})
        elif home is not None and home.name != name:
            (empty if found is None else switched).append({**row, "claim": home.name, "would_get": name})
    return {"empty": empty, "takeovers": takeovers, "switched": switched, "unnamed": unnamed}


def _is_theirs(claim: Claim, person: Person, template: Template) -> bool:
    return claim.user == person.user and (claim.server == person.server or not template.has_server)


def _adoption(
    desired: Sequence[Person], index: ObservedHomes, template: Template
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Entries that hold on to homes whose name is not what the template gives, and what a person must decide.

    A claim without an owner goes to the one listed user who may have got that name under some scheme; where several
    may have, nobody gets it.
    """
    specs: list[dict[str, str]] = []
    undecided: list[dict[str, Any]] = []
    candidates: dict[str, list[Person]] = {}
    for person in desired:
        if index.owned(person.user, person.server):
            continue
        names = {*scheme_names(person.user, person.server).values(), _name(template, person)}
        for name in names:
            claim = index.by_name.get(name or "")
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
        living = _living(index, person.user, person.server)
        home = _home(index, person)
        own = taken.get(person, [])
        if home is not None and (len(living) > 1 or home.name != _name(template, person)):
            specs.append(_spec(person, home.name))
        elif home is None and living:
            undecided.append(
                {
                    "claim": ", ".join(claim.name for claim in living),
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
