# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth of homes. What Kubernetes cannot do is drift."""

from __future__ import annotations

from ..kubernetes.claims import Claim
from ..kubernetes.expansion import decide_expansion
from ..kubernetes.facts import ClusterFacts
from ..plan import Unreconcilable
from .changes import unreconcilable_home
from .desired import Home, HomeSettings


def plan_expansion(
    home: Home, claim: Claim, settings: HomeSettings, facts: ClusterFacts, unreconcilable: list[Unreconcilable]
) -> bool:
    """Return whether to grow this home now; append the drift where it differs and cannot be."""
    expands, why_not = decide_expansion(home.size, home.size_text, claim, facts.classes)
    if why_not:
        unreconcilable.append(
            unreconcilable_home(home, settings, claim.name, f"{claim.name} of {home.owner} {why_not}")
        )
    return expands
