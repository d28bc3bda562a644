# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted: entries and the defaults of the run made into shares in namespaces, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from .backend_entries import EXISTING_CLAIM, STORAGE_CLASS
from .backends import input_faults
from .entries import PRESENT, ShareEntry
from .naming import SHARE_KEY, share_labels, volume_name


@dataclass(frozen=True)
class Settings:
    """What holds for a whole run. `now` is in UTC; `size` (bytes, None: not said) is for shares that say none."""

    namespaces: tuple[str, ...]
    size: Optional[int]
    size_text: str
    state: str
    hold: timedelta
    check_mode: bool
    now: datetime


@dataclass(frozen=True)
class Share:
    """One share that is wanted, or wanted away, in all its namespaces. `size` is None where nothing is asked of it.

    `labels` and `annotations` are those of its claims and volumes: our marks, and what the entry adds.
    """

    entry: ShareEntry
    state: str
    size: Optional[int]
    size_text: str
    namespaces: tuple[str, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its name."""
        return self.entry.name

    @property
    def is_dynamic(self) -> bool:
        """Whether a storage class makes its volume."""
        return self.entry.backend.type == STORAGE_CLASS

    @property
    def is_found(self) -> bool:
        """Whether its claims were made by somebody else."""
        return self.entry.backend.type == EXISTING_CLAIM

    def spots(self) -> list[Spot]:
        """The share in each of its namespaces, in the order given."""
        return [Spot(self, namespace, volume_name(namespace, self.name)) for namespace in self.namespaces]


class Spot(NamedTuple):
    """A share in one namespace. `volume` is the name that a static volume of ours has there."""

    share: Share
    namespace: str
    volume: str

    @property
    def claim(self) -> str:
        """The name of its claim."""
        return self.share.entry.claim


def resolve(entries: Sequence[ShareEntry], settings: Settings) -> tuple[list[Share], list[str]]:
    """Return the shares that the entries ask for, and a sentence for each entry that cannot be."""
    faults: list[str] = []
    shares = []
    for entry in entries:
        state = entry.state or settings.state
        who = f"{entry.position} ({entry.name})"
        namespaces = entry.namespaces or settings.namespaces
        if not namespaces:
            faults.append(f"{who}: it says no namespace, and the run has none: give `namespaces`")
        size, size_text = entry.size, entry.size_text
        found = entry.backend.type == EXISTING_CLAIM
        if size is None and not found:
            size, size_text = settings.size, settings.size_text
        if state == PRESENT:
            if size is None and not found and not entry.size_text:
                faults.append(f"{who}: `size` is missing: write one such as 100Gi, here or for the run")
            faults += [f"{who}: {fault}" for fault in input_faults(entry, namespaces)]
        shares.append(
            Share(
                entry=entry,
                state=state,
                size=size,
                size_text=size_text,
                namespaces=namespaces,
                labels={**entry.labels, **share_labels(entry.name)},
                annotations={**entry.annotations, SHARE_KEY: entry.name},
            )
        )
    return shares, faults
