# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What results of modules in check mode say about the run that follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .plan import REFUSE


def rejections(results: Iterable[Mapping[str, Any]], check_mode: bool) -> list[str]:
    """Return why the run must not start, a sentence each, from what modules returned in check mode.

    A failed module lists its rejections in ``changes``, or has only a message. ``root_error`` (of `share_directory`) is
    an error only if this is not a run in check mode: there an earlier playbook may be what creates the directory or
    mounts it. ``failed`` is not looked at, because roles set ``failed_when: false`` to collect the results of all modules.
    """
    reasons: list[str] = []
    for result in results:
        if result.get("skipped"):
            continue
        if result.get("msg"):
            rejected = [change["reason"] for change in result.get("changes") or () if change.get("action") == REFUSE]
            reasons += rejected or [str(result["msg"])]
        elif result.get("root_error") and not check_mode:
            reasons.append(str(result["root_error"]))
    return list(dict.fromkeys(reasons))
