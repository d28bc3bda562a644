"""The demo, as `make demo` runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from pathlib import Path

from tests.support.homes import RETIRED, USERNAME, annotations, size

ROOT = Path(__file__).resolve().parents[2]
GROWS, JOINS, LEAVES = "wei.zhang@students.example.org", "mei.lin@students.example.org", "farid.haddad@example.org"


def demo(environment, *arguments):
    answer = subprocess.run(
        [ROOT / "examples" / "demo" / "run", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
        timeout=300,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def rows(output):
    """The table of homes: owner (and server) -> the other columns."""
    table = output.split("OWNER (SERVER)")[1].split("\n\n")[0].splitlines()[1:]
    cells = [re.split(r"  +", line) for line in table]
    return {first: rest for first, *rest in cells}


def test_on_the_testbed(cluster, testbed):
    namespace = f"odhp-demo-{uuid.uuid4().hex[:8]}"
    try:
        output = demo(cluster.environment, "--namespace", namespace)
        first, second, edited = re.split(r"\n\d\. ", output)[1:4]
        assert "changed=2" in first
        assert "lines more" in first
        assert re.search(r"changed=0 .*failed=0", second)
        assert "not one write" in second
        assert re.search(rf"^-home \S+ of {GROWS}: 5Gi", edited, re.M)
        assert re.search(rf"^\+home \S+ of {GROWS}: 25Gi", edited, re.M)
        assert re.search(rf"^\+home \S+ of {JOINS}: 5Gi", edited, re.M)
        assert re.search(rf"^\+home \S+ of {LEAVES}: .*retired since", edited, re.M)
        homes = rows(output)
        assert len(homes) == 45
        assert {cells[1] for cells in homes.values()} == {"Bound"}
        assert homes["hiroshi.tanaka@example.org (gpu)"][0] == "100Gi"

        # It stays for a look around, and is as it was before the edit.
        live = {annotations(claim)[USERNAME]: claim for claim in cluster.claims(namespace).values()}
        assert size(live[GROWS]) == "5Gi"
        assert JOINS not in live
        assert RETIRED not in annotations(live[LEAVES])
        # The commands that it ends with are there to be copied.
        for playbook in re.findall(r"playbooks/\w+\.yml", output):
            assert (ROOT / playbook).is_file()
    finally:
        demo(cluster.environment, "--down", "--namespace", namespace)
    assert cluster.get("namespaces", namespace) is None
    volumes = cluster.list("persistentvolumes")
    assert not [volume for volume in volumes if (volume["spec"].get("claimRef") or {}).get("namespace") == namespace]


def test_leaves_nothing_on_a_cluster_of_ones_own(cluster, tmp_path):
    # The same cluster under another name is not the testbed any more.
    kubeconfig = shutil.copy(cluster.kubeconfig, tmp_path / "own.kubeconfig")
    environment = cluster.environment | {"KUBECONFIG": kubeconfig, "K8S_AUTH_KUBECONFIG": kubeconfig}
    output = demo(environment)
    namespace = re.search(r"in the namespace (\S+), which goes", output)[1]
    assert len(rows(output)) == 45
    assert cluster.get("namespaces", namespace) is None
    assert not (ROOT / ".dev" / "demo-namespace").exists()
