# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes and drift that are about one home, in one form."""

from __future__ import annotations

from typing import Any

from ..plan import KEEP, Change, Drift
from .desired import Home, Settings

KIND = "home"


def change(action: str, home: Home, settings: Settings, name: str, reason: str, **more: Any) -> Change:
    """Return what becomes of a home, under the name of its claim ("" where it has none)."""
    return Change(action, KIND, settings.namespace, name, reason, home.user, subject=home, **more)


def keep(home: Home, settings: Settings, name: str, reason: str) -> Change:
    """Return that a home stays as it is."""
    return change(KEEP, home, settings, name, reason)


def drift(home: Home, settings: Settings, name: str, reason: str) -> Drift:
    """Return how a home differs in a way that may not, or cannot, be corrected."""
    return Drift(KIND, settings.namespace, name, reason, home.user)
