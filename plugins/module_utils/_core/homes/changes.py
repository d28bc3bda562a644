# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes and drift that are about one home, in one form."""

from __future__ import annotations

from typing import Any

from ..metadata import KIND_HOME
from ..plan import KEEP, Change, Unreconcilable
from .desired import Home, HomeSettings


def change_home(action: str, home: Home, settings: HomeSettings, name: str, reason: str, **more: Any) -> Change:
    """Return what becomes of a home, under the name of its claim ("" where it has none)."""
    return Change(action, KIND_HOME, settings.namespace, name, reason, home.user, subject=home, **more)


def keep_home(home: Home, settings: HomeSettings, name: str, reason: str) -> Change:
    """Return that a home stays as it is."""
    return change_home(KEEP, home, settings, name, reason)


def unreconcilable_home(home: Home, settings: HomeSettings, name: str, reason: str) -> Unreconcilable:
    """Return how a home differs in a way that may not, or cannot, be corrected."""
    return Unreconcilable(KIND_HOME, settings.namespace, name, reason, home.user)
