# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a run in Kubernetes Jobs: one Job for each phase, and ConfigMaps with the phases and their requests.

A pod satisfies the Pod Security Standard `restricted` and OpenShift's restricted SCC: the claim of the tree is a volume like
any other, so nothing needs a mount namespace or a capability.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..metadata import KIND_LABEL, OUR_PREFIX
from ..quantity import parse_quantity

KIND_RUN = "software-run"
KIND_JOB = "software-job"
RUN_LABEL = OUR_PREFIX + "run"
#: A hash of the claim's name, which may be too long for a label.
CLAIM_LABEL = OUR_PREFIX + "claim"
JOB_LABEL = OUR_PREFIX + "job"
#: On the ConfigMap of a run: who runs it, as in the lock of a tree, and when that was last known to go on.
HOLDER_ANNOTATION = OUR_PREFIX + "holder"
RENEWED_ANNOTATION = OUR_PREFIX + "renewed-at"
ENTRY_ANNOTATION = OUR_PREFIX + "entry"
CONTAINER = "phase"
REQUEST_KEY = "request"
#: Phases that write nothing.
_READERS = ("observe", "resolve", "verify_image")
#: Folders of the tree that the view `release` has. An adopted tree also has the last one.
VIEW_FOLDERS = ("store", "releases", "locks", "software")
#: Seconds that a finished Job is kept: those that failed, and those of runs that were killed.
KEPT_FOR = 7 * 86400

#: Where the phase `promote` has the tree whose release is promoted.
SOURCE = "/odh-persistency/source"
_CODE = "/odh-persistency/code"
_REQUEST = "/odh-persistency/request"
_SCRATCH = "/tmp"


@dataclass(frozen=True)
class JobSettings:
    """Where phases run: the claim of the tree, and what a pod needs in this cluster."""

    namespace: str
    claim: str
    image: str
    prefix: str
    #: The Python of EasyBuild's environment in the image.
    python: str
    scratch: str = _SCRATCH
    resources: Mapping[str, Any] = field(default_factory=dict)
    service_account: Optional[str] = None
    #: None where the cluster assigns them, as OpenShift does.
    uid: Optional[int] = None
    gid: Optional[int] = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    pull_secrets: Sequence[str] = ()
    #: The claim of the tree whose release is promoted.
    source_claim: Optional[str] = None
    #: The Python of kernels in the images of servers: a path, or a name that is looked up as the image says.
    server_python: str = "python3"

    @property
    def claim_label(self) -> str:
        """The label of everything that belongs to runs on this claim."""
        return hashlib.sha256(self.claim.encode("utf-8")).hexdigest()[:32]

    @property
    def selector(self) -> str:
        """The label selector of all runs on this claim."""
        return f"{CLAIM_LABEL}={self.claim_label}"

    @property
    def processes(self) -> int:
        """How many processes a build runs: the processors that its pod may use, else those that it requests, else one."""
        for kind in ("limits", "requests"):
            if cpu := (self.resources.get(kind) or {}).get("cpu"):
                return max(1, math.ceil(parse_quantity(str(cpu))))
        return 1

    def labels(self, kind: str, run: str) -> dict[str, str]:
        """Return the labels of an object of a run."""
        return {KIND_LABEL: kind, RUN_LABEL: run, CLAIM_LABEL: self.claim_label}


@dataclass(frozen=True)
class PhaseJob:
    """One phase, in one Job. `number` tells apart the phases of a run."""

    run: str
    number: int
    phase: str
    entry: str = ""
    #: The folders of the view `release`, none for the view `tree`.
    folders: Sequence[str] = ()
    #: The pod gets the claim read-only.
    read_only: bool = False
    #: The image of servers that the phase runs in, "" for that of builds.
    image: str = ""

    @property
    def name(self) -> str:
        """The name of the Job, and of the ConfigMap with its request."""
        return f"software-{self.run}-{self.number}-{self.phase.replace('_', '-')}"


def only_reads(phase: str, request: Mapping[str, Any]) -> bool:
    """Return whether a phase writes nothing to the tree. Check mode runs no others."""
    return phase in _READERS or (phase == "prune" and bool(request.get("dry_run")))


def run_name(run: str) -> str:
    """Return the name of the ConfigMap of a run."""
    return f"software-{run}"


def run_manifest(
    settings: JobSettings, run: str, package: Mapping[str, str], holder: Mapping[str, str]
) -> dict[str, Any]:
    """Return the ConfigMap with the package of the phases. Its annotations say who runs it and whether that goes on."""
    metadata = {
        "name": run_name(run),
        "labels": settings.labels(KIND_RUN, run),
        "annotations": dict(holder),
    }
    data = {_key(path): text for path, text in package.items()}
    # No kubelet needs to look for changes of an immutable one.
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True, "data": data}


