"""Runs modules as Ansible does, each in its own process, without the cost of a playbook or of imports.

Tests that run playbooks cover what depends on Ansible itself, such as packing a module into an archive.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import module_server, run_module
from tests.support.cluster import Cluster

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass
class Result:
    """The result of a module and its exit code."""

    code: int
    output: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        """Return a return value, as an attribute."""
        try:
            return self.output[name]
        except KeyError:
            raise AttributeError(f"the module returned no {name}: {self.output}") from None

    @property
    def failed(self) -> bool:
        return self.code != 0

    @property
    def warnings(self) -> list[str]:
        # ansible-core 2.19 returns objects; older versions return text.
        found = self.output.get("warnings", [])
        return [item["event"]["msg"] if isinstance(item, dict) else item for item in found]

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The changes; `before` and `after` without times, because a check and the run after it are seconds apart."""
        return [
            {key: TIME.sub("TIME", value) if key in ("before", "after") else value for key, value in change.items()}
            for change in self.output["changes"]
        ]

    def actions(self) -> dict[str, str]:
        """Return the action of each change, by the name of its object."""
        return {change["name"]: change["action"] for change in self.output["changes"]}


class Running:
    """A module that was started."""

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        environment: dict[str, str],
        check: bool,
        diff: bool,
        how: dict[str, Any] | None = None,
    ) -> None:
        """Start it; `how` is what run_module.py takes."""
        arguments = {
            **options,
            "_ansible_check_mode": check,
            "_ansible_diff": diff,
            "_ansible_remote_tmp": "/tmp",
            "_ansible_keep_remote_files": False,
        }
        self.process: module_server.Forked | subprocess.Popen[bytes]
        with tempfile.TemporaryFile() as stdin:
            stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
            stdin.seek(0)
            if module_server.can_serve(environment):
                self.process = module_server.fork(name, how or {}, environment, stdin)
                return
            self.process = subprocess.Popen(
                [sys.executable, run_module.__file__, json.dumps(how or {}), name],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.communicate()

    def wait(self, within: float = 120) -> Result:
        """Wait for the result. Raises AssertionError if the module ends without one (a traceback, a signal)."""
        out, err = self.process.communicate(timeout=within)
        try:
            output = json.loads(out)
        except ValueError:
            raise AssertionError(f"exit {self.process.returncode}, no result: {out!r} {err.decode()}") from None
        if "Traceback" in err.decode():
            raise AssertionError(err.decode())
        return Result(self.process.returncode, output)


class Modules:
    """Runs the collection's modules against a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def start(
        self,
        name: str,
        options: dict[str, Any],
        *,
        check: bool = False,
        diff: bool = False,
        kubeconfig: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> Running:
        """Start a module; `kubeconfig` replaces that of the cluster, `environment` the whole environment."""
        chosen = self.cluster.environment if environment is None else environment
        if kubeconfig is not None:
            chosen = chosen | {"KUBECONFIG": str(kubeconfig), "K8S_AUTH_KUBECONFIG": str(kubeconfig)}
        return Running(name, options, chosen, check, diff)

    def run(self, name: str, options: dict[str, Any], **how: Any) -> Result:
        """Run a module and return its result, also if it fails."""
        return self.start(name, options, **how).wait()

    def ok(self, name: str, options: dict[str, Any], **how: Any) -> Result:
        """Run a module that must not fail."""
        result = self.run(name, options, **how)
        assert not result.failed, result.output.get("msg")
        return result

    def refused(self, name: str, options: dict[str, Any], **how: Any) -> str:
        """Run a module that must fail; return its message."""
        result = self.run(name, options, **how)
        assert result.failed, result.output
        assert result.output.get("changed") is False
        return str(result.output["msg"])
