# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of carrying a plan out, whoever carried it out."""

from __future__ import annotations

from dataclasses import dataclass, field

from .plan import Failure, Plan


@dataclass
class Outcome:
    """What came of a plan: the plan as it turned out, without what failed; the failures; whether anything was written."""

    plan: Plan
    failures: list[Failure] = field(default_factory=list)
    unready: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    wrote: bool = False

    @property
    def changed(self) -> bool:
        """Whether the run changed (in check mode: would change) anything, half a failed change included."""
        return self.plan.changed or self.wrote
