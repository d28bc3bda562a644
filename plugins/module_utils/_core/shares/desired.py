# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted: entries and the defaults of the run made into shares in namespaces, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from ..metadata import PRESENT, SHARE_KEY
from .backend_spec import EXISTING_CLAIM, STORAGE_CLASS
from .backends import input_errors
from .naming import share_labels, volume_name
from .spec import ShareSpec


@dataclass(frozen=True)
class ShareSettings:
    """What holds for a whole run. `now` is in UTC; `size` (bytes, None: not said) is for shares that say none."""

    namespaces: tuple[str, ...]
    size: Optional[int]
    size_text: str
    state: str
    retention: timedelta
    check_mode: bool
    now: datetime


@dataclass(frozen=True)
class Share:
    """One share that is wanted, or wanted away, in all its namespaces. `size` is None where nothing is asked of it.

    `labels` and `annotations` are those of its claims and volumes: our marks, and what the entry adds.
    """

    spec: ShareSpec
    state: str
    size: Optional[int]
    size_text: str
    namespaces: tuple[str, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    @property
    def is_dynamic(self) -> bool:
        """Whether a storage class makes its volume."""
        return self.spec.backend.type == STORAGE_CLASS

    @property
    def is_found(self) -> bool:
        """Whether its claims were made by somebody else."""
        return self.spec.backend.type == EXISTING_CLAIM

    def targets(self) -> list[ShareTarget]:
        """The share in each of its namespaces, in the order given."""
        return [ShareTarget(self, namespace, volume_name(namespace, self.name)) for namespace in self.namespaces]


class ShareTarget(NamedTuple):
    """A share in one namespace. `volume` is the name that a static volume of ours has there."""

    share: Share
    namespace: str
    volume: str

    @property
    def claim(self) -> str:
        """The name of its claim."""
        return self.share.spec.claim


def resolve(specs: Sequence[ShareSpec], settings: ShareSettings) -> tuple[list[Share], list[str]]:
    """Return the shares that the entries ask for, and a sentence for each entry that cannot be."""
    errors: list[str] = []
    shares = []
    for spec in specs:
        state = spec.state or settings.state
        who = f"{spec.position} ({spec.name})"
        namespaces = spec.namespaces or settings.namespaces
        if not namespaces:
            errors.append(f"{who}: it says no namespace, and the run has none: give `namespaces`")
        size, size_text = spec.size, spec.size_text
        found = spec.backend.type == EXISTING_CLAIM
        if size is None and not found:
            size, size_text = settings.size, settings.size_text
        if state == PRESENT:
            if size is None and not found and not spec.size_text:
                errors.append(f"{who}: `size` is missing: write one such as 100Gi, here or for the run")
            errors += [f"{who}: {error}" for error in input_errors(spec, namespaces)]
        shares.append(
            Share(
                spec=spec,
                state=state,
                size=size,
                size_text=size_text,
                namespaces=namespaces,
                labels={**spec.labels, **share_labels(spec.name)},
                annotations={**spec.annotations, SHARE_KEY: spec.name},
            )
        )
    return shares, errors
