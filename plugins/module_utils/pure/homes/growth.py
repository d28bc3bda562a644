# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth of homes. What Kubernetes cannot do is drift."""

from __future__ import annotations

from ..growth import verdict
from ..plan import Drift
from . import about
from .claims import Claim
from .desired import Home, Settings
from .lookups import Lookups


def growth(home: Home, claim: Claim, settings: Settings, lookups: Lookups, drift: list[Drift]) -> bool:
    """Return whether to grow this home now; append the drift where it differs and cannot be."""
    grows, why_not = verdict(home.size, home.size_text, claim, lookups.classes)
    if why_not:
        drift.append(about.drift(home, settings, claim.name, f"{claim.name} of {home.owner} {why_not}"))
    return grows
