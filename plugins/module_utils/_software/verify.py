# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `verify`: check a release before it is published. It runs in the view `release`, and writes nothing there.

A release with a failure must not be published. Checks are independent: one that fails hides no other.
"""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .gate import loading, scope, syntax
from .gate.subject import Failure, Subject

Emit = Callable[[dict[str, Any]], None]

LOAD_SECONDS = 60.0
TEST_SECONDS = 300.0
#: Seconds between two events of progress.
INTERVAL = 2.0


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Check the release at `<prefix>/current`, and return what failed."""
    subject = _subject(request)
    failures = syntax.check(subject)
    broken = {failure.module for failure in failures}
    modules = [module for module in subject.modules if module not in broken]
    progress = _Progress(emit, len(modules))

    def verify(module: str) -> list[Failure]:
        found = loading.load(subject, module).failures
        progress.done(module)
        return found

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for found in pool.map(verify, modules):
            failures += found
    return {"checked": len(modules), "failures": [failure._asdict() for failure in failures]}


def _subject(request: dict[str, Any]) -> Subject:
    prefix, release = request["prefix"], request["release"]
    current = os.path.join(prefix, "current")
    manifest = _manifest(os.path.join(current, "manifest.json"))
    if manifest is None or manifest["id"] != release:
        raise PhaseError(f"{current} does not show release {release}: report this, because the view is wrong")
    previous = None
    if request.get("previous"):
        previous = _manifest(os.path.join(prefix, "releases", request["previous"], "manifest.json"))
    if request["scope"] not in ("changed", "all"):
        raise PhaseError(f"scope {request['scope']} is unknown: it is changed or all", REJECTED)
    if request["scope"] == "all":
        changed = modules = [entry["module"] for entry in manifest["entries"]]
    else:
        changed = scope.changed_modules(manifest, previous)
        modules = scope.affected_modules(manifest, previous, os.path.join(current, "modules", "all"))
    return Subject(
        prefix=prefix,
        release=release,
        manifest=manifest,
        modules=modules,
        changed=changed,
        lmod_cmd=request["lmod_cmd"],
        python=request.get("python") or "",
        load_seconds=request.get("load_seconds") or LOAD_SECONDS,
        test_seconds=request.get("test_seconds") or TEST_SECONDS,
    )


def _manifest(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            manifest: dict[str, Any] = json.load(file)
            return manifest
    except FileNotFoundError:
        return None


class _Progress:
    """Reports how far the checks are, from several threads."""

    def __init__(self, emit: Emit, total: int) -> None:
        self._emit, self._total = emit, total
        self._lock = threading.Lock()
        self._done = 0
        self._start = self._last = time.monotonic()

    def done(self, module: str) -> None:
        with self._lock:
            self._done += 1
            now = time.monotonic()
            if now - self._last >= INTERVAL or self._done == self._total:
                self._last = now
                step = f"verify {self._done}/{self._total}"
                self._emit({"entry": module, "step": step, "elapsed": round(now - self._start, 1)})
