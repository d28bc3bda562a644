# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pod of a Job does: it waits, runs, or has ended, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

WAITING, RUNNING, ENDED = "waiting", "running", "ended"
#: Reasons of a waiting container that do not go away.
_HOPELESS = (
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
#: What an event about a Job that gets no pod says.
_NO_POD = "FailedCreate"


class PodStatus(NamedTuple):
    """The pod of a Job. `reason` says why it waits, or how it ended; a hopeless one will never run."""

    name: str
    state: str
    reason: str = ""
    is_hopeless: bool = False


def pod_status(pod: Mapping[str, Any]) -> PodStatus:
    """Return the status of a pod, given as in the API."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    phase = status.get("phase")
    container: Mapping[str, Any] = next(iter(status.get("containerStatuses") or ()), {})
    state = container.get("state") or {}
    if phase in ("Succeeded", "Failed"):
        return PodStatus(name, ENDED, _ending(status, state.get("terminated") or {}))
    if state.get("running"):
        return PodStatus(name, RUNNING)
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason") or ""
    if reason and reason != "ContainerCreating":
        return PodStatus(name, WAITING, _joined(reason, waiting.get("message")), reason in _HOPELESS)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return PodStatus(name, WAITING, _joined(condition.get("reason"), condition.get("message")))
    return PodStatus(name, WAITING, reason)


def _ending(status: Mapping[str, Any], terminated: Mapping[str, Any]) -> str:
    if terminated.get("reason") == "OOMKilled":
        return "it used more memory than its limit: raise `limits.memory` in `builder_resources`"
    if status.get("reason"):
        return _joined(status["reason"], status.get("message"))
    # A container that could not start has a message, such as that its program does not exist.
    return _joined(f"exit code {terminated.get('exitCode', 'unknown')}", terminated.get("message"))


def newest(pods: Sequence[PodStatus]) -> Optional[PodStatus]:
    """Return the pod of a Job, None if it has none yet. A Job of ours has one at most."""
    return pods[-1] if pods else None


def job_failure(job: Optional[Mapping[str, Any]]) -> Optional[str]:
    """Return why a Job failed, None if it did not. Without a Job: somebody deleted it."""
    if job is None:
        return "somebody deleted it"
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            return _joined(condition.get("reason"), condition.get("message"))
    return None


def creation_failure(events: Iterable[Mapping[str, Any]], job: str) -> Optional[str]:
    """Return why a Job gets no pod, such as a quota or an admission policy, None if no event says so."""
    reasons = [
        str(event.get("message") or "")
        for event in events
        if event.get("reason") == _NO_POD and (event.get("involvedObject") or {}).get("name") == job
    ]
    return reasons[-1] if reasons else None


def _joined(*parts: Any) -> str:
    return ": ".join(str(part).strip() for part in parts if part)
