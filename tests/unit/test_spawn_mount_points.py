"""Mount points in the home: the init container, its script in a real shell, and the sentences of the progress page."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import Mount
from ansible_collections.odh.persistency.plugins.module_utils._hub.mount_points import SCRIPT, with_mount_points
from ansible_collections.odh.persistency.plugins.module_utils._hub.pod_rewriting import with_shares
from ansible_collections.odh.persistency.plugins.module_utils._hub.progress_page import (
    explain_progress,
    failures,
    notes,
    notes_of_init_container,
    remember_mounts,
)
from hypothesis import given, settings
from hypothesis import strategies as st

HOME = "/home/jovyan"


def share(path):
    return Mount("papers", "papers", path, "ro", None)


def pod(**more):
    main = {
        "name": "notebook",
        "image": "lab:1",
        "imagePullPolicy": "Never",
        "securityContext": {"runAsUser": 1000},
        "volumeMounts": [{"name": "home", "mountPath": HOME, "subPath": "ann"}, {"name": "tmp", "mountPath": "/tmp"}],
        **more,
    }
    return {"containers": [main], "initContainers": [{"name": "first"}]}


def init_containers(spec, *paths):
    mounts = [share(path) for path in paths]
    return with_mount_points(with_shares(spec, mounts), mounts, HOME)["initContainers"]


def test_the_init_container_is_the_last_one_and_runs_as_the_server_does():
    first, ours = init_containers(pod(), f"{HOME}/papers", "/data/x")
    assert first == {"name": "first"}
    assert ours["image"] == "lab:1"
    assert ours["imagePullPolicy"] == "Never"
    assert ours["securityContext"] == {"runAsUser": 1000}
    assert ours["volumeMounts"] == [{"name": "home", "mountPath": HOME, "subPath": "ann"}]
    assert ours["command"][3:] == ["odh-mount-points", HOME, f"{HOME}/papers"]
    assert "env" not in ours


def test_kubernetes_expands_nothing_in_a_path():
    (_first, ours) = init_containers(pod(), f"{HOME}/$(HOSTNAME) $$x")
    assert ours["command"][-1] == f"{HOME}/$$(HOSTNAME) $$$$x"
    assert ours["command"][2] == SCRIPT.replace("$", "$$")


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (pod(), "/data/papers"),
        (pod(volumeMounts=[{"name": "home", "mountPath": HOME, "readOnly": True}]), f"{HOME}/papers"),
        (pod(volumeMounts=[]), f"{HOME}/papers"),
        (
            pod(volumeMounts=[{"name": "h", "mountPath": HOME}, {"name": "o", "mountPath": f"{HOME}/o/"}]),
            f"{HOME}/o/papers",
        ),
    ],
)
def test_nothing_is_created_where_the_home_is_not_the_users_to_write(spec, path):
    assert init_containers(spec, path) == [{"name": "first"}]


def test_the_name_is_ours():
    spec = {**pod(), "initContainers": [{"name": "odh-mount-points", "image": "evil"}]}
    (ours,) = init_containers(spec, f"{HOME}/papers")
    assert ours["image"] == "lab:1"
    assert init_containers(spec) == []


def run(folder, *names):
    command = ["/bin/sh", "-c", SCRIPT, "x", str(folder), *(f"{folder}/{name}" for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=folder)
    assert done.returncode == 0, done
    return done.stdout


def test_files_and_symlinks_in_the_way_are_renamed_and_nothing_is_overwritten(tmp_path):
    (tmp_path / "papers").write_text("mine")
    (tmp_path / "papers.before-share").write_text("older")
    (tmp_path / "papers.before-share-2").symlink_to("nowhere")
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    said = run(tmp_path, "papers", "link/deeper", "kept", "new/one/two")
    assert (tmp_path / "papers.before-share").read_text() == "older"
    assert (tmp_path / "papers.before-share-3").read_text() == "mine"
    assert os.readlink(tmp_path / "link.before-share") == "/etc"
    assert all((tmp_path / name).is_dir() for name in ("papers", "link/deeper", "kept", "new/one/two"))
    assert (tmp_path / "kept" / "file").read_text() == "x"
    assert f"{tmp_path}/papers is now {tmp_path}/papers.before-share-3, because a share is mounted there." in said
    assert not (tmp_path / "link").is_symlink()
    before = sorted(tmp_path.rglob("*"))
    assert "is now" not in run(tmp_path, "papers", "link/deeper", "kept", "new/one/two")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs a user who is not root")
def test_a_home_that_cannot_be_written_is_reported_and_the_rest_is_tried():
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        for name, mode in (("closed", 0o555), ("open", 0o777)):
            (folder / name).mkdir()
            (folder / name).chmod(mode)
        user = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        paths = [f"{made}/closed/a", f"{made}/open/b"]
        done = subprocess.run([*user, "/bin/sh", "-c", SCRIPT, "x", made, *paths], capture_output=True, text=True)
        assert done.returncode == 0
        assert f"The mount point {made}/closed/a cannot be created." in done.stdout
        assert (folder / "open" / "b").is_dir()


NAMES = st.text(
    st.characters(exclude_characters="/:", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@settings(max_examples=40, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=3), st.sampled_from(["file", "link", "nothing"]))
def test_no_name_is_interpreted_by_the_shell(names, there):
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if there == "file":
            (folder / names[0]).write_text("x")
        elif there == "link":
            (folder / names[0]).symlink_to("/")
        run(folder, "/".join(names))
        assert folder.joinpath(*names).is_dir()
        others = {path.name for path in folder.iterdir()} - {names[0]}
        assert others == (set() if there == "nothing" else {f"{names[0]}.before-share"})


# --- The progress page ----------------------------------------------------------------------------------------------------

RUNC = (
    "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    'unable to start container process: error during container init: error mounting "/var/lib/kubelet/pods/x/volumes/v" to '
    'rootfs at "/home/jovyan/papers": mount src=/var, dst=/home/jovyan/papers (via /proc/self/fd/6), flags=0x5000: '
)


def test_the_errors_of_the_container_runtime_become_one_sentence():
    mounts = [share(f"{HOME}/papers"), Mount("other", "o", f"{HOME}/paper", "ro", None)]
    assert failures(RUNC + "not a directory", mounts) == [
        "The share papers cannot be mounted, because /home/jovyan/papers is a file in your home. "
        "Ask the administrator of this hub to rename it."
    ]
    assert failures(RUNC + "permission denied", mounts) == [
        "The share papers cannot be mounted, because the folder /home/jovyan/papers cannot be created in your home. "
        "Ask the administrator of this hub."
    ]
    assert failures("Started container notebook", mounts) == []
    assert failures("Mounts shares: papers (read only)", mounts) == []


def test_the_progress_page_explains_each_thing_once():
    async def progress():
        for message in ("Scheduled", RUNC + "not a directory", RUNC + "not a directory", "Started"):
            yield {"progress": 50, "message": message}

    status = {"name": "odh-mount-points", "state": {"terminated": {"message": "a is now b\n"}}}
    running = {"status": {"initContainerStatuses": [{"name": "other", "state": None}, status]}}
    reflector = SimpleNamespace(pods={"ns/p": running})
    spawner = SimpleNamespace(progress=progress, pod_reflector=reflector, namespace="ns", pod_name="p")
    explain_progress(spawner)
    explain_progress(spawner)
    remember_mounts(spawner, [share(f"{HOME}/papers")])

    async def shown():
        return [entry["message"] async for entry in spawner.progress()]

    messages = asyncio.run(shown())
    assert [message for message in messages if message != RUNC + "not a directory"] == [
        "Scheduled",
        "a is now b",
        "The share papers cannot be mounted, because /home/jovyan/papers is a file in your home. "
        "Ask the administrator of this hub to rename it.",
        "Started",
    ]
    assert notes({}, 5) == []


def test_an_event_with_a_sentence_that_is_on_the_page_is_not_shown_again():
    async def progress():
        for message in ("Scheduled", "2026-11-29 [Warning] a is now b", "Started"):
            yield {"progress": 50, "message": message}

    status = {"name": "odh-mount-points", "state": {"terminated": {"message": "a is now b\n"}}}
    reflector = SimpleNamespace(pods={"ns/p": {"status": {"initContainerStatuses": [status]}}})
    spawner = SimpleNamespace(progress=progress, pod_reflector=reflector, namespace="ns", pod_name="p")
    remember_mounts(spawner, [share(f"{HOME}/papers")])
    explain_progress(spawner)

    async def shown():
        return [entry["message"] async for entry in spawner.progress()]

    assert asyncio.run(shown()) == ["Scheduled", "a is now b", "Started"]


def test_an_image_cannot_flood_the_hub_with_notes():
    text = "a\n\na\n\x1b[2J\tb\n" + "x" * 2000 + "\nd\n" * 500
    status = {"name": "odh-mount-points", "state": {"terminated": {"message": text}}}
    pod = {"status": {"initContainerStatuses": [status]}}
    assert notes(pod, 3) == ["a", "?[2J?b", "x" * 500 + "..."]
    assert len(notes(pod, 200)) < 10


def test_the_notes_are_those_of_this_start():
    def pod(uid, state):
        return {
            "metadata": {"uid": uid},
            "status": {"initContainerStatuses": [{"name": "odh-mount-points", "state": state}]},
        }

    ended = {"terminated": {"message": "a is now b\n"}}
    seen = [pod("old", ended), None, pod("new", {"waiting": {}}), pod("new", {"running": {}}), pod("new", ended)]
    reflector = SimpleNamespace(pods={})
    spawner = SimpleNamespace(start_timeout=60, pod_reflector=reflector, namespace="ns", pod_name="p")
    remember_mounts(spawner, [share(f"{HOME}/papers")])

    async def sleep(_seconds):
        reflector.pods = {"ns/p": seen.pop(0)} if seen else {}

    assert asyncio.run(notes_of_init_container(spawner, "old", sleep)) == ["a is now b"]
    assert seen == []
    # It ends when the start is given up.
    assert asyncio.run(notes_of_init_container(spawner, "old", sleep)) == []
