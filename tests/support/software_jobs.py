"""A software tree in a claim, for runs of lmod_release in Jobs on the testbed's node."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from testbed.node import images
from testbed.paths import ROOT
from tests.support.cluster import Cluster
from tests.support.modules import Result, Running
from tests.support.node import Pods, host_path_claim
from tests.support.software import Software

#: Who owns the tree, and runs Jobs: as on this host.
USER = pwd.getpwnam("nobody")
EASYBUILD = "/opt/easybuild"
CLAIM = "apps"


class JobTree:
    """A tree whose phases run in Jobs of a namespace that enforces the Pod Security Standard `restricted`."""

    def __init__(self, cluster: Cluster, namespace: str, software: Software) -> None:
        self.cluster, self.namespace, self.software = cluster, namespace, software
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        cluster.patch("namespaces", namespace, {"metadata": {"labels": labels}})
        host_path_claim(cluster, namespace, CLAIM, software.path)

    def add_sources(self) -> None:
        """Copy the easyconfigs and their sources to the tree."""
        target = self.software.path / "sources"
        for name in ("easyconfigs", "sources"):
            shutil.copytree(getattr(self.software, name), target / name, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)

    def add_claim(self, name: str) -> Path:
        """Create a claim with an empty volume and return the folder of the volume."""
        folder = self.software.folder / name
        folder.mkdir()
        os.chown(folder, USER.pw_uid, USER.pw_gid)
        host_path_claim(self.cluster, self.namespace, name, folder)
        return folder

    def pods(self) -> Pods:
        """Return the pods of the namespace."""
        return Pods(self.cluster, self.namespace)

    def restricted_kubeconfig(self) -> Path:
        """Return the kubeconfig of a user who has the permissions of the example for the namespace that builds."""
        documents = yaml.safe_load_all((ROOT / "examples" / "rbac" / "software.yml").read_text())
        (rules,) = (
            document["rules"]
            for document in documents
            if document["kind"] == "Role" and document["metadata"]["namespace"] == "software-builder"
        )
        return self.cluster.restricted_kubeconfig(self.software.folder, self.namespace, rules)

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the options of a run in Jobs."""
        sources = f"{self.software.prefix}/sources"
        options = {
            "prefix": str(self.software.prefix),
            "easybuild": EASYBUILD,
            "builder": "job",
            "builder_namespace": self.namespace,
            "builder_claim": CLAIM,
            "builder_image": images.NOTEBOOK,
            "builder_uid": USER.pw_uid,
            "builder_gid": USER.pw_gid,
            "builder_resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
            "progress_file": str(self.software.progress_file),
        }
        if more.get("state", "present") in ("present", "built"):
            options["stack_file"] = str(self.software.stack_file)
            options["robot_paths"] = [f"{sources}/easyconfigs"]
            options["source_paths"] = [f"{sources}/sources"]
        return {**options, **more}

    def start(self, check: bool = False, **more: Any) -> Running:
        """Start lmod_release."""
        return Running("lmod_release", self.options(**more), self.cluster.environment, check, True)

    def run(self, check: bool = False, **more: Any) -> Result:
        """Run lmod_release."""
        return self.start(check, **more).wait(300)

    def ok(self, check: bool = False, **more: Any) -> Result:
        """Run lmod_release, which must not fail."""
        result = self.run(check, **more)
        assert not result.failed, result.output["msg"]
        return result

    def module(self, name: str, **more: Any) -> Result:
        """Run another module on the tree, which must not fail."""
        options = {**self.options(state=""), **more}
        del options["state"], options["progress_file"]
        result = Running(name, options, self.cluster.environment, False, True).wait(300)
        assert not result.failed, result.output["msg"]
        return result

    def jobs(self) -> dict[str, Any]:
        """Return the Jobs of the namespace by name."""
        found = self.cluster.list("jobs", self.namespace)
        return {job["metadata"]["name"]: job for job in found}

    def config_maps(self) -> list[str]:
        """Return the ConfigMaps of runs."""
        found = self.cluster.list("configmaps", self.namespace)
        return [item["metadata"]["name"] for item in found if item["metadata"]["name"].startswith("software-")]