def _key(path: str) -> str:
    """Return the key of a file: keys have no slashes."""
    return path.replace("/", "..")


def request_manifest(settings: JobSettings, job: PhaseJob, uid: str, request: str) -> dict[str, Any]:
    """Return the ConfigMap with the packed request of a Job, which goes when the Job goes."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job.name, "uid": uid}
    metadata = {"name": job.name, "labels": settings.labels(KIND_JOB, job.run), "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {REQUEST_KEY: request}}


def job_manifest(settings: JobSettings, job: PhaseJob, files: Sequence[str], package: str) -> dict[str, Any]:
    """Return the Job of a phase. `files` are the paths of the package named `package`."""
    labels = {**settings.labels(KIND_JOB, job.run), JOB_LABEL: job.name}
    annotations = {ENTRY_ANNOTATION: job.entry} if job.entry else {}
    metadata = {"name": job.name, "labels": labels, "annotations": annotations}
    template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": _pod(settings, job, files, package)}
    # A phase that fails fails again: the module decides what comes next.
    spec = {"backoffLimit": 0, "ttlSecondsAfterFinished": KEPT_FOR, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _pod(settings: JobSettings, job: PhaseJob, files: Sequence[str], package: str) -> dict[str, Any]:
    security = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        # Installations are immutable, and their digests contain modes.
        "fsGroupChangePolicy": "OnRootMismatch",
        **({"runAsUser": settings.uid} if settings.uid is not None else {}),
        **({"runAsGroup": settings.gid} if settings.gid is not None else {}),
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security,
        "containers": [_container(settings, job, package)],
        "volumes": _volumes(settings, job, files, package),
    }
    if settings.service_account:
        pod["serviceAccountName"] = settings.service_account
    if settings.node_selector:
        pod["nodeSelector"] = dict(settings.node_selector)
    if settings.tolerations:
        pod["tolerations"] = [dict(item) for item in settings.tolerations]
    if settings.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    return pod


def _container(settings: JobSettings, job: PhaseJob, package: str) -> dict[str, Any]:
    view = "release" if job.folders else "tree"
    python = settings.server_python if job.image else settings.python
    environment = {} if job.image else _environment(settings)
    return {
        "name": CONTAINER,
        "image": job.image or settings.image,
        "command": [python, "-m", f"{package}.job", job.phase, view, f"{_REQUEST}/{REQUEST_KEY}"],
        # In an image of servers, Python finds the package here, because its environment is what is checked.
        "workingDir": _CODE if job.image else "/",
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": dict(settings.resources),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "code", "mountPath": f"{_CODE}/{package}", "readOnly": True},
            {"name": "request", "mountPath": _REQUEST, "readOnly": True},
            {"name": "scratch", "mountPath": _SCRATCH if job.image else settings.scratch},
            *_tree_mounts(settings, job),
        ],
    }


def _environment(settings: JobSettings) -> dict[str, str]:
    folder = settings.python.rpartition("/")[0]
    return {
        "PATH": f"{folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": _CODE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": settings.scratch,
        "TMPDIR": settings.scratch,
        # A user id that the cluster assigns has no name.
        "USER": "builder",
        "LC_ALL": "C.UTF-8",
    }


def _tree_mounts(settings: JobSettings, job: PhaseJob) -> list[dict[str, Any]]:
    access: dict[str, Any] = {"readOnly": True} if job.read_only else {}
    if not job.folders:
        mount = {"name": "tree", "mountPath": settings.prefix, **access}
        source = [{"name": "source", "mountPath": SOURCE, "readOnly": True}] if _has_source(settings, job) else []
        return [mount, *source]
    folders = [
        {"name": "tree", "mountPath": f"{settings.prefix}/{name}", "subPath": name, **access} for name in job.folders
    ]
    return [{"name": "view", "mountPath": settings.prefix}, *folders]


def _has_source(settings: JobSettings, job: PhaseJob) -> bool:
    return job.phase == "promote" and settings.source_claim is not None


def _volumes(settings: JobSettings, job: PhaseJob, files: Sequence[str], package: str) -> list[dict[str, Any]]:
    code = {"name": run_name(job.run), "items": [{"key": _key(path), "path": path} for path in files]}
    volumes: list[dict[str, Any]] = [
        {"name": "tree", "persistentVolumeClaim": {"claimName": settings.claim}},
        {"name": "code", "configMap": code},
        {"name": "request", "configMap": {"name": job.name}},
        {"name": "scratch", "emptyDir": {}},
    ]
    if job.folders:
        volumes.append({"name": "view", "emptyDir": {}})
    if _has_source(settings, job):
        volumes.append({"name": "source", "persistentVolumeClaim": {"claimName": settings.source_claim}})
    return volumes
