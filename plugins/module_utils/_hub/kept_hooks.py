# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep our hooks on a spawner whose profile or group replaces them.

`kubespawner_override` of a profile and `spawner_override` of a group set any trait of one spawner, after the configuration of
the hub. A hook that they set runs in place of the one that the configuration chained, and ours runs after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

_KEPT = "_odh_persistency_kept"


class HookAfter:
    """Our hook for one spawner. `previous` runs first, None for nothing."""

    def __init__(self, hook: Callable[..., Any], previous: Any) -> None:
        self._hook, self._previous = hook, previous

    def __call__(self, *arguments: Any) -> Any:
        """Run both."""
        return self._hook(self._previous, *arguments)


def keep_hooks(spawner: Any, owner: Any, hooks: Mapping[str, Callable[..., Any]]) -> None:
    """Make hooks of `owner` the last ones on a spawner, now and whenever something sets these traits.

    `hooks` are by trait. Each takes the hook that runs first, and then what the hub passes.
    """
    if getattr(spawner, _KEPT, False):
        return
    setattr(spawner, _KEPT, True)

    def keep(trait: str) -> None:
        value = getattr(spawner, trait)
        if not isinstance(value, HookAfter) and getattr(value, "__self__", None) is not owner:
            spawner.log.warning(
                "odh.persistency: an override of %r sets %s: ours runs after it", spawner.user.name, trait
            )
            setattr(spawner, trait, HookAfter(hooks[trait], value))

    for trait in hooks:
        keep(trait)
    spawner.observe(lambda change: keep(change["name"]), names=list(hooks))
