# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired shares: specs and the defaults of the run, resolved to shares in namespaces before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from ...kubernetes.volumes import READ_ONLY_MANY, READ_WRITE_MANY
from ...metadata import LEVEL_ANNOTATION, PRESENT
from ..backend_spec import EXISTING_CLAIM, STORAGE_CLASS, static_backend_errors
from ..naming import kind_of, name_key, plain_name, share_labels, volume_name
from ..spec import ShareSpec


@dataclass(frozen=True)
class ShareSettings:
    """What applies to a whole run. `now` is in UTC. `size` (bytes, None: not set) is for shares without one.

    The levels of the shares in `declassify` may be lowered. `allows_missing` is whether an earlier task may still create
    what the run needs: only in check mode.
    """

    namespaces: tuple[str, ...]
    size: Optional[int]
    size_text: str
    state: str
    retention: timedelta
    check_mode: bool
    allows_missing: bool
    now: datetime
    #: All shares of the inventory, also those that the run does not manage.
    specs: tuple[ShareSpec, ...] = ()
    declassify: tuple[str, ...] = ()


@dataclass(frozen=True)
class Share:
    """One share, or one software tree, in all its namespaces. `size` is None when no size is requested.

    `labels` and `annotations` are for its claims and volumes: ours, and those of the entry. In the namespaces of
    `read_only` nobody may write to it.
    """

    spec: ShareSpec
    state: str
    size: Optional[int]
    size_text: str
    namespaces: tuple[str, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    read_only: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name, `tree:NAME` for a tree."""
        return self.spec.name

    @property
    def kind(self) -> str:
        """`share` or `tree`."""
        return kind_of(self.name)

    @property
    def title(self) -> str:
        """Its position in the inventory and its name, for messages: `shares[3] (data)`."""
        return f"{self.spec.position} ({plain_name(self.name)})"

    @property
    def is_dynamic(self) -> bool:
        """Whether a storage class creates its volume."""
        return self.spec.backend.type == STORAGE_CLASS

    @property
    def is_existing_claim(self) -> bool:
        """Whether somebody else creates its claims."""
        return self.spec.backend.type == EXISTING_CLAIM

    def targets(self) -> list[ShareTarget]:
        """Return the share in each of its namespaces, in the given order."""
        return [ShareTarget(self, namespace, volume_name(namespace, self.name)) for namespace in self.namespaces]


class ShareTarget(NamedTuple):
    """A share in one namespace. `volume` is the name of its static volume there, if it has one."""

    share: Share
    namespace: str
    volume: str

    @property
    def claim(self) -> str:
        """The name of its claim."""
        return self.share.spec.claim

    @property
    def is_read_only(self) -> bool:
        """Whether pods of the namespace only read it."""
        return self.namespace in self.share.read_only

    @property
    def access_mode(self) -> str:
        """The access mode of its claim."""
        return READ_ONLY_MANY if self.is_read_only else READ_WRITE_MANY


def resolve(specs: Sequence[ShareSpec], settings: ShareSettings) -> tuple[list[Share], list[str]]:
    """Return the desired shares, and a sentence for each spec that is invalid in this run."""
    errors: list[str] = []
    shares = []
    for spec in specs:
        state = spec.state or settings.state
        who = f"{spec.position} ({plain_name(spec.name)})"
        namespaces = spec.namespaces or settings.namespaces
        if not namespaces:
            errors.append(f"{who}: neither the share nor the run has namespaces: set `namespaces`")
        size, size_text = spec.size, spec.size_text
        is_existing_claim = spec.backend.type == EXISTING_CLAIM
        if size is None and not is_existing_claim:
            size, size_text = settings.size, settings.size_text
        if state == PRESENT:
            if size is None and not is_existing_claim and not spec.size_text:
                errors.append(f"{who}: `size` is missing: set one such as 100Gi, here or for the run")
            errors += [f"{who}: {error}" for error in static_backend_errors(spec.backend, namespaces)]
        # A retired or absent share keeps the level that it had.
        level = {LEVEL_ANNOTATION: spec.level} if state == PRESENT and spec.level else {}
        shares.append(
            Share(
                spec=spec,
                state=state,
                size=size,
                size_text=size_text,
                namespaces=namespaces,
                labels={**spec.labels, **share_labels(spec.name)},
                annotations={**spec.annotations, name_key(spec.name): plain_name(spec.name), **level},
            )
        )
    return shares, errors
