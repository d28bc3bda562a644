# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The homes of a hub that mounts a folder of one claim for each user (`hub_home: static`), and whose folder is whose."""

from __future__ import annotations

import posixpath
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ..kubespawner.name_template import FIELDS
from ..metadata import claim_name_error
from ..text import quote_list
from ..validation import quoted

#: The folder of the claim itself.
_ALL = ""
SCHEMES = ("safe", "escape")


class StaticHome(NamedTuple):
    """Where a hub keeps homes: the claim, and KubeSpawner's template of `subPath` under a scheme of names."""

    claim: str
    sub_path: str = "{username}"
    naming: str = "safe"

    def folder(self, user: str, server: str = "") -> Optional[str]:
        """Return the folder of a home in the claim, None if KubeSpawner cannot compute it either."""
        try:
            text = self.sub_path.format(
                **{name: compute(user, server) for name, compute in FIELDS[self.naming].items()}
            )
        except UnicodeEncodeError:
            return None
        # As KubeSpawner does: an empty server leaves hyphens at the end.
        return folder_of(text if self.sub_path.endswith("-") else text.rstrip("-"))


def static_home_errors(option: Mapping[str, Any]) -> list[str]:
    """Return the errors of the option `static_home`, one sentence each."""
    errors = []
    error = claim_name_error(option["claim"])
    if error:
        errors.append(f"static_home: claim {quoted(option['claim'])} {error}")
    template, fields = option["sub_path"], FIELDS[option["naming"]]
    try:
        parts = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as malformed:
        return [
            *errors,
            f"static_home: sub_path {quoted(template)} is malformed ({malformed}): write fields as {{username}}",
        ]
    unknown = sorted({str(name) for name, spec, conversion in parts if name not in fields or spec or conversion})
    if unknown:
        errors.append(
            f"static_home: sub_path {quoted(template)} has the unknown field {quote_list(unknown)}: use "
            f"{', '.join(sorted(fields))}"
        )
    elif not any("user" in str(name) for name, _spec, _conversion in parts):
        errors.append(
            f"static_home: sub_path {quoted(template)} is the same folder for all users: write the one of the hub, such as "
            "{username}"
        )
    if template.startswith("/") or ".." in template.split("/"):
        errors.append(
            f"static_home: sub_path {quoted(template)} is no path below the claim: write one such as {{username}}"
        )
    return errors


@dataclass(frozen=True)
class StaticHomes:
    """Whose folder is whose. `home` says where the homes are, and `servers` are those that the hub knows, as (user, server).

    Pods do not count: whoever may edit them could make up a user whose home is a folder that everybody mounts.
    """

    home: StaticHome
    servers: Iterable[tuple[str, str]] = ()
    _owners: dict[str, str] = field(default_factory=dict)
    _above: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Compute the folder of everybody once."""
        for user, server in self.servers:
            folder = self.home.folder(user, server)
            if folder is not None:
                self._owners.setdefault(folder, user)
                for parent in _parents(folder):
                    owners = self._above.setdefault(parent, set())
                    if len(owners) < 2:  # two are enough to know that somebody else is among them
                        owners.add(user)

    def reason(self, user: str, server: str, folder: str) -> str:
        """Return why a server must not mount a folder of the claim, as a phrase, or "".

        A folder that is nobody's home, such as one for everybody, is no reason.
        """
        own = self.home.folder(user, server)
        if own is not None and (folder == own or own in _parents(folder)):
            return ""
        claim = self.home.claim
        for place in (folder, *_parents(folder)):
            owner = self._owners.get(place, user)
            if owner != user:
                return f"mounts folder {quoted(folder)} of claim {claim}, the home of {quoted(owner)}"
        if self._above.get(folder, set()) - {user}:
            what = f"folder {quoted(folder)} of claim {claim}" if folder else f"all of claim {claim}"
            return f"mounts {what}, which has the homes of others"
        return ""


def folder_of(sub_path: str) -> str:
    """Return a `subPath` in its shortest form, "" for the whole volume."""
    plain = posixpath.normpath(sub_path).strip("/")
    return _ALL if plain == "." else plain


def _parents(folder: str) -> Iterator[str]:
    while folder:
        folder = posixpath.dirname(folder)
        yield folder
