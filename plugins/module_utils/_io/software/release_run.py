# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that brings a tree to a stack: reading, building, and the steps to a new release."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from ..._core.software.manifest import Failed
from ..._core.software.observed import (
    Installation,
    ObservedTree,
    Resolved,
    ResolvedEntry,
    installation,
    observed_tree,
    resolved_stack,
)
from ..._core.software.plan import ReleasePlan, build_request
from ..._software.tree_layout import SOFTWARE
from ..errors import ExternalError
from .executor import RELEASE, TREE, Executor, PhaseFailed
from .progress import Progress

if TYPE_CHECKING:
    # It needs the client of Kubernetes.
    from .server_images import ServerImages

_MOST_CHECKS = 25


class ReleaseRun:
    """One run of `lmod_release`. `request` has what every phase of EasyBuild and Lmod gets."""

    def __init__(
        self,
        executor: Executor,
        request: Mapping[str, Any],
        progress: Progress,
        images: Optional[ServerImages] = None,
    ) -> None:
        self.executor = executor
        self.request = request
        self.progress = progress
        self.images = images
        self.run_id = uuid.uuid4().hex[:12]

    def phase(self, phase: str, view: str = TREE, **more: Any) -> Any:
        """Run a phase. Raises PhaseFailed."""
        return self.executor.run(phase, {"run": self.run_id, **self.request, **more}, view, self.progress.event)

    def observe(self, digests: bool = False) -> ObservedTree:
        """Read the tree."""
        return observed_tree(self.phase("observe", digests=digests))

    def resolve(self, easystack: str) -> Resolved:
        """Let EasyBuild resolve the stack."""
        return resolved_stack(self.phase("resolve", easystack=easystack))

    def read(self, easystack: str, digests: bool = False) -> tuple[ObservedTree, Resolved]:
        """Read the tree, and let EasyBuild resolve the stack, at the same time."""
        with ThreadPoolExecutor(1) as pool:
            tree = pool.submit(self.observe, digests)
            resolved = self.resolve(easystack)
            return tree.result(), resolved

    @contextlib.contextmanager
    def locked(self, params: Mapping[str, Any], digests: bool = False) -> Iterator[tuple[ObservedTree, float]]:
        """Hold the lock of the tree, and give the tree as it is then, and how many seconds the run waited for it."""
        waits = {name: params[name] for name in ("when_locked", "lock_timeout")}
        taken = self.phase("lock", pid=os.getpid(), observe=True, digests=digests, **waits)
        try:
            yield observed_tree(taken["tree"]), float(taken["waited"])
        finally:
            with contextlib.suppress(ExternalError):
                self.phase("unlock", token=taken["token"])

    def build(self, plan: ReleasePlan) -> tuple[dict[str, Installation], dict[str, Failed]]:
        """Build what the plan says, and go on after failures. Return the new installations by hash, and what failed."""
        return _Builds(self, plan).run()

    def publish(self, manifest: dict[str, Any], tree: ObservedTree, params: Mapping[str, Any]) -> dict[str, Any]:
        """Assemble, cache and verify a release, and make it current. Return its manifest. Raises ExternalError."""
        now = datetime.now(timezone.utc)
        release = f"{now.strftime('%Y%m%dT%H%M%SZ')}-{manifest['content'][:8]}"
        manifest = {
            **manifest,
            "id": release,
            "created_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "created_by": f"{getpass.getuser()}@{socket.gethostname()}",
        }
        self.progress.say(f"release {release}: {len(manifest['entries'])} modules")
        assembled: dict[str, Any] = self.phase("assemble", release=release, manifest=manifest)["manifest"]
        self.phase("cache", RELEASE, release=release)
        self.check(release, tree, params)
        self.phase("publish", release=release, expected_current=tree.current)
        self.progress.say(f"release {release}: current")
        return assembled

    def check(self, release: str, tree: ObservedTree, params: Mapping[str, Any]) -> None:
        """Verify a release that is not published yet. Raises ExternalError."""
        request = {"release": release, "scope": params["verify"], "previous": tree.current}
        images = self.images
        python = None if images else params["server_python"]
        checked = self.phase("verify", RELEASE, **request, python=python, kernel=images is None)
        failures = checked["failures"]
        where = ""
        if images is not None:
            skip = sorted({failure["module"] for failure in failures})
            request = {"run": self.run_id, **self.request, **request, "skip": skip}
            images.executor.has_software = SOFTWARE in (tree.raw.get("folders") or ())
            failures = [*failures, *images.check(request, self.progress.event, self._keep_lock)]
            where = f", also in {', '.join(images.images)}"
        if failures:
            raise ExternalError(_gate_message(release, failures), retryable=False)
        self.progress.say(f"release {release}: verified, {checked['checked']} modules checked{where}")

    def _keep_lock(self) -> None:
        with contextlib.suppress(ExternalError):
            self.phase("lock", pid=os.getpid(), when_locked="reject", lock_timeout=1)


