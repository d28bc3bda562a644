"""Runs jobs as AWX does, without AWX: transmit, worker and process of ansible-runner, with AWX's private data folder.

AWX itself calls `transmit` and `process` in its own process, and the worker is the program of the pod. The layout, the
environment of the credential and the limit of events are those of AWX 24.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import psutil
import yaml

from tests.support.cluster import wait_for

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "examples" / "awx"
#: AWX empties the result of an event that is longer.
MAX_EVENT = 700_000


@dataclass(frozen=True)
class Credential:
    """A credential of the type "OpenShift or Kubernetes API Bearer Token" with "Verify SSL"."""

    user: str
    """The name of its user on the API server."""
    host: str
    token: str
    authority: str

    def environment(self, folder: Path, pod: Path) -> dict[str, str]:
        """Return the environment that AWX makes of it. The certificate is written to `folder`, which is copied to `pod`."""
        (folder / "env" / "authority").write_text(self.authority)
        return {
            "K8S_AUTH_HOST": self.host,
            "K8S_AUTH_API_KEY": self.token,
            "K8S_AUTH_VERIFY_SSL": "True",
            "K8S_AUTH_SSL_CA_CERT": str(pod / "env" / "authority"),
        }


@dataclass
class Job:
    """What AWX knows of a job: its status, and the events as they arrived."""

    status: str = "new"
    explanation: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def stdout(self) -> str:
        text = "\n".join(event["stdout"] for event in self.events if event.get("stdout"))
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    @property
    def stats(self) -> dict[str, Any]:
        """The data of the last event."""
        (found,) = (event["event_data"] for event in self.events if event["event"] == "playbook_on_stats")
        return found  # type: ignore[no-any-return]

    @property
    def artifacts(self) -> dict[str, Any]:
        return self.stats["artifact_data"]  # type: ignore[no-any-return]

    @property
    def changed(self) -> int:
        return sum(self.stats["changed"].values())

    @property
    def failures(self) -> list[str]:
        """The messages of failed tasks, without those that a rescue took."""
        failed = [event["event_data"] for event in self.events if event["event"] == "runner_on_failed"]
        return [str(data["res"].get("msg")) for data in failed if not data.get("ignore_errors")]

    def result(self, module: str) -> dict[str, Any]:
        """Return the result of the last task that ran a module."""
        data = [event["event_data"] for event in self.events if event["event"] in ("runner_on_ok", "runner_on_failed")]
        return [item["res"] for item in data if item["task_action"] == module][-1]  # type: ignore[no-any-return]

    def sizes(self) -> dict[str, int]:
        """Return the size of the largest event of each kind, as JSON."""
        found: dict[str, int] = {}
        for event in self.events:
            found[event["event"]] = max(found.get(event["event"], 0), len(json.dumps(event)))
        return found


class Awx:
    """Starts jobs of templates. `project` is the copy of the repository, `hostvars` what the inventory source made of it."""

    def __init__(self, folder: Path, project: Path = PROJECT) -> None:
        self._folder = folder
        self._project = project
        self._inventory = _imported(project / "inventory" / "hosts.yml")
        self._jobs = 0

    def run(
        self,
        playbook: str,
        credential: Credential | None = None,
        extra: Mapping[str, Any] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        watch: Callable[[Worker], None] | None = None,
        arguments: str = "",
    ) -> Job:
        """Run a playbook of the project to its end. `watch` may cancel it, see Worker.

        `arguments` are those that AWX makes of settings of a template: `--diff` of "Show changes", `-t NAME` of "Job tags".
        """
        self._jobs += 1
        mine, pod = self._folder / f"job-{self._jobs}", self._folder / f"pod-{self._jobs}"
        self._write(mine, extra or {}, arguments)
        variables = {
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "MAX_EVENT_RES": str(MAX_EVENT),
            "JOB_ID": str(self._jobs),
        }
        variables |= credential.environment(mine, pod) if credential else {}
        variables |= environment or {}
        stream = mine.with_suffix(".stream")
        with stream.open("wb") as output:
            ansible_runner.interface.run(
                streamer="transmit",
                _output=output,
                private_data_dir=str(mine),
                ident=str(self._jobs),
                playbook=playbook,
                inventory=str(mine / "inventory" / "hosts"),
                envvars=variables,
                suppress_env_files=True,
            )
        job = Job()
        with stream.open("rb") as given, Worker(pod, given) as worker, ThreadPoolExecutor(1) as pool:
            if watch:
                pool.submit(watch, worker)
            ansible_runner.interface.run(
                streamer="process",
                _input=worker.output,
                quiet=True,
                private_data_dir=str(mine),
                ident=str(self._jobs),
                event_handler=lambda event: _keep_event(job, event),
                status_handler=lambda status, runner_config: _keep(job, status),
            )
        return job

    def _write(self, folder: Path, extra: Mapping[str, Any], arguments: str) -> None:
        """Write AWX's private data folder: nothing is next to the inventory but itself."""
        for name in ("env", "inventory"):
            (folder / name).mkdir(parents=True)
        shutil.copytree(self._project, folder / "project")
        script = folder / "inventory" / "hosts"
        script.write_text(f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(self._inventory)!r})\n")
        script.chmod(0o700)
        known = {
            f"{prefix}_{name}": value
            for prefix in ("awx", "tower")
            for name, value in (("job_id", self._jobs), ("job_launch_type", "scheduled"))
        }
        (folder / "env" / "extravars").write_text(yaml.safe_dump({**known, **extra}))
        settings = {"job_timeout": 300, "suppress_ansible_output": True, "suppress_output_file": True}
        (folder / "env" / "settings").write_text(json.dumps(settings))
        (folder / "env" / "cmdline").write_text(f"-u root {arguments}")


