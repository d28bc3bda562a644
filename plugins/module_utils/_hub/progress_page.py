# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explain on the progress page what happens to mount points: the kubelet's errors, and files that were renamed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from .access import Mount
from .pod_rewriting import MOUNT_POINTS_CONTAINER

_MOUNTS = "_odh_persistency_mounts"
#: The most characters of a line that the init container of the mount points reports.
_MOST_NOTE = 500
_ASK = "Ask the administrator of this hub"


def remember_mounts(spawner: Any, mounts: Sequence[Mount]) -> None:
    """Keep the shares of a server that starts, so that errors can name them. The hub drops the spawner when it stops."""
    setattr(spawner, _MOUNTS, mounts)


def explain_progress(spawner: Any) -> None:
    """Add our sentences to the messages that the progress page of this start shows."""
    original = spawner.progress
    if getattr(original, "explains", False):
        return

    def explain(message: str) -> list[str]:
        mounts = getattr(spawner, _MOUNTS, ())
        return [*failures(message, mounts), *notes(_pod(spawner), len(mounts))]

    progress = explained(original, explain)
    progress.explains = True  # type: ignore[attr-defined]
    spawner.progress = progress


def explained(progress: Callable[[], Any], explain: Callable[[str], Iterable[str]]) -> Callable[[], Any]:
    """Return an asynchronous generator of the entries of `progress`, each followed by the sentences that explain it."""

    async def entries() -> Any:
        shown: set[str] = set()
        async for entry in progress():
            message = str(entry.get("message", ""))
            if any(message.endswith(sentence) for sentence in shown):
                continue  # An Event with a sentence that is on the page.
            yield entry
            for sentence in explain(message):
                if sentence not in shown and not message.endswith(sentence):
                    shown.add(sentence)
                    yield {"progress": entry.get("progress", 0), "message": sentence}

    return entries


def failures(message: str, mounts: Iterable[Mount]) -> list[str]:
    """Return a sentence for an error of the container runtime that names the mount point of a share."""
    if "mount" not in message and "mkdir" not in message:
        return []
    found = [mount for mount in mounts if f'"{mount.path}"' in message or f"{mount.path}:" in message]
    if "not a directory" in message:
        return [
            f"The share {mount.share} cannot be mounted, because {mount.path} is a file in your home. {_ASK} to rename it."
            for mount in found
        ]
    return [
        f"The share {mount.share} cannot be mounted, because the folder {mount.path} cannot be created in your home. {_ASK}."
        for mount in found
    ]


def notes(pod: Mapping[str, Any], most: int) -> list[str]:
    """Return what the init container of the mount points has reported, at most so many lines: it runs in an image of others."""
    lines = [
        "".join(character if character.isprintable() else "?" for character in line)
        for state in _states(pod)
        for line in str((state.get("terminated") or {}).get("message") or "").splitlines()
        if line.strip()
    ]
    return list(dict.fromkeys(line if len(line) <= _MOST_NOTE else line[:_MOST_NOTE] + "..." for line in lines))[:most]


async def notes_of_init_container(spawner: Any, earlier: Any, sleep: Callable[[float], Any]) -> list[str]:
    """Wait for the init container of the mount points, and return what it has reported. No request is sent.

    `earlier` is the UID of the pod that had the name before, None if there was none.
    """
    for _second in range(int(spawner.start_timeout)):
        await sleep(1)
        pod = _pod(spawner)
        if pod_uid(spawner) != earlier and any("terminated" in state for state in _states(pod)):
            return notes(pod, len(getattr(spawner, _MOUNTS, ())))
    return []


def pod_uid(spawner: Any) -> Any:
    """Return the UID of the pod that KubeSpawner sees, None if there is none."""
    return (_pod(spawner).get("metadata") or {}).get("uid")


def _states(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return [status.get("state") or {} for status in statuses if status.get("name") == MOUNT_POINTS_CONTAINER]


def _pod(spawner: Any) -> Mapping[str, Any]:
    """Return the pod from KubeSpawner's own watch, {} before it exists. No request is sent."""
    pods = getattr(getattr(spawner, "pod_reflector", None), "pods", None) or {}
    pod = pods.get(f"{spawner.namespace}/{spawner.pod_name}")
    return pod if isinstance(pod, dict) else {}
