"""pytest-xdist keeps the tests of a group on one worker, on which fixtures of modules and the demo rely."""

from __future__ import annotations

import os
import re
import subprocess
import sys

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(8))
@pytest.mark.xdist_group("one")
def test_of_a_group(number): pass
"""


def test_a_group_stays_on_one_worker(tmp_path):
    (tmp_path / "test_group.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "-v", "-n", "2", "--dist", "loadgroup", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    workers = re.findall(r"\[(gw\d)\] .*PASSED", done.stdout)
    assert len(workers) == 8
    assert len(set(workers)) == 1, done.stdout
