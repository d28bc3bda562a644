"""What a killed build left is removed, and what belongs to another tree is not."""

from __future__ import annotations

import os
import subprocess
import time

from ansible_collections.odh.persistency.plugins.module_utils._software import leftovers
from ansible_collections.odh.persistency.plugins.module_utils._software.tree_layout import SKELETON, TreeLayout

PATH = "tool/1.0-aaaa"


def make(folder):
    for name in SKELETON:
        (folder / name).mkdir(parents=True)
    return TreeLayout(str(folder))


def test_only_processes_of_this_tree_end(tmp_path):
    # Two trees that are shown at one prefix, one after the other, as each sees itself.
    tree = make(tmp_path / "apps")
    marks = [leftovers.mark(tree, PATH)]
    (tmp_path / "apps").rename(tmp_path / "other")
    make(tmp_path / "apps")
    marks.append(leftovers.mark(tree, PATH))
    processes = [subprocess.Popen(["sleep", "60"], env={**os.environ, leftovers.VARIABLE: value}) for value in marks]
    try:
        # Until it runs `sleep`, a process has the environment of this one.
        for process, value in zip(processes, marks, strict=True):
            while f"{leftovers.VARIABLE}={value}".encode() not in leftovers._environment(process.pid):
                time.sleep(0.01)
        leftovers.remove(tree, PATH)
        assert processes[1].wait(10) != 0
        assert processes[0].poll() is None
    finally:
        for process in processes:
            process.kill()
            process.wait()
