"""The views that phases get: as root and without any privilege, in a mount namespace of the process alone."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.software.executor import PhaseFailed
from ansible_collections.odh.persistency.plugins.module_utils._io.software.local import LocalExecutor, LocalSettings
from ansible_collections.odh.persistency.plugins.module_utils._io.software.package import PACKAGE, write_package

from tests.support.software import Software, public_folder, remove

RELEASE, PROMOTED = "20261129T101500Z-0a1b2c3d", "20261130T101500Z-0a1b2c3d"
NOBODY = pwd.getpwnam("nobody")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def tree() -> Iterator[Software]:
    """A tree with a release in staging, and the package of the phases beside it."""
    folder = public_folder()
    software = Software(folder, folder / "apps", folder / "tree")
    software.prefix.mkdir()
    software.make_tree()
    staging = software.path / "releases" / f".new-{RELEASE}"
    staging.mkdir()
    os.chown(staging, NOBODY.pw_uid, NOBODY.pw_gid)
    write_package(folder)
    yield software
    remove(folder)


def observe(tree: Software, start: list[str], **view: Any) -> dict[str, Any]:
    """Run the phase `observe` in a view, and return its last event."""
    asked = {"path": str(tree.path), "prefix": str(tree.prefix), "release": None, "mount": True, "uid": None, **view}
    # The parent of the process must be the one that the view names.
    code = f"""
import json, os, subprocess, sys
view = {{**json.loads({json.dumps(json.dumps(asked))}), "parent": os.getpid()}}
command = ["/usr/bin/python3", "-m", "{PACKAGE}.mounted_view", json.dumps(view), "observe"]
sys.exit(subprocess.run(command, input=json.dumps({{"prefix": view["prefix"]}}), text=True).returncode)
"""
    answer = subprocess.run(
        [*start, "/usr/bin/python3", "-c", code],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tree.folder)},
    )
    lines = answer.stdout.splitlines()
    assert lines, answer.stderr
    event: dict[str, Any] = json.loads(lines[-1])
    return event


UNPRIVILEGED = ["setpriv", "--reuid=nobody", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
BUILD_USER = {"uid": NOBODY.pw_uid, "gid": NOBODY.pw_gid, "groups": [NOBODY.pw_gid]}


def namespaces_allowed() -> bool:
    return subprocess.run([*UNPRIVILEGED, "unshare", "--user", "--mount", "true"]).returncode == 0


@pytest.mark.parametrize(("start", "view"), [([], BUILD_USER), (UNPRIVILEGED, {})], ids=["root", "unprivileged"])
@pytest.mark.parametrize(("release", "current"), [(None, None), (RELEASE, RELEASE)], ids=["tree", "release"])
def test_a_phase_sees_the_tree_at_its_prefix(
    tree: Software, start: list[str], view: dict[str, Any], release: str | None, current: str | None
) -> None:
    if start and not namespaces_allowed():
        pytest.skip("this host lets no user create user namespaces")
    event = observe(tree, start, release=release, **view)
    assert event["event"] == "result", event
    assert (event["result"]["current"], event["result"]["staging"]) == (current, [RELEASE])
    # Nobody else sees that.
    assert list(tree.prefix.iterdir()) == []
    assert not (tree.path / "current").exists()


def test_a_source_that_the_tree_hides_is_seen(tree: Software) -> None:
    """Staging is at the prefix, and production elsewhere: a promotion needs both."""
    staging = Software(tree.folder, tree.prefix, tree.prefix)
    for name in ("store", "releases", "locks"):
        (staging.path / name).mkdir()
    (staging.path / "releases" / PROMOTED).mkdir()
    with LocalExecutor(LocalSettings(str(tree.path), str(tree.prefix), "/usr/bin/python3", "nobody")) as executor:
        with pytest.raises(PhaseFailed) as caught:
            executor.run("promote", {"source": str(tree.prefix), "release": PROMOTED})
        missing = f"release {PROMOTED} does not exist: name one of {tree.prefix}/releases"
        assert str(caught.value).startswith(missing)  # it has no manifest
        (staging.path / "releases" / PROMOTED / "manifest.json").write_text(
            json.dumps({"id": PROMOTED, "prefix": str(tree.prefix), "entries": [], "defaults": {}})
        )
        promoted = executor.run("promote", {"source": str(tree.prefix), "release": PROMOTED})
    assert promoted["release"] == PROMOTED
    assert (tree.path / "releases" / f".new-{PROMOTED}" / "manifest.json").is_file()


@pytest.mark.parametrize("release", [None, RELEASE], ids=["tree", "release"])
def test_folders_that_are_links(tree: Software, release: str | None) -> None:
    """Sources, and what EasyBuild installed before, may be elsewhere. The rest of the tree may not."""
    for name in ("sources", "software"):
        (tree.path / name).symlink_to("/srv")
    event = observe(tree, [], release=release, **BUILD_USER)
    assert event["event"] == "result", event
    for name in ("store", "releases", "locks"):
        (tree.path / name).rename(tree.path / "elsewhere")
        (tree.path / name).symlink_to("elsewhere")
        for mount in (True, False):
            place = {} if mount else {"mount": False, "prefix": str(tree.path)}
            event = observe(tree, [], **{"release": release, **BUILD_USER, **place})
            assert (event["event"], event["kind"]) == ("error", "rejected")
            assert event["message"].startswith(
                f"{tree.path}/{name} is a symbolic link or a file: make it a directory, "
            )
        (tree.path / name).unlink()
        (tree.path / "elsewhere").rename(tree.path / name)


def test_without_the_right_to_mount_the_reason_is_said(tree: Software) -> None:
    event = observe(tree, ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"])
    assert (event["event"], event["kind"]) == ("error", "rejected")
    assert event["message"] == (
        "this host does not let root show the tree at its prefix (unshare: Operation not permitted): run the task outside of "
        "the container, or give it CAP_SYS_ADMIN, or mount the tree at the prefix itself"
    )


def test_a_phase_ends_with_the_module_that_started_it(tree: Software) -> None:
    asked = {
        "path": str(tree.path),
        "prefix": str(tree.prefix),
        "release": None,
        "mount": True,
        "uid": None,
        "parent": 1,
    }
    answer = subprocess.run(
        ["/usr/bin/python3", "-m", f"{PACKAGE}.mounted_view", json.dumps(asked), "observe"],
        input="{}",
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tree.folder)},
    )
    assert json.loads(answer.stdout)["message"] == "the module that started the phase has ended: run it again"
    assert Path(tree.prefix).is_dir()


def test_root_runs_nothing_from_the_home_of_the_build_user(tree: Software) -> None:
    """Python runs what `.pth` files in the home of its user say, and the first one is still root."""
    python, home = "/usr/bin/python3", tree.folder / "home"
    code = "import site; print(site.getusersitepackages())"
    found = subprocess.run([python, "-c", code], env={"HOME": str(home)}, capture_output=True, text=True, check=True)
    packages, trace = Path(found.stdout.strip()), tree.folder / "trace"
    packages.mkdir(parents=True)
    (packages / "build_user.pth").write_text(f"import os; open({str(trace)!r}, 'a').write(str(os.getuid()))\n")
    with LocalExecutor(LocalSettings(str(tree.path), str(tree.prefix), python, "nobody")) as executor:
        executor.account = pwd.struct_passwd([*NOBODY[:5], str(home), NOBODY.pw_shell])
        assert executor.run("observe", {})["current"] is None
    assert not trace.exists()
