# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running phases in Kubernetes Jobs, which have the claim of the tree at its prefix."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any, Optional

from ..._core.requests import CLAIMS, CONFIG_MAPS, EVENTS, JOBS, PODS, create
from ..._core.software.job_manifests import (
    JOB_LABEL,
    VIEW_FOLDERS,
    JobSettings,
    PhaseJob,
    job_manifest,
    only_reads,
    request_manifest,
)
from ..._core.software.job_status import (
    ENDED,
    RUNNING,
    PodStatus,
    creation_failure,
    job_failure,
    newest,
    pod_status,
)
from ..._software.job import PACKED
from ..._software.locks import NOBODY_AFTER
from ..._software.packed import pack, unpack
from ..._software.tree_layout import SOFTWARE
from ..errors import ExternalError
from ..kubernetes.api import Api
from ..kubernetes.errors import ApiError
from .executor import RELEASE, TREE, EventReader, OnEvent, PhaseFailed
from .job_run import JobRun, delete, delete_jobs, remove_dead_runs
from .package import PACKAGE, software_package

#: Seconds between two looks at a Job, at first and later.
_FIRST_POLL, _POLL = 0.3, 1.0
#: Seconds after which a Job without a pod is looked into.
_NO_POD_AFTER = 3.0
#: What is read of a log while a phase runs, and when it has ended. The result is the last event.
_PROGRESS = {"tailLines": "30", "limitBytes": str(64 * 1024)}
_ENDING = {"tailLines": "300", "limitBytes": str(64 * 1024 * 1024)}
_LAST_LINES = 5


class JobExecutor:
    """Runs each phase as a Job. To be closed, because it deletes what it created, except Jobs that failed.

    `parallel`: how many Jobs build at a time. With `read_only`, only phases that write nothing to the tree can run.
    """

    missing = ""

    def __init__(self, api: Api, settings: JobSettings, parallel: int = 1, read_only: bool = False) -> None:
        self.api, self.settings, self.parallel, self.read_only = api, settings, parallel, read_only
        self.start_timeout = 600
        #: Whether the tree has what EasyBuild installed before it was a tree, which the view of a release then has too.
        self.has_software = False
        #: The Jobs that failed, which are kept.
        self.kept: list[str] = []
        self._package = software_package()
        self._numbers = itertools.count(1)
        self._mutex = threading.Lock()
        self._cancelled = threading.Event()
        self._run: Optional[JobRun] = None
        self._dead_runs: list[str] = []
        self._token: Optional[str] = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> JobExecutor:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._cancel)
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete what the run created, except Jobs that failed."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._run is None:
            return
        with contextlib.suppress(ExternalError):
            if self._cancelled.is_set():
                delete_jobs(self.api, self.settings, self._run.run)
            self._run.end(has_lock=self._token is not None)

    def _cancel(self, number: int, _frame: object) -> None:
        self._cancelled.set()
        raise SystemExit(128 + number)

    def run(self, phase: str, request: Mapping[str, Any], view: str = TREE, on_event: Optional[OnEvent] = None) -> Any:
        """Run a phase and return its result. Raises PhaseFailed."""
        reads = only_reads(phase, request)
        if self.read_only and not reads:
            raise ExternalError(f"the phase {phase} writes to the tree, and check mode runs no such Job", False)
        run = self._started(str(request["run"]))
        entry = (request.get("entry") or {}).get("module") or ""
        folders = self._view_folders() if view == RELEASE else ()
        job = PhaseJob(run, next(self._numbers), phase, entry, folders, reads)
        result = self._run_job(job, self._request(phase, request), on_event)
        if phase == "lock":
            self._token = result["token"]
        elif phase == "unlock":
            self._token = None
        folders = result.get("tree", result).get("folders")
        if folders is not None:
            self.has_software = SOFTWARE in folders
        return result

    def check_image(self, image: str, request: Mapping[str, Any], on_event: Optional[OnEvent] = None) -> Any:
        """Check a release in an image of servers, and return what failed. Raises PhaseFailed."""
        run = self._started(str(request["run"]))
        phase, folders = "verify_image", self._view_folders()
        job = PhaseJob(run, next(self._numbers), phase, "", folders, read_only=True, image=image)
        return self._run_job(job, self._request(phase, request), on_event)

    def _view_folders(self) -> tuple[str, ...]:
        return tuple(name for name in VIEW_FOLDERS if name != SOFTWARE or self.has_software)

    def _request(self, phase: str, request: Mapping[str, Any]) -> dict[str, Any]:
        given = {"prefix": self.settings.prefix, **request, "dead_runs": self._dead_runs}
        if phase == "lock":
            # Nobody on the node of the Job sees the process of this module, and no phase renews the lock while a pod waits.
            given.pop("pid", None)
            given["expires"] = NOBODY_AFTER + self.start_timeout
        if "jobs" in given:
            given["jobs"] = self.settings.processes
        return given

    def _started(self, run: str) -> str:
        with self._mutex:
            if self._run is None:
                if not self.read_only:
                    self._dead_runs = remove_dead_runs(self.api, self.settings)
                self._run = JobRun(self.api, self.settings, run, self._package)
            return self._run.run

    def _run_job(self, job: PhaseJob, request: Mapping[str, Any], on_event: Optional[OnEvent]) -> Any:
        namespace = self.settings.namespace
        manifest = job_manifest(self.settings, job, tuple(self._package), PACKAGE)
        created = self.api.write(create(JOBS, namespace, manifest))
        watch, keep = _Watch(self, job, on_event), False
        try:
            body = request_manifest(self.settings, job, created["metadata"]["uid"], pack(request))
            self.api.write(create(CONFIG_MAPS, namespace, body))
            return watch.result()
        except PhaseFailed as error:
            # A pod that has not started could still do so, when nobody expects it any more.
            keep = watch.has_ended and error.kind not in ("rejected", "locked")
            raise
        finally:
            if keep:
                self.kept.append(job.name)
            else:
                with contextlib.suppress(ExternalError):
                    delete(self.api, JOBS, namespace, job.name)

    def has_claim(self, name: str) -> bool:
        """Return whether a claim exists, also if the login may not know."""
        try:
            return self.api.get(CLAIMS, self.settings.namespace, name) is not None
        except ApiError as error:
            if error.is_rbac:
                return True
            raise

    def check_cancelled(self, phase: str, seconds: float) -> None:
        """Wait. Raises ExternalError if the run was cancelled meanwhile; only the lock is still given back."""
        if phase == "unlock":
            time.sleep(seconds)
        elif self._cancelled.wait(seconds):
            raise ExternalError("the run was cancelled", retryable=True)


