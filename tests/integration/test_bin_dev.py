"""bin/dev and make: which cluster a command uses, when the testbed is started, and a new environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from testbed.paths import ROOT

SHOW = 'echo "KUBECONFIG=${KUBECONFIG-unset}"; env | grep ^K8S_AUTH_ | sort'
MINE = ("KUBECONFIG", "K8S_AUTH_", "ODHP_", "VIRTUAL_ENV", "PYTHONPATH", "ANSIBLE_")


def dev(*command: str, root: Path = ROOT, cwd: Path | None = None, **settings: str) -> list[str]:
    """Run a command with bin/dev and only these settings; return the lines that it prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(MINE)} | settings
    answer = subprocess.run(
        [root / "bin" / "dev", *command], env=environment, cwd=cwd or root, capture_output=True, text=True, timeout=600
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout.splitlines()


class TestCluster:
    def test_the_testbed_by_default(self):
        kubeconfig = ROOT / ".dev" / "testbed" / "kubeconfig"  # whatever this worker's own is
        shown = dev("sh", "-c", SHOW, K8S_AUTH_CONTEXT="elsewhere", K8S_AUTH_VERIFY_SSL="no")
        assert shown == [f"KUBECONFIG={kubeconfig}", f"K8S_AUTH_KUBECONFIG={kubeconfig}"]

    def test_an_inner_call_stays_on_the_testbed(self):
        inner = [str(ROOT / "bin" / "dev"), "sh", "-c", SHOW]
        assert dev(*inner) == dev("sh", "-c", SHOW)

    @pytest.mark.parametrize(
        ("settings", "shown"),
        [
            ({"KUBECONFIG": "/mine"}, ["KUBECONFIG=/mine", "K8S_AUTH_KUBECONFIG=/mine"]),
            ({"K8S_AUTH_KUBECONFIG": "/mine"}, ["KUBECONFIG=/mine", "K8S_AUTH_KUBECONFIG=/mine"]),
            (
                {"KUBECONFIG": "/mine", "K8S_AUTH_KUBECONFIG": "/other", "K8S_AUTH_CONTEXT": "c"},
                ["KUBECONFIG=/mine", "K8S_AUTH_CONTEXT=c", "K8S_AUTH_KUBECONFIG=/other"],
            ),
            (
                {"K8S_AUTH_HOST": "https://h", "K8S_AUTH_API_KEY": "k"},
                ["KUBECONFIG=unset", "K8S_AUTH_API_KEY=k", "K8S_AUTH_HOST=https://h"],
            ),
        ],
    )
    def test_the_users_own_wins(self, settings, shown, tmp_path):
        """No testbed is started."""
        data = tmp_path / "testbed"
        assert dev("sh", "-c", SHOW, ODHP_TESTBED_DATA=str(data), **settings) == shown
        assert not data.exists()

    @pytest.mark.parametrize(
        "command",
        [
            ["ruff", "--version"],
            ["python", "-m", "testbed", "--help"],
            ["python", "-m", "mypy", "--version"],
            ["pytest", "tests/unit", "--collect-only", "-q"],
            ["pytest", str(ROOT / "tests" / "unit" / "test_plan.py"), "tests/oracle", "--collect-only", "-q"],
            ["pytest", "-q", "tests/unit/test_plan.py", "--collect-only", "-k", "a"],
            ["ansible-doc", "--version"],
        ],
    )
    def test_no_testbed_for_what_never_needs_one(self, command, tmp_path):
        data = tmp_path / "testbed"
        dev(*command, ODHP_TESTBED_DATA=str(data))
        assert not data.exists()

    def test_no_testbed_if_disabled(self, tmp_path):
        data = tmp_path / "testbed"
        shown = dev("sh", "-c", SHOW, ODHP_TESTBED_DATA=str(data), ODHP_TESTBED="no")
        assert shown[0] == f"KUBECONFIG={data}/kubeconfig"
        assert not data.exists()

    def test_a_testbed_for_what_may_need_one(self, tmp_path):
        data = tmp_path / "testbed"
        try:
            assert "namespace/default" in dev("kubectl", "get", "ns", "-o", "name", ODHP_TESTBED_DATA=str(data))
        finally:
            dev("python", "-m", "testbed", "reset", "--wipe-only", ODHP_TESTBED_DATA=str(data))
        assert not data.exists()


class TestEnvironment:
    def test_it_works_from_another_folder(self, tmp_path):
        assert dev("pwd", cwd=tmp_path) == [str(tmp_path)]
        listed = dev("sh", "-c", "ansible-doc --list odh.persistency | cut -d' ' -f1", cwd=tmp_path, ODHP_TESTBED="no")
        assert listed == [f"odh.persistency.{path.stem}" for path in sorted((ROOT / "plugins/modules").glob("*.py"))]

    def test_a_locale_that_does_not_exist_is_no_obstacle(self):
        assert "ansible [core" in dev("ansible", "--version", LC_ALL="xx_YY.ISO-8859-1", ODHP_TESTBED="no")[0]

    def test_two_at_once_make_it_from_nothing_in_a_path_with_a_space(self, tmp_path):
        copy = tmp_path / "a copy"
        for folder in ("bin", "requirements", "plugins", "meta"):
            shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "galaxy.yml", copy)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(MINE)} | {"ODHP_TESTBED": "no"}
        command = [copy / "bin" / "dev", "ansible-doc", "--list", "odh.persistency"]
        callers = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        outputs = [caller.communicate(timeout=600) for caller in callers]
        assert [caller.returncode for caller in callers] == [0, 0], outputs
        assert all("odh.persistency.user_pvc " in output for output, _ in outputs)
        assert sum("making the virtual environment" in errors for _, errors in outputs) == 1
        again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert again.stderr == ""

        # A moved checkout gets a new virtual environment, because scripts in it contain its path.
        moved = copy.rename(tmp_path / "moved")
        assert dev("ansible", "--version", root=moved, ODHP_TESTBED="no")[0].startswith("ansible [core")
        assert str(moved) in (moved / ".dev" / "venv" / "bin" / "ansible").read_text()


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_what_is_installed_is_pinned_and_comes_from_anywhere(lock):
    content = lock.read_text()
    assert "://" not in content
    assert "--index-url" not in content
    assert "--find-links" not in content
    blocks = re.split(r"\n(?=[a-z])", re.sub(r"(?m)^#.*\n", "", content).strip())
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


def test_make_help_names_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in (
        "demo",
        "demo-down",
        "quick",
        "test",
        "soak",
        "lint",
        "unit",
        "integration",
        "molecule",
        "bench",
        "build",
        "clean",
    ):
        assert f"make {target} " in listed
