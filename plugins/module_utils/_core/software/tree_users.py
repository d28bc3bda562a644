# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that may use a software tree: servers, and whatever else mounts it, such as workers that servers start."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Optional

from ..servers.pods import FINISHED, mounted_claims, server_pod_from, volume_mounts
from ..times import parse_time
from .job_manifests import JOB_LABEL


class TreePod(NamedTuple):
    """A pod that has not finished. `paths` are where its containers mount volumes, `claims` the paths of each claim."""

    created: Optional[datetime]
    is_server: bool
    paths: frozenset[str]
    claims: Mapping[str, tuple[str, ...]]


def tree_pod_from(item: Mapping[str, Any]) -> Optional[TreePod]:
    """Return a pod from its object in the API, None if it has finished or is the Job of a run, which holds the lock."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    if (item.get("status") or {}).get("phase") in FINISHED or JOB_LABEL in (metadata.get("labels") or {}):
        return None
    return TreePod(
        parse_time(metadata.get("creationTimestamp") or ""),
        server_pod_from(item) is not None,
        frozenset(posixpath.normpath(str(mount.get("mountPath") or "")) for mount, _folder in volume_mounts(spec)),
        {claim: mounted.paths for claim, mounted in mounted_claims(spec).items()},
    )


def oldest_user(pods: Iterable[Optional[TreePod]], prefix: str, claim: Optional[str] = None) -> Optional[datetime]:
    """Return when the oldest pod of a namespace that may use the tree was created, None if there is none.

    A server counts in any case, because it may have mounted the tree under another name. The claim of the tree is `claim`, and
    each that some pod mounts at the prefix.
    """
    running = [pod for pod in pods if pod is not None]
    claims = {claim, *(name for pod in running for name, paths in pod.claims.items() if prefix in paths)}
    users = [pod for pod in running if pod.is_server or prefix in pod.paths or claims & pod.claims.keys()]
    return min((pod.created for pod in users if pod.created is not None), default=None)
