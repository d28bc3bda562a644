# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the result and the duration of each task as lines of JSON to the file in ODH_BENCH_OUTCOME."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: outcome
type: notification
short_description: Outcomes and durations of tasks, for the benchmarks
description:
  - Writes the few keys of a result that the benchmarks need; the rest may be large.
requirements:
  - the environment variable ODH_BENCH_OUTCOME
"""

KEPT = ("changed", "msg", "people", "summary", "timings", "warnings")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "outcome"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._started = 0.0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._started = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result, failed=True)

    def _write(self, result: Any, failed: bool) -> None:
        seconds = time.monotonic() - self._started
        returned = result.result if hasattr(result, "result") else result._result
        line = {"seconds": seconds, "failed": failed, **{key: returned[key] for key in KEPT if key in returned}}
        with open(os.environ["ODH_BENCH_OUTCOME"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")