class _Watch:
    """Follows a Job to its end."""

    def __init__(self, executor: JobExecutor, job: PhaseJob, on_event: Optional[OnEvent]) -> None:
        self.executor, self.job = executor, job
        self.api, self.namespace = executor.api, executor.settings.namespace
        self.on_event = on_event
        self.has_ended = False
        self._seen: set[str] = set()
        self._began = time.monotonic()

    def result(self) -> Any:
        """Return the result of the phase. Raises PhaseFailed."""
        pod = self._wait()
        self.has_ended = True
        lines = self._log(pod, _ENDING)
        reader = EventReader(self.job.phase, None)
        for line in lines:
            reader.read(line)
        reader.last = _unpacked(reader.last)
        self._report(lines)
        said = [line for line in lines[-_LAST_LINES:] if not line.startswith("{")]
        kept = f"`kubectl -n {self.namespace} logs job/{self.job.name}` shows its log"
        return reader.result(" | ".join([pod.reason, *said, kept]))

    def _wait(self) -> PodStatus:
        pause = _FIRST_POLL
        while True:
            self.executor.check_cancelled(self.job.phase, pause)
            pause = min(_POLL, pause * 1.3)
            pods = self.api.list_all(PODS, self.namespace, pod_status, f"{JOB_LABEL}={self.job.name}")
            pod = newest(pods)
            if pod is None:
                self._check_job()
            elif pod.state == ENDED:
                return pod
            elif pod.state == RUNNING:
                if self.on_event is not None:
                    self._report(self._log(pod, _PROGRESS))
                continue
            elif pod.is_hopeless:
                raise self._failed(f"its pod cannot start ({pod.reason})")
            if time.monotonic() - self._began > self.executor.start_timeout:
                reason = pod.reason if pod is not None else "it has no pod"
                raise self._failed(f"its pod did not start in {self.executor.start_timeout} s ({reason})")

    def _check_job(self) -> None:
        """Raise PhaseFailed if a Job without a pod will never have one."""
        if time.monotonic() - self._began < _NO_POD_AFTER:
            return
        reason = job_failure(self.api.get(JOBS, self.namespace, self.job.name))
        if reason is not None:
            raise self._failed(reason)
        events: list[Mapping[str, Any]] = []
        with contextlib.suppress(ApiError):  # the right to list events is not needed
            events = self.api.list_all(EVENTS, self.namespace, lambda event: event)
        reason = creation_failure(events, self.job.name)
        if reason is not None:
            raise self._failed(f"no pod can be created ({reason})")

    def _failed(self, reason: str) -> PhaseFailed:
        return PhaseFailed(
            self.job.phase, f"the Job {self.job.name} in namespace {self.namespace} failed: {reason}", "failed", {}
        )

    def _log(self, pod: PodStatus, query: Mapping[str, str]) -> list[str]:
        try:
            return self.api.read_log(self.namespace, pod.name, query).decode("utf-8", "replace").splitlines()
        except ApiError as error:
            if pod.state == ENDED and error.status != 404:
                raise
            return []

    def _report(self, lines: list[str]) -> None:
        """Pass on progress that is new."""
        if self.on_event is None:
            return
        reader = EventReader(self.job.phase, self.on_event)
        for line in lines:
            if line not in self._seen and '"progress"' in line:
                self._seen.add(line)
                reader.read(line)


def _unpacked(event: Optional[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    """Return the last event of a phase as the phase wrote it."""
    if event is None or event.get("event") != PACKED:
        return event
    try:
        unpacked: Mapping[str, Any] = unpack(str(event["value"]))
    except (KeyError, ValueError, json.JSONDecodeError):
        return None
    return unpacked
