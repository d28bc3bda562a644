"""The gate before publication, on real modules and the real Lmod: each check fails for the module that it is about."""

from __future__ import annotations

from pathlib import Path

from tests.support.release_tree import *  # noqa: F403
from tests.support.release_tree import ReleaseTree

GOOD = """
prepend_path("PATH", pathJoin(root, "bin"))
setenv("EBROOTTOOL", root)
"""


def test_a_good_release_passes(release_tree: ReleaseTree) -> None:
    release_tree.add("zlib/1.3", GOOD)
    release_tree.add("tool/1.0", GOOD + 'depends_on("zlib/1.3")')
    assert release_tree.verify() == []


def test_a_truncated_modulefile(release_tree: ReleaseTree) -> None:
    release_tree.add("tool/1.0", GOOD)
    release_tree.add("other/1.0", GOOD)
    path = Path(release_tree.staging.modulefile("tool/1.0"))
    path.write_text(path.read_text()[:-10])
    [(module, check, reason)] = release_tree.verify()
    assert (module, check) == ("tool/1.0", "syntax")
    assert reason.startswith("the modulefile does not parse (line 4: unfinished string")


def test_a_dependency_that_does_not_exist(release_tree: ReleaseTree) -> None:
    release_tree.add("tool/1.0", GOOD + 'depends_on("missing/2")')
    [(module, check, reason)] = release_tree.verify()
    assert (module, check) == ("tool/1.0", "load")
    assert "missing/2" in reason


def test_an_unload_that_leaves_a_variable(release_tree: ReleaseTree) -> None:
    release_tree.add("tool/1.0", GOOD + 'if mode() == "load" then setenv("LEFT", "1") end')
    reason = "its unload does not restore the environment: LEFT stays set"
    assert release_tree.verify() == [("tool/1.0", "unload", reason)]
