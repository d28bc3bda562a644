# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a hub: which value a trait has after all sources of its configuration ran, and where it was set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .python_settings import ANY, APPEND, COMPUTED, EXTEND, SET, Assignment, HookCall, PythonSettings

#: The value of a trait that nothing sets.
UNSET = object()

KUBE_SPAWNER = ("KubeSpawner", "Spawner")


class Setting(NamedTuple):
    """The value of a trait (UNSET, COMPUTED, or what Python has), and where it was set."""

    value: Any
    place: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the value, or that nothing sets it, is certain."""
        return self.value is not COMPUTED


@dataclass(frozen=True)
class HubSettings:
    """The settings of a hub.

    `assignments` are in the order in which the hub runs them. `spawners` are the spawner classes, the most specific first.
    `unreadable` names a source that comes first and cannot be read, "" if there is none: what nothing else sets is unknown.
    """

    assignments: Sequence[Assignment] = ()
    spawners: Sequence[str] = KUBE_SPAWNER
    hooks: Sequence[HookCall] = ()
    unreadable: str = ""
    #: The version of JupyterHub as numbers, () if unknown.
    hub_version: tuple[int, ...] = ()
    #: Helm values, or {}.
    values: Mapping[str, Any] = field(default_factory=dict)

    def spawner(self, trait: str) -> Setting:
        """Return the value of a trait of the spawner."""
        return self.lookup(self.spawners, trait)

    def lookup(self, sections: Iterable[str], trait: str) -> Setting:
        """Return the value of a trait by its sections, the most specific first. Code that may set anything makes it COMPUTED."""
        for section in sections:
            found = self.last(section, trait)
            if found is not None:
                return found
        return Setting(UNSET)

    def last(self, section: str, trait: str) -> Setting | None:
        """Return the value that a section sets for a trait last, None if it sets none. COMPUTED if code may set it."""
        found = Setting(COMPUTED, self.unreadable) if self.unreadable else None
        for one in self.assignments:
            if one.section == section and one.trait == trait:
                found = Setting(one.value if one.how == SET else COMPUTED, one.place)
            elif one.section in (section, ANY) and one.trait in (trait, ANY):
                found = Setting(COMPUTED, one.place)
        return found

    def items(self, section: str, trait: str) -> tuple[list[Any], str]:
        """Return the items of a list trait, and the place that makes others possible, "" if these are all."""
        found: list[Any] = []
        doubt = self.unreadable
        for one in self.assignments:
            if one.section not in (section, ANY) or one.trait not in (trait, ANY):
                continue
            if one.how == APPEND and one.value is not COMPUTED:
                found.append(one.value)
            elif one.how == EXTEND and isinstance(one.value, (list, tuple)):
                found.extend(one.value)
            elif one.how == SET and isinstance(one.value, (list, tuple)):
                found, doubt = list(one.value), ""
            else:
                doubt = one.place
        return found, doubt

    def sections_with(self, trait: str, suffix: str) -> list[str]:
        """Return the sections with this suffix that set a trait."""
        return list(
            dict.fromkeys(
                one.section for one in self.assignments if one.trait == trait and one.section.endswith(suffix)
            )
        )

    def switched(self, trait: str) -> Setting:
        """Return whether a section of any class switches a trait on: True, False, or COMPUTED if that is not known."""
        found = Setting(False)
        for section in dict.fromkeys(one.section for one in self.assignments if one.trait in (trait, ANY)):
            one = self.last(section, trait)
            if one is not None and one.is_known and one.value:
                return Setting(True, one.place)
            if one is not None and not one.is_known:
                found = one
        return found


def settings_of(source: PythonSettings, first: Sequence[Assignment] = ()) -> HubSettings:
    """Return the settings of Python texts that run after the assignments in `first`."""
    return HubSettings([*first, *source.assignments], (*dict.fromkeys(source.spawners), *KUBE_SPAWNER), source.hooks)


def mapping_at(values: Any, *keys: str) -> Mapping[str, Any]:
    """Return a mapping in nested mappings, {} if there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}