class Worker:
    """The program of a job's pod. Its environment is that of a pod: no kubeconfig, no token of a service account."""

    def __init__(self, pod: Path, given: Any) -> None:
        home = pod / "home"
        home.mkdir(parents=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "K8S_"))}
        environment |= {
            "HOME": str(home),
            "KUBERNETES_SERVICE_HOST": "192.0.2.1",
            "KUBERNETES_SERVICE_PORT": "443",
        }
        words = [sys.executable, "-m", "ansible_runner", "worker", "--private-data-dir", str(pod)]
        self._process = subprocess.Popen(
            words, stdin=given, stdout=subprocess.PIPE, env=environment, cwd=pod, start_new_session=True
        )
        self.output = self._process.stdout

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        self._process.wait()

    def kill(self) -> None:
        """End everything in the pod at once, as its deletion does, and wait for it. Ansible has a session of its own."""
        found: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            worker = psutil.Process(self._process.pid)
            # A process that is not stopped could start another one, which would go on.
            while new := [one for one in (worker, *worker.children(recursive=True)) if one not in found]:
                _each(new, psutil.Process.suspend)
                found += new
        _each(found, psutil.Process.kill)
        wait_for(lambda: not any(map(_runs, found)), "the end of the processes of the job")


def _each(processes: Iterable[psutil.Process], act: Callable[[psutil.Process], object]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            act(process)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE  # type: ignore[no-any-return]
    except psutil.NoSuchProcess:
        return False


def _keep(job: Job, status: Mapping[str, Any]) -> None:
    job.status = status["status"]
    job.explanation = status.get("job_explanation", "")


def _keep_event(job: Job, event: dict[str, Any]) -> bool:
    job.events.append(event)
    return False  # not as a file


def _imported(source: Path) -> dict[str, Any]:
    """Return what AWX keeps of an inventory of the project: groups, hosts and their variables, and no file."""
    words = ["ansible-inventory", "--list", "--export", "-i", str(source)]
    answer = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(answer.stdout)  # type: ignore[no-any-return]
