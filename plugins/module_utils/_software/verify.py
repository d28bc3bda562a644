# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `verify`: check a release before it is published. It runs in the view `release`, and writes nothing there.

A release with a failure must not be published. A check that fails hides no other, except that modulefiles that do not parse
get no further.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .gate import cache_validity, collections, content, kernel, listing, loading, module_tests, scope, syntax
from .gate.subject import Failure, Limits, Subject
from .releases import check_release_id, current_release, open_tree, read_manifest
from .tree_layout import ReleaseLayout

Emit = Callable[[dict[str, Any]], None]

LIMITS = Limits(load=60, test=300, listing=600)
#: Seconds between two events of progress.
INTERVAL = 2.0


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Check the release at `<prefix>/current`, and return what failed."""
    return _Gate(_subject(request), emit).run()


def _subject(request: dict[str, Any]) -> Subject:
    tree = open_tree(request["prefix"])
    release, previous = check_release_id(request["release"]), request.get("previous")
    if current_release(tree) != release:
        raise PhaseError(f"{tree.current} does not show release {release}: run this phase in its view", REJECTED)
    manifest = read_manifest(tree.current)
    if manifest is None:
        raise PhaseError(f"release {release} has no manifest: assemble it again", REJECTED)
    if request["scope"] == "all":
        changed = modules = [entry["module"] for entry in manifest["entries"]]
    elif request["scope"] == "changed":
        before = read_manifest(tree.release(check_release_id(previous))) if previous else None
        changed = scope.changed_modules(manifest, before)
        modules = scope.affected_modules(manifest, before, ReleaseLayout(tree.current).modules)
    else:
        raise PhaseError(f"the scope {request['scope']} is unknown: it is changed or all", REJECTED)
    return Subject(
        tree=tree,
        manifest={"defaults": {}, "collections": {}, "tests": {}, **manifest},
        modules=modules,
        changed=changed,
        lmod_cmd=request["lmod_cmd"],
        python=request.get("python") or "",
        limits=LIMITS._replace(**request.get("limits") or {}),
    )


class _Gate:
    """Runs the checks, those of modules in parallel, and collects what fails."""

    def __init__(self, subject: Subject, emit: Emit) -> None:
        self._subject = subject
        self._emit = emit
        self._failures: list[Failure] = []
        self._start = time.monotonic()
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def run(self) -> dict[str, Any]:
        """Run all checks."""
        subject = self._subject
        with self._pool:
            used = kernel.without_modules(subject) if subject.python else None
            unreadable = syntax.check(subject)
            self._failures += unreadable
            broken = {failure.module for failure in unreadable}
            for check in (listing.check, cache_validity.check):
                self._failures += [failure for failure in check(subject) if failure.module not in broken]
            changed = set(subject.changed)
            entries = [entry for entry in subject.manifest["entries"] if entry["module"] in changed]
            for failures in self._map("check files", entries, lambda entry: content.check(subject, entry)):
                self._failures += failures
            modules = [module for module in subject.modules if module not in broken]
            environments: dict[str, dict[str, str]] = {}
            for loaded in self._map("load", modules, lambda module: loading.load(subject, module)):
                self._failures += loaded.failures
                if loaded.environment is not None:
                    environments[loaded.module] = loaded.environment
            self._run_tests(environments)
            if used:
                self._start_kernels(used, environments)
            for failures in self._map(
                "restore", subject.manifest["collections"], lambda name: collections.check(subject, name)
            ):
                self._failures += failures
        return {"checked": len(subject.modules), "failures": [failure._asdict() for failure in self._failures]}

    def _run_tests(self, environments: dict[str, dict[str, str]]) -> None:
        def check(module: str) -> list[Failure]:
            return module_tests.check(self._subject, module, environments[module])

        tested = [module for module in environments if module in self._subject.manifest["tests"]]
        for failures in self._map("test", tested, check):
            self._failures += failures

    def _start_kernels(self, used: kernel.Kernel, environments: dict[str, dict[str, str]]) -> None:
        groups: dict[kernel.Key, list[str]] = {}
        for module, environment in environments.items():
            groups.setdefault(kernel.key_of(used, environment), []).append(module)
        groups.pop((), None)  # what was started without modules
        firsts = {modules[0]: modules for modules in groups.values()}
        for first, ended in zip(
            firsts,
            self._map("start a kernel", firsts, lambda module: kernel.start(self._subject, environments[module])),
        ):
            if ended.status != 0:
                self._failures += [
                    kernel.failure(self._subject, used, module, environments[module], ended) for module in firsts[first]
                ]

    def _map(self, step: str, items: Iterable[Any], function: Callable[[Any], Any]) -> list[Any]:
        """Return the function's values for all items, computed on all cores, and report how far it is."""
        items, lock, done, last = list(items), threading.Lock(), 0, self._start

        def work(item: Any) -> Any:
            nonlocal done, last
            value = function(item)
            with lock:
                done, now = done + 1, time.monotonic()
                if now - last >= INTERVAL or done == len(items):
                    last = now
                    name = item["module"] if isinstance(item, dict) else item
                    event = {"entry": name, "step": f"verify: {step} ({done} of {len(items)})"}
                    self._emit({**event, "elapsed": round(now - self._start, 1)})
            return value

        return list(self._pool.map(work, items))