def _gate_message(release: str, failures: list[Mapping[str, str]]) -> str:
    lines = [f"- {_place(item)}: {item['reason']} ({item['check']})" for item in failures[:_MOST_CHECKS]]
    if len(failures) > _MOST_CHECKS:
        lines.append(f"- and {len(failures) - _MOST_CHECKS} more")
    head = f"Release {release} is not published, because {len(failures)} checks failed; the current one stays:"
    return "\n".join([head, *lines])


def _place(failure: Mapping[str, str]) -> str:
    image = f"image {failure['image']}" if "image" in failure else ""
    if failure["module"]:
        return f"{failure['module']} in {image}" if image else failure["module"]
    return image or "the release"


class _Builds:
    """The builds of a plan: each starts when what it needs is there."""

    def __init__(self, run: ReleaseRun, plan: ReleasePlan) -> None:
        self.run_ = run
        self.plan = plan
        self.resolved = plan.wanted.resolved
        self.built: dict[str, Installation] = {}
        self.failed: dict[str, Failed] = {item.module: item for item in plan.failed}
        self.installed = {
            entry.module: found for entry in self.resolved.entries if (found := plan.tree.installed(entry)) is not None
        }

    def run(self) -> tuple[dict[str, Installation], dict[str, Failed]]:
        waiting = list(self.plan.builds)
        total = len(waiting)
        running: dict[Future[Installation], ResolvedEntry] = {}
        with ThreadPoolExecutor(self.run_.executor.parallel) as pool:
            while waiting or running:
                for entry in [entry for entry in waiting if self._is_ready(entry, waiting, running)]:
                    waiting.remove(entry)
                    lost = next((need for need in entry.needs if need in self.failed), None)
                    if lost is not None:
                        reason = f"it needs {lost}, which is not built"
                        self.failed[entry.module] = Failed(entry.module, reason)
                        continue
                    number = total - len(waiting)
                    self.run_.progress.say(f"{entry.module}: build {number} of {total}")
                    running[pool.submit(self._build, entry)] = entry
                if not running:
                    continue
                done, _open = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._note(running.pop(future), future)
        return self.built, self.failed

    def _is_ready(
        self, entry: ResolvedEntry, waiting: list[ResolvedEntry], running: Mapping[Future[Any], ResolvedEntry]
    ) -> bool:
        if len(running) >= self.run_.executor.parallel:
            return False
        unfinished = {other.module for other in (*waiting, *running.values())}
        return not unfinished.intersection(entry.needs)

    def _build(self, entry: ResolvedEntry) -> Installation:
        request = build_request(entry, self.resolved, self.installed)
        return installation(self.run_.phase("build", **request)["entry"])

    def _note(self, entry: ResolvedEntry, future: Future[Installation]) -> None:
        try:
            built = future.result()
        except PhaseFailed as error:
            if error.kind not in ("failed", "rejected"):
                raise
            reason = str(error).removeprefix(f"{entry.module}: ")
            tried = entry.hash if error.details.get("lasting") else ""
            self.failed[entry.module] = Failed(entry.module, reason, str(error.details.get("log") or ""), tried)
            self.run_.progress.say(f"{entry.module}: failed: {reason}")
            return
        self.built[built.hash] = built
        self.installed[entry.module] = built
        self.run_.progress.say(f"{entry.module}: built")
