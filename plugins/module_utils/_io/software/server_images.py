# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of servers, in each of which a Job starts the kernel of a release before that is published."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Callable

from ..._software.locks import NOBODY_AFTER
from .executor import OnEvent, PhaseFailed
from .job import JobExecutor

#: How many images are checked at a time.
_PARALLEL = 4
#: Seconds between renewals of the lock.
_RENEWAL = NOBODY_AFTER / 3


class ServerImages:
    """Checks releases in images of servers. `keep_lock` renews the lock of a tree, because no phase does so meanwhile."""

    def __init__(self, executor: JobExecutor, images: Sequence[str]) -> None:
        self.executor = executor
        self.images = list(dict.fromkeys(images))

    def check(
        self, request: Mapping[str, Any], on_event: OnEvent, keep_lock: Callable[[], object]
    ) -> list[dict[str, Any]]:
        """Return the failures in all images, in their order. Each has its `image`."""
        with ThreadPoolExecutor(_PARALLEL) as pool:
            checks = [pool.submit(self._check, image, request, on_event) for image in self.images]
            running: set[Future[list[dict[str, Any]]]] = set(checks)
            renew_at = time.monotonic() + _RENEWAL
            while running:
                left = max(0.0, renew_at - time.monotonic())
                _ended, running = wait(running, timeout=left, return_when=FIRST_COMPLETED)
                if running and time.monotonic() >= renew_at:
                    keep_lock()
                    renew_at = time.monotonic() + _RENEWAL
        return [failure for check in checks for failure in check.result()]

    def _check(self, image: str, request: Mapping[str, Any], on_event: OnEvent) -> list[dict[str, Any]]:
        def named(event: Mapping[str, Any]) -> None:
            on_event({**event, "step": f"{event['step']} in {image}"})

        try:
            failures = self.executor.check_image(image, request, named)["failures"]
        except PhaseFailed as error:
            failures = [{"module": "", "check": "image", "reason": str(error)}]
        return [{**failure, "image": image} for failure in failures]
