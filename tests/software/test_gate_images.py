"""The gate in an image of servers: its own Python starts a kernel under each module, with the variables that the image sets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.software.package import PACKAGE, write_package

from testbed.software.environment import notebook
from tests.support.release_tree import *  # noqa: F403
from tests.support.release_tree import ReleaseTree

PYTHON_MODULE = 'prepend_path("PYTHONPATH", pathJoin(root, "lib"))'
BROKEN = {"lib/traitlets.py": "raise ImportError('an old traitlets')\n"}


@pytest.fixture
def in_image(release_tree: ReleaseTree, tmp_path: Path) -> Any:
    """Return a function that runs the phase with a Python and variables of an image, and returns its last event."""
    code = tmp_path / "code"
    code.mkdir()
    write_package(code)
    release_tree.add("tool/1.0", 'setenv("EBROOTTOOL", root)')
    release_tree.add("tabulate/1.0", PYTHON_MODULE, {"lib/tabulate.py": ""})

    def run(python: str | Path, skip: tuple[str, ...] = (), **variables: str) -> Any:
        release_tree.write_manifest()
        release_tree.write_cache()
        request = release_tree.request(skip=skip, previous=None)
        environment = {"PATH": f"{notebook().parent}:/usr/bin:/bin", "LMOD_RC": "/nowhere", **variables}
        words = [str(python), "-m", f"{PACKAGE}.phases", "verify_image", "-"]
        done = subprocess.run(
            words, input=json.dumps(request), capture_output=True, text=True, env=environment, cwd=code, check=False
        )
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_a_module_that_breaks_the_kernel_of_the_image(release_tree, in_image):
    release_tree.add("old/1.0", PYTHON_MODULE, BROKEN)
    release_tree.add("worse/1.0", PYTHON_MODULE, BROKEN)
    result = in_image(notebook(), skip=("worse/1.0",))["result"]
    assert result["checked"] == 3
    (failure,) = result["failures"]
    assert (failure["module"], failure["check"]) == ("old/1.0", "kernel")
    assert "because PYTHONPATH replaces traitlets of the kernel" in failure["reason"]


def test_a_variable_of_the_image_that_does_no_harm(in_image, tmp_path):
    (tmp_path / "site").mkdir()
    result = in_image(notebook(), PYTHONPATH=str(tmp_path / "site"))["result"]
    assert result == {"checked": 2, "failures": []}


def test_an_image_whose_variables_break_its_kernel(in_image, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "traitlets.py").write_text(BROKEN["lib/traitlets.py"])
    ended = in_image(notebook(), PYTHONPATH=str(tmp_path / "site"))
    assert ended["kind"] == "rejected"
    assert "cannot import ipykernel without any module" in ended["message"]
    assert "an old traitlets" in ended["message"]


def test_an_image_without_a_kernel(in_image):
    ended = in_image("/usr/bin/python3")
    assert "/usr/bin/python3 cannot import ipykernel without any module" in ended["message"]


def test_an_image_with_another_lmod(release_tree, in_image):
    release_tree.manifest["lmod"] = "7.4.1"
    ended = in_image(notebook())
    assert ended["message"].startswith("its Lmod is 8.")
    assert ended["message"].endswith("and Lmod 7.4.1 made the cache: install the same Lmod in both")
