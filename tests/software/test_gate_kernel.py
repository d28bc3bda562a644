"""The gate starts the kernel of a real notebook server under each module, once for all modules that cannot differ."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from plugins.module_utils._software.errors import PhaseError
from testbed.software.environment import notebook, old_traitlets
from tests.support.release_tree import *  # noqa: F403
from tests.support.release_tree import ReleaseTree

PYTHON_MODULE = 'prepend_path("PYTHONPATH", pathJoin(root, "lib"))'
LIBRARY_MODULE = (
    'prepend_path("LD_LIBRARY_PATH", pathJoin(root, "lib"))\nsetenv("EBROOT" .. myModuleName():upper(), root)'
)


@pytest.fixture
def python(tmp_path: Path) -> tuple[str, Path]:
    """The Python of a notebook server, and a file with a line for each time that it started."""
    wrapper, starts = tmp_path / "bin/python", tmp_path / "starts"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho started >>{starts}\nexec {notebook()} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper), starts


def library(tmp_path: Path, name: str) -> bytes:
    """Return a shared library that has nothing but its name."""
    (tmp_path / "empty.c").write_text("")
    subprocess.run(["gcc", "-shared", f"-Wl,-soname,{name}", "-o", name, "empty.c"], cwd=tmp_path, check=True)
    return (tmp_path / name).read_bytes()


def test_modules_that_leave_the_kernel_alone(
    release_tree: ReleaseTree, python: tuple[str, Path], tmp_path: Path
) -> None:
    release_tree.add("tool/1.0", 'setenv("EBROOTTOOL", root)\nprepend_path("PATH", pathJoin(root, "bin"))')
    for number in range(3):
        name = f"libown{number}.so"
        release_tree.add(f"own{number}/1.0", LIBRARY_MODULE, {f"lib/{name}.1": library(tmp_path, name)})
    release_tree.add("tabulate/1.0", PYTHON_MODULE, {"lib/tabulate.py": ""})
    assert release_tree.verify(python=python[0]) == []
    assert len(python[1].read_text().splitlines()) == 2  # without modules, and for PYTHONPATH


def test_an_old_traitlets(release_tree: ReleaseTree, python: tuple[str, Path]) -> None:
    [packages] = old_traitlets().parent.parent.glob("lib/python3*/site-packages")
    files = {
        f"lib/{file.relative_to(packages)}": file.read_bytes()
        for pattern in ("traitlets/**/*.py", "ipython_genutils/**/*.py", "six.py", "decorator.py")
        for file in packages.glob(pattern)
    }
    release_tree.add("oldtools/1.0", PYTHON_MODULE, files)
    release_tree.add("reporting/2.0", 'depends_on("oldtools/1.0")')
    release_tree.add("tool/1.0", 'setenv("EBROOTTOOL", root)')
    found = release_tree.verify(python=python[0])
    assert [(module, check) for module, check, _reason in found] == [
        ("oldtools/1.0", "kernel"),
        ("reporting/2.0", "kernel"),
    ]
    for _module, _check, reason in found:
        expected = "no kernel of {} starts with it, because PYTHONPATH replaces traitlets of the kernel"
        assert reason.startswith(expected.format(python[0]) + ": Python ended with status 1 (")
        assert "cannot import name 'Callable' from 'traitlets'" in reason


def test_a_library_of_python_that_a_module_replaces(
    release_tree: ReleaseTree, python: tuple[str, Path], tmp_path: Path
) -> None:
    files = {"lib/libstdc++.so.6": library(tmp_path, "libstdc++.so.6")}
    release_tree.add("GCCcore/4.8", LIBRARY_MODULE, files)
    [(module, check, reason)] = release_tree.verify(python=python[0])
    assert (module, check) == ("GCCcore/4.8", "kernel")
    assert "because LD_LIBRARY_PATH replaces libstdc++ of the kernel" in reason


def test_a_kernel_that_hangs(release_tree: ReleaseTree, python: tuple[str, Path]) -> None:
    release_tree.add("tool/1.0", PYTHON_MODULE, {"lib/traitlets.py": "import time\ntime.sleep(1000)\n"})
    [(module, check, reason)] = release_tree.verify(python=python[0], limits={"load": 10})
    assert (module, check) == ("tool/1.0", "kernel")
    assert reason.endswith("Python did not end within 10 seconds")


def test_packages_are_compared_without_a_python(release_tree: ReleaseTree) -> None:
    release_tree.add("oldtools/1.0", PYTHON_MODULE, {"lib/traitlets/__init__.py": "", "lib/zmq.py": ""})
    release_tree.add("tabulate/1.0", PYTHON_MODULE, {"lib/tabulate.py": ""})
    assert release_tree.verify() == [
        (
            "oldtools/1.0",
            "kernel",
            "PYTHONPATH replaces traitlets, zmq of the servers' kernels: remove it, or set `server_python` to try "
            "whether they start",
        )
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("python3", "python3 is not the path of a program: set `server_python` to the path of the servers' Python"),
        ("/usr/bin/python3", "/usr/bin/python3 cannot import ipykernel without any module"),
        ("/nowhere/python3", "/nowhere/python3 is not the path of a program"),
    ],
)
def test_a_python_without_a_kernel(release_tree: ReleaseTree, path: str, message: str) -> None:
    release_tree.add("tool/1.0")
    with pytest.raises(PhaseError, match=message) as error:
        release_tree.verify(python=path)
    assert error.value.kind == "rejected"
