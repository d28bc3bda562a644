# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run in Jobs has in its namespace: a ConfigMap that says that it goes on, and the remains of runs that do not."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from ..._core.metadata import KIND_LABEL
from ..._core.requests import CONFIG_MAPS, DELETE, JOBS, PODS, ApiRequest, Resource, create, patch
from ..._core.software.job_manifests import (
    HOLDER_ANNOTATION,
    KIND_JOB,
    KIND_RUN,
    RENEWED_ANNOTATION,
    RUN_LABEL,
    JobSettings,
    run_manifest,
    run_name,
)
from ..._core.software.job_status import ENDED, pod_status
from ..._software.locks import RENEWAL, is_ended, run_holder
from ..errors import ExternalError
from ..kubernetes.api import Api
from ..kubernetes.errors import ApiError

#: Seconds for the pods of a killed run to end. They get 30 after SIGTERM.
_END = 60
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.utc)


class JobRun:
    """The ConfigMap of a run, renewed while the run goes on."""

    def __init__(self, api: Api, settings: JobSettings, run: str, package: Mapping[str, str]) -> None:
        self.api, self.settings, self.run = api, settings, run
        self._done = threading.Event()
        holder = {
            HOLDER_ANNOTATION: json.dumps(run_holder(run, os.getpid()), sort_keys=True),
            RENEWED_ANNOTATION: _text(api.now()),
        }
        api.write(create(CONFIG_MAPS, settings.namespace, run_manifest(settings, run, package, holder)))
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        while not self._done.wait(RENEWAL):
            with contextlib.suppress(ExternalError):
                self._write_time(self.api.now())

    def _write_time(self, at: datetime) -> None:
        changes = {"metadata": {"annotations": {RENEWED_ANNOTATION: _text(at)}}}
        self.api.write(patch(CONFIG_MAPS, self.settings.namespace, run_name(self.run), changes))

    def end(self, has_lock: bool) -> None:
        """Delete the ConfigMap. If the run still has the lock of the tree, only say that it has ended, so that the next run
        removes both.
        """
        self._done.set()
        self._thread.join()
        if has_lock:
            self._write_time(_LONG_AGO)
        else:
            delete(self.api, CONFIG_MAPS, self.settings.namespace, run_name(self.run))


def remove_dead_runs(api: Api, settings: JobSettings) -> list[str]:
    """Delete the Jobs of runs that have ended without doing so, wait for their pods, and return these runs."""
    selector = f"{settings.selector},{KIND_LABEL}={KIND_RUN},{RUN_LABEL}"
    found = api.list_all(CONFIG_MAPS, settings.namespace, _holder, selector)
    now = api.now()
    dead = [run for run, holder, renewed in found if is_ended(holder, (now - renewed).total_seconds())]
    for run in dead:
        delete_jobs(api, settings, run)
    deadline = time.monotonic() + _END
    while dead and _has_pods(api, settings, dead):
        if time.monotonic() > deadline:
            raise ExternalError(
                f"pods of a run that was killed are still running in namespace {settings.namespace}, and may write to the "
                "tree: end them, and run again"
            )
        time.sleep(0.5)
    for run in dead:
        delete(api, CONFIG_MAPS, settings.namespace, run_name(run))
    return dead


def delete_jobs(api: Api, settings: JobSettings, run: str) -> None:
    """Delete the Jobs of a run that have not failed."""
    jobs = api.list_all(JOBS, settings.namespace, _unfailed, f"{settings.selector},{RUN_LABEL}={run}")
    for name in jobs:
        if name is not None:
            delete(api, JOBS, settings.namespace, name)


def delete(api: Api, resource: Resource, namespace: str, name: str) -> None:
    """Delete an object and what belongs to it, unless it is gone already."""
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    try:
        api.write(ApiRequest(DELETE, resource, namespace, name, options))
    except ApiError as error:
        if error.status != 404:
            raise


def _has_pods(api: Api, settings: JobSettings, runs: list[str]) -> bool:
    selector = f"{settings.selector},{KIND_LABEL}={KIND_JOB},{RUN_LABEL} in ({','.join(runs)})"
    return any(pod.state != ENDED for pod in api.list_all(PODS, settings.namespace, pod_status, selector))


def _unfailed(job: Mapping[str, Any]) -> Optional[str]:
    status = job.get("status") or {}
    return None if status.get("failed") else str(job["metadata"]["name"])


def _holder(config_map: Mapping[str, Any]) -> tuple[str, dict[str, Any], datetime]:
    metadata = config_map["metadata"]
    annotations = metadata.get("annotations") or {}
    renewed, holder = _LONG_AGO, {}
    with contextlib.suppress(KeyError, ValueError):
        renewed = datetime.strptime(annotations[RENEWED_ANNOTATION], _FORMAT).replace(tzinfo=timezone.utc)
    with contextlib.suppress(KeyError, ValueError):
        holder = json.loads(annotations[HOLDER_ANNOTATION])
    return metadata["labels"][RUN_LABEL], holder if isinstance(holder, dict) else {}, renewed


def _text(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime(_FORMAT)
