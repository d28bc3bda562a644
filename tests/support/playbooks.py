"""Runs the collection's playbooks as its users do: by name, with their own inventory."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cluster import Cluster

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


@dataclass
class Played:
    """The outcome of a run of ansible-playbook."""

    code: int
    output: str

    @property
    def recap(self) -> dict[str, int]:
        """Ansible's recap, summed over all hosts: {"ok": 5, "changed": 0, ...}."""
        found: dict[str, int] = {}
        for key, count in re.findall(r"\b(ok|changed|failed|skipped|unreachable)=(\d+)", self.output):
            found[key] = found.get(key, 0) + int(count)
        return found

    @property
    def summary(self) -> str:
        """The message of the role's last task: `create 2, keep 38`."""
        match = re.search(r'"msg": "([a-z]+ \d+(?:, [a-z]+ \d+)*)"', self.output)
        assert match, self.output
        return match[1]


class Playbooks:
    """Runs playbooks against a cluster. Inventories given as variables of one host are written to `folder`."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder

    def inventory(self, variables: Mapping[str, Any]) -> Path:
        """Write an inventory with one hub."""
        path = self.folder / "hosts.json"
        path.write_text(json.dumps({"persistency": {"hosts": {"hub": {**LOCAL, **variables}}}}))
        return path

    def run(
        self,
        playbook: str | Path,
        inventory: Path | Mapping[str, Any],
        *flags: str,
        extra: Mapping[str, Any] | None = None,
        kubeconfig: Path | None = None,
    ) -> Played:
        """Run a playbook, a path or `odh.persistency.NAME`. `kubeconfig` replaces that of the cluster."""
        source = inventory if isinstance(inventory, Path) else self.inventory(inventory)
        words = ["ansible-playbook", "-i", str(source), *flags, str(playbook)]
        if extra:
            words += ["-e", json.dumps(extra)]
        environment = dict(self.cluster.environment)
        if kubeconfig is not None:
            environment |= {"KUBECONFIG": str(kubeconfig), "K8S_AUTH_KUBECONFIG": str(kubeconfig)}
        environment |= {"ANSIBLE_PIPELINING": "True"}  # fewer processes for each task
        environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_NOCOWS": "1", "COLUMNS": "1000"}
        # In its own folder, so that nothing is found because of the working directory.
        answer = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=self.folder, timeout=300)
        return Played(answer.returncode, answer.stdout + answer.stderr)

    def ok(self, playbook: str | Path, inventory: Path | Mapping[str, Any], *flags: str, **how: Any) -> Played:
        """Run a playbook that must not fail."""
        played = self.run(playbook, inventory, *flags, **how)
        assert played.code == 0, played.output
        return played

    def refused(self, playbook: str | Path, inventory: Path | Mapping[str, Any], *flags: str, **how: Any) -> str:
        """Run a playbook that must fail; return its output."""
        played = self.run(playbook, inventory, *flags, **how)
        assert played.code == 2, played.output
        assert played.recap["failed"] == 1, played.output
        return played.output
