# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Phases for a tree on another host, which this host reaches over SSH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .executor import TREE, OnEvent
from .local import LocalExecutor


class RemoteExecutor:
    """Runs `observe` and `prune` for the tree at `target`, instead of the tree of `executor`."""

    parallel = 1
    missing = ""

    def __init__(self, executor: LocalExecutor, target: str, ssh_args: Sequence[str]) -> None:
        self.executor = executor
        self.request = {"target": target, "ssh_args": list(ssh_args)}

    def run(self, phase: str, request: Mapping[str, Any], view: str = TREE, on_event: Optional[OnEvent] = None) -> Any:
        """Run a phase and return its result. Raises PhaseFailed."""
        return self.executor.run(f"remote_{phase}", {**request, **self.request}, view, on_event)
