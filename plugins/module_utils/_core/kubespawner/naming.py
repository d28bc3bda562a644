# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which claim name a hub would give to a user's home, without asking the hub.

Three schemes: ``safe`` is KubeSpawner 7's default, ``escape`` is KubeSpawner 6 and KubeSpawner 7 with
``slug_scheme = "escape"``, ``odh`` is classic Open Data Hub, which is ``escape`` with a template of its own. Each has a
default template and takes any other ``pvc_name_template``; ``name_template.py`` has the rules for that.

Under ``escape`` KubeSpawner 6 and 7 give the same name for every template that both accept. Their defaults differ in
writing (``claim-{username}--{servername}`` and ``claim-{user_server}``) and not in what comes out. Version 7 knows more
fields, and 6 has one that 7 dropped, so a template may use either version's fields but not both. The tests in
``tests/oracle`` hold all of this against the real KubeSpawner 6.2.0, 7.0.0 and 7.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from ..metadata import claim_name_error
from ..text import did_you_mean
from .name_template import Fields, NamingError, analyse

__all__ = [
    "DEFAULT_TEMPLATES",
    "SCHEMES",
    "Home",
    "NamingError",
    "Template",
    "collisions",
    "collisions_across",
    "scheme_names",
    "scheme_of",
]

SCHEMES = ("safe", "escape", "odh")

DEFAULT_TEMPLATES: dict[str, str] = {
    "safe": "claim-{user_server}",
    "escape": "claim-{username}--{servername}",
    "odh": "jupyterhub-nb-{username}-pvc",
}

# (user, server); the server is "" for the unnamed one.
Home = tuple[str, str]


class Template:
    """A template of claim names, parsed and checked once and then used for any number of homes.

    ``naming``: the scheme. ``text``: the template as given. ``fields``: the names of the fields in it, sorted.
    ``has_server``: whether it tells named servers apart; if not, all servers of a user share the user's home.
    """

    def __init__(self, naming: str, text: str, fields: Fields) -> None:
        """For :meth:`parse`, which has checked what it passes."""
        self.naming = naming
        self.text = text
        self.fields = tuple(sorted((*fields.computed, *fields.constant)))
        self.has_server = any("server" in field for field in self.fields)
        self._computed = tuple(fields.computed.items())
        self._constant = fields.constant

    def __repr__(self) -> str:
        return f"Template({self.naming!r}, {self.text!r})"

    @classmethod
    def parse(
        cls,
        naming: str,
        template: Optional[str] = None,
        *,
        namespace: Optional[str] = None,
        hub_namespace: Optional[str] = None,
    ) -> Template:
        """Check a ``pvc_name_template`` under a scheme; None is the scheme's default.

        ``namespace`` (the one that the homes are in) and ``hub_namespace`` (the one that the hub runs in) make
        ``{namespace}`` and ``{hubnamespace}`` known; without them those fields are refused.

        Raises :class:`NamingError` for an unknown scheme or field, for what only the hub knows (``{userid}``), for what
        no version of KubeSpawner accepts, and for what it accepts though it makes no valid name for anybody: upper case
        or doubled braces in the text, a hyphen at its end.
        """
        if naming not in SCHEMES:
            raise NamingError(
                f"naming {naming!r} is no scheme{did_you_mean(str(naming), SCHEMES)}; take {', '.join(SCHEMES)}"
            )
        if template is None:
            template = DEFAULT_TEMPLATES[naming]
        if not isinstance(template, str):
            raise NamingError(f"name_template {template!r} is no text; write it as a quoted string")
        return cls(naming, template, analyse(naming, template, namespace, hub_namespace))

    def render(self, user: str, server: str = "") -> str:
        """What the real KubeSpawner computes, be it a valid name of a claim or not.

        Raises :class:`NamingError` where the real one raises: a name is not to be had in UTF-8, or a field of the
        template does not fit it (``{servername[0]}`` without a server).
        """
        try:
            # Tried even where the template does not need the bytes, as KubeSpawner computes all fields always.
            user.encode("utf-8")
            server.encode("utf-8")
            values = {field: compute(user, server) for field, compute in self._computed}
            values.update(self._constant)
            # Hyphens at the end are what an empty server leaves over. KubeSpawner lets them stand if the template
            # itself ends in one, but such a template is refused.
            return self.text.format_map(values).rstrip("-")
        except UnicodeEncodeError:
            raise NamingError(
                f"{_whose(user, server)} gets no claim name, for the name cannot be written in UTF-8; "
                "correct it where the users come from"
            ) from None
        except (IndexError, ValueError) as error:
            raise NamingError(
                f"{_whose(user, server)} gets no claim name from {self.text!r} ({error}); "
                "change the template, or give this home's name by `claim`"
            ) from None

    def claim_name(self, user: str, server: str = "") -> str:
        """The name of the claim, seen to be one that the API server takes.

        Raises :class:`NamingError` for what is no text, for an empty user, and when KubeSpawner's name is not valid.
        """
        if not isinstance(user, str) or not isinstance(server, str):
            raise NamingError(
                f"{_whose(user, server)} is no text, and names are; put it in quotes where the users come from"
            )
        if not user:
            raise NamingError("a user with an empty name can have no home; give the name or remove the entry")
        name = self.render(user, server)
        error = claim_name_error(name)
        if error is not None:
            raise NamingError(
                f"{_whose(user, server)} would get the claim name {_shortened(name)!r}, which {error}; "
                "take `naming: safe` with {user_server}, or give this home's name by `claim`"
            )
        return name

    def home(self, user: str, server: str = "") -> Home:
        """The home that this server of this user's has: its own, or the user's where the template knows no servers."""
        return (user, server if self.has_server else "")


_DEFAULTS = {naming: Template.parse(naming) for naming in SCHEMES}


def scheme_names(user: str, server: str = "") -> dict[str, str]:
    """The name under each scheme's default template; a scheme that has no valid name for this home is left out."""
    names = {}
    for naming, template in _DEFAULTS.items():
        try:
            names[naming] = template.claim_name(user, server)
        except NamingError:
            continue
    return names


def scheme_of(name: str, user: str, server: str = "") -> list[str]:
    """The schemes whose default template gives this home this name, in the order of :data:`SCHEMES`; often several."""
    return [naming for naming, given in scheme_names(user, server).items() if given == name]


def collisions(homes: Iterable[Home], template: Template) -> dict[str, list[Home]]:
    """The names that several homes would share, each with those homes in the order given.

    Servers of one user are one home where the template knows no servers, and a home given twice counts once. Homes
    that have no valid name under the template collide with nothing.
    """
    return collisions_across(homes, [template])


def collisions_across(homes: Iterable[Home], templates: Iterable[Template]) -> dict[str, list[Home]]:
    """The names at which different homes meet when each may have been named by any of the templates.

    This is how a home changes hands: KubeSpawner 6 made ``claim-stop-2eped`` for ``stop.ped``, and KubeSpawner 7
    mounts it for a new user who is called ``stop-2eped``.
    """
    known = list(templates)
    owners: dict[str, dict[Home, None]] = {}
    for user, server in homes:
        for template in known:
            try:
                name = template.claim_name(user, server)
            except NamingError:
                continue
            owners.setdefault(name, {})[template.home(user, server)] = None
    return {name: list(found) for name, found in owners.items() if len(found) > 1}


def _whose(user: object, server: object) -> str:
    return f"the server {server!r} of user {user!r}" if server else f"user {user!r}"


def _shortened(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:77]}..."
