# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a result in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary_text(result: Mapping[str, Any], label: str = "") -> str:
    """Return ``label: create 2, keep 38``, or an empty string if the result has no summary (a skipped task)."""
    counts = ", ".join(f"{action} {count}" for action, count in sorted((result.get("summary") or {}).items()))
    return f"{label}: {counts}" if label and counts else counts
