"""Jobs of a run: what a pod may do, what it sees of the tree, and what its status says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.software.job_manifests import (
    VIEW_FOLDERS,
    JobSettings,
    PhaseJob,
    job_manifest,
    only_reads,
    run_manifest,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.software.job_status import (
    ENDED,
    RUNNING,
    WAITING,
    creation_failure,
    job_failure,
    pod_status,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.software.package import software_package
from ansible_collections.odh.persistency.plugins.module_utils._software.packed import pack, unpack

FILES = ("job.py", "gate/scope.py")
SETTINGS = JobSettings("software", "apps", "image:1", "/opt/apps", "/opt/easybuild/bin/python")


def pod_of(job: PhaseJob, settings: JobSettings = SETTINGS) -> dict[str, Any]:
    spec: dict[str, Any] = job_manifest(settings, job, FILES, "package")["spec"]["template"]["spec"]
    return spec


def tree_mounts(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] in ("tree", "view")]


@pytest.mark.parametrize(
    ("phase", "request_of_phase", "reads"),
    [
        ("observe", {}, True),
        ("resolve", {}, True),
        ("verify_image", {}, True),
        ("prune", {"dry_run": True}, True),
        ("prune", {}, False),
    ],
)
def test_phases_that_only_read_get_the_tree_read_only(phase, request_of_phase, reads):
    assert only_reads(phase, request_of_phase) is reads
    mounts = tree_mounts(pod_of(PhaseJob("r1", 1, phase, read_only=reads)))
    assert mounts == [{"name": "tree", "mountPath": "/opt/apps", **({"readOnly": True} if reads else {})}]


def test_a_promotion_also_gets_the_other_tree():
    settings = replace(SETTINGS, source_claim="staging")
    mounts = pod_of(PhaseJob("r1", 1, "promote"), settings)["containers"][0]["volumeMounts"]
    assert {"name": "source", "mountPath": "/odh-persistency/source", "readOnly": True} in mounts
    assert "source" not in [volume["name"] for volume in pod_of(PhaseJob("r1", 1, "build"), settings)["volumes"]]


def test_a_build_gets_the_tree_at_its_prefix():
    assert tree_mounts(pod_of(PhaseJob("r1", 1, "build"))) == [{"name": "tree", "mountPath": "/opt/apps"}]


def test_the_view_of_a_release_has_the_folders_of_the_tree_and_a_link_of_its_own():
    pod = pod_of(PhaseJob("r1", 1, "verify", folders=VIEW_FOLDERS[:3]))
    assert tree_mounts(pod) == [
        {"name": "view", "mountPath": "/opt/apps"},
        {"name": "tree", "mountPath": "/opt/apps/store", "subPath": "store"},
        {"name": "tree", "mountPath": "/opt/apps/releases", "subPath": "releases"},
        {"name": "tree", "mountPath": "/opt/apps/locks", "subPath": "locks"},
    ]
    assert {"name": "view", "emptyDir": {}} in pod["volumes"]
    assert pod["containers"][0]["command"][3:5] == ["verify", "release"]


def test_a_pod_has_no_privileges_and_no_token():
    pod = pod_of(PhaseJob("r1", 1, "build"))
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    # The cluster assigns them unless they are set.
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod["securityContext"])
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_check_in_an_image_of_servers_has_the_environment_of_the_image_and_the_tree_read_only():
    job = PhaseJob("r1", 1, "verify_image", folders=VIEW_FOLDERS[:3], read_only=True, image="notebook:1")
    settings = replace(SETTINGS, scratch="/build")
    pod = pod_of(job, settings)
    (container,) = pod["containers"]
    assert container["image"] == "notebook:1"
    assert container["env"] == []
    assert container["command"][:3] == ["python3", "-m", "package.job"]
    assert {"name": "code", "mountPath": f"{container['workingDir']}/package", "readOnly": True} in container[
        "volumeMounts"
    ]
    assert {"name": "scratch", "mountPath": "/tmp"} in container["volumeMounts"]
    mounts = tree_mounts(pod)
    assert [mount["mountPath"] for mount in mounts if not mount.get("readOnly")] == ["/opt/apps"]
    assert mounts[0]["name"] == "view"  # an empty folder, for the link to the release
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod_of(job, replace(settings, server_python="/opt/conda/bin/python"))["containers"][0]["command"][0] == (
        "/opt/conda/bin/python"
    )


def test_files_in_folders_of_the_package_have_keys_without_slashes():
    package = {"job.py": "a", "gate/scope.py": "b"}
    data = run_manifest(SETTINGS, "r1", package, {})["data"]
    assert data == {"job.py": "a", "gate..scope.py": "b"}
    code = next(volume for volume in pod_of(PhaseJob("r1", 1, "build"))["volumes"] if volume["name"] == "code")
    assert code["configMap"]["items"] == [
        {"key": "job.py", "path": "job.py"},
        {"key": "gate..scope.py", "path": "gate/scope.py"},
    ]


def test_the_package_fits_into_a_config_map():
    assert sum(len(text.encode()) for text in software_package().values()) < 900_000


def test_the_longest_name_is_a_valid_label():
    assert len(PhaseJob("0123456789ab", 100_000, "roll_back").name) <= 63


@pytest.mark.parametrize(
    ("resources", "processes"),
    [
        ({}, 1),
        ({"requests": {"cpu": "2"}}, 2),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "3500m"}}, 4),
        ({"limits": {"memory": "1Gi"}, "requests": {"cpu": "100m"}}, 1),
    ],
)
def test_builds_run_as_many_processes_as_their_pods_have_processors(resources, processes):
    settings = JobSettings("software", "apps", "image:1", "/opt/apps", "python", resources=resources)
    assert settings.processes == processes


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"phase": "Pending"}, (WAITING, "", False)),
        (
            {
                "phase": "Pending",
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
                ],
            },
            (WAITING, "Unschedulable: 0/1 nodes", False),
        ),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImageNeverPull"}}}]},
            (WAITING, "ErrImageNeverPull", True),
        ),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]},
            (WAITING, "ContainerCreating", False),
        ),
        ({"phase": "Running", "containerStatuses": [{"state": {"running": {"startedAt": "x"}}}]}, (RUNNING, "", False)),
        (
            {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]},
            (ENDED, "exit code 3", False),
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [{"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}],
            },
            (ENDED, "it used more memory than its limit: raise `limits.memory` in `builder_resources`", False),
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    {"state": {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no python"}}}
                ],
            },
            (ENDED, "exit code 128: no python", False),
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource"},
            (ENDED, "Evicted: The node was low on resource", False),
        ),
    ],
)
def test_the_status_of_a_pod(status, expected):
    assert pod_status({"metadata": {"name": "p"}, "status": status}) == ("p", *expected)


def test_why_a_job_has_no_pod():
    failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}
    assert job_failure({"status": {"conditions": [failed]}}) == "DeadlineExceeded: too long"
    assert job_failure({"status": {}}) is None
    assert job_failure(None) == "somebody deleted it"
    event = {"reason": "FailedCreate", "involvedObject": {"name": "a"}, "message": "exceeded quota"}
    assert creation_failure([event], "a") == "exceeded quota"
    assert creation_failure([event], "b") is None


def test_packed_values_have_a_bound():
    value = {"entries": ["bzip2/1.0.8"] * 1000, "text": "ä\n"}
    text = pack(value)
    assert "\n" not in text
    assert len(text) < 1000
    assert unpack(text) == value
    with pytest.raises(ValueError, match="more than 100 bytes"):
        unpack(text, 100)
    with pytest.raises(ValueError, match=r"base64|padding|header"):
        unpack("nothing")
