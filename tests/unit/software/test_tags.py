"""The tag `software` builds and publishes. No playbook rolls back, promotes or prunes unless that tag is asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"


def test_what_the_tag_software_runs(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("persistency: {hosts: {hub: {ansible_connection: local}}}")
    playbooks = [str(PLAYBOOKS / name) for name in ("site.yml", "drift.yml", "software.yml")]
    words = ["ansible-playbook", "-i", str(hosts), "--list-tasks", "--tags", "software", *playbooks]
    answer = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
    assert answer.returncode == 0, answer.stderr
    listed = [line.split("TAGS:")[0].rpartition(" : ")[2].strip() for line in answer.stdout.splitlines()]
    assert listed.count("Build and publish") == len(playbooks)
    assert {"Plan", "Build", "Promote", "Roll back", "Prune"}.intersection(listed) == set()
