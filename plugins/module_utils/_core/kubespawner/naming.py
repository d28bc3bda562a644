# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which claim name a hub would give to a user's home, without asking the hub.

Three schemes: ``safe`` is KubeSpawner 7's default, ``escape`` is KubeSpawner 6 and KubeSpawner 7 with
``slug_scheme = "escape"``, ``odh`` is classic Open Data Hub, which is ``escape`` with a template of its own. Each has a
default template and accepts any other ``pvc_name_template`` by the rules in ``name_template.py``.

Under ``escape`` KubeSpawner 6 and 7 compute the same name for every template that both accept. Their defaults
(``claim-{username}--{servername}`` and ``claim-{user_server}``) give the same names. Version 7 has more fields, and 6
has one that 7 dropped, so a template may use the fields of one version only. The tests in ``tests/oracle`` compare all
of this with the real KubeSpawner 6.2.0, 7.0.0 and 7.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
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
    """A template of claim names, parsed and validated once.

    ``naming``: the scheme. ``text``: the template as given. ``fields``: the names of its fields, sorted.
    ``has_server``: whether it distinguishes named servers. If not, all servers of a user share one home.
    """

    def __init__(self, naming: str, text: str, fields: Fields) -> None:
        """Use :meth:`parse`, which validates the arguments."""
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
        """Parse a ``pvc_name_template`` under a scheme. None is the default template of the scheme.

        ``namespace`` (of the homes) and ``hub_namespace`` (of the hub) are the values of ``{namespace}`` and
        ``{hubnamespace}``. Without them these fields are rejected.

        Raises :class:`NamingError` for an unknown scheme or field, for fields that only the hub knows (``{userid}``),
        for what no version of KubeSpawner accepts, and for what never gives a valid name: upper case or doubled braces
        in the text, a hyphen at its end.
        """
        if naming not in SCHEMES:
            raise NamingError(
                f"naming {naming!r} is not a scheme{did_you_mean(str(naming), SCHEMES)}; use {', '.join(SCHEMES)}"
            )
        if template is None:
            template = DEFAULT_TEMPLATES[naming]
        if not isinstance(template, str):
            raise NamingError(f"name_template {template!r} is not a string; write it as a quoted string")
        return cls(naming, template, analyse(naming, template, namespace, hub_namespace))

    def render(self, user: str, server: str = "") -> str:
        """Return the name that KubeSpawner computes, even if it is not a valid claim name.

        Raises :class:`NamingError` when KubeSpawner raises: UTF-8 cannot encode a name, or a field of the template does
        not fit it (``{servername[0]}`` without a server).
        """
        try:
            # Even if the template does not need the bytes: KubeSpawner always computes all fields.
            user.encode("utf-8")
            server.encode("utf-8")
            values = {field: compute(user, server) for field, compute in self._computed}
            values.update(self._constant)
            # An empty server leaves hyphens at the end. KubeSpawner keeps them if the template itself ends in one, but
            # such a template is rejected.
            return self.text.format_map(values).rstrip("-")
        except UnicodeEncodeError:
            raise NamingError(
                f"{_whose(user, server)} has no claim name, because the name cannot be encoded in UTF-8; "
                "correct it in the list of users"
            ) from None
        except (IndexError, ValueError) as error:
            raise NamingError(
                f"{_whose(user, server)} gets no claim name from {self.text!r} ({error}); "
                "change the template, or set `claim` for this home"
            ) from None

    def claim_name(self, user: str, server: str = "") -> str:
        """Return the name of the claim.

        Raises :class:`NamingError` for a name that is not a string, an empty user, and an invalid claim name.
        """
        if not isinstance(user, str) or not isinstance(server, str):
            raise NamingError(
                f"{_whose(user, server)} is not a string, and names are strings; put it in quotes in the list of users"
            )
        if not user:
            raise NamingError("a user with an empty name cannot have a home; set the name or remove the entry")
        name = self.render(user, server)
        error = claim_name_error(name)
        if error is not None:
            raise NamingError(
                f"{_whose(user, server)} would get the claim name {_shortened(name)!r}, which {error}; "
                "use `naming: safe` with {user_server}, or set `claim` for this home"
            )
        return name

    def names_by_naming(self, user: str, server: str = "") -> dict[str, str]:
        """Return the names that a home has under the default template of a scheme, or under this one, each with its scheme."""
        names = {name: naming for naming, name in scheme_names(user, server).items()}
        for template in self._under_other_schemes:
            try:
                names.setdefault(template.claim_name(user, server if template.has_server else ""), template.naming)
            except NamingError:
                continue
        return names

    @cached_property
    def _under_other_schemes(self) -> list[Template]:
        if self.text in DEFAULT_TEMPLATES.values():
            return []
        namespaces = {"namespace": self._constant.get("namespace"), "hub_namespace": self._constant.get("hubnamespace")}
        found = []
        for naming in SCHEMES:
            try:
                found.append(Template.parse(naming, self.text, **namespaces))
            except NamingError:
                continue
        return found

    def home(self, user: str, server: str = "") -> Home:
        """Return the home of a user's server: its own, or that of the user when the template does not distinguish servers."""
        return (user, server if self.has_server else "")


_DEFAULTS = {naming: Template.parse(naming) for naming in SCHEMES}


def scheme_names(user: str, server: str = "") -> dict[str, str]:
    """Return the name under the default template of each scheme that has a valid name for this home."""
    names = {}
    for naming, template in _DEFAULTS.items():
        try:
            names[naming] = template.claim_name(user, server)
        except NamingError:
            continue
    return names


def scheme_of(name: str, user: str, server: str = "") -> list[str]:
    """Return the schemes whose default template gives a home this name, often several, in the order of :data:`SCHEMES`."""
    return [naming for naming, given in scheme_names(user, server).items() if given == name]


def collisions(homes: Iterable[Home], template: Template) -> dict[str, list[Home]]:
    """Return the names that several homes would share, each with its homes in the given order.

    The servers of a user are one home when the template does not distinguish servers, and a home that is given twice
    counts once. Homes without a valid name under the template are left out.
    """
    return collisions_across(homes, [template])


def collisions_across(homes: Iterable[Home], templates: Iterable[Template]) -> dict[str, list[Home]]:
    """Return the names that several homes share when any of the templates may have named each home.

    This is how a user gets the home of another one: KubeSpawner 6 created ``claim-stop-2eped`` for ``stop.ped``, and
    KubeSpawner 7 mounts it for a new user ``stop-2eped``.
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
