"""Mount points on a real node: the init container renames what is in the way, and the kubelet's error becomes a sentence."""

from __future__ import annotations

import os

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import Mount
from ansible_collections.odh.persistency.plugins.module_utils._hub.mount_points import with_mount_points
from ansible_collections.odh.persistency.plugins.module_utils._hub.pod_rewriting import with_shares
from ansible_collections.odh.persistency.plugins.module_utils._hub.progress_page import failures, notes

from testbed.node import images
from tests.support.cluster import wait_for
from tests.support.node import *  # noqa: F403
from tests.support.node import Pods, host_path_claim

HOME = "/home/jovyan"
SHARE = Mount("papers", "papers", f"{HOME}/papers", "ro", None)
NASTY = Mount("nasty", "nasty", f"{HOME}/a b/$(HOSTNAME) `id` '\"{{x}}", "ro", None)
READ = f"cat {HOME}/papers/hello && ls {HOME}"


@pytest.fixture
def claims(cluster, namespace, tmp_path):
    """A home that belongs to the user, and two shares."""
    tmp_path.chmod(0o755)
    for name in ("home", "papers", "nasty"):
        (tmp_path / name).mkdir()
        host_path_claim(cluster, namespace, name, tmp_path / name)
    os.chown(tmp_path / "home", 1000, 100)
    (tmp_path / "papers" / "hello").write_text("from the share\n")
    yield tmp_path
    for name in ("home", "papers", "nasty"):
        cluster.delete("persistentvolumes", f"{namespace}-{name}")


def server(mounts, init):
    main = {
        "name": "notebook",
        "image": images.NOTEBOOK,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", READ],
        "securityContext": {"runAsUser": 1000, "runAsGroup": 100, "allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "home", "mountPath": HOME}],
    }
    home = {"name": "home", "persistentVolumeClaim": {"claimName": "home"}}
    spec = with_shares({"restartPolicy": "Never", "containers": [main], "volumes": [home]}, mounts)
    return with_mount_points(spec, mounts, HOME) if init else spec


def test_a_file_and_a_symlink_in_the_way_are_renamed_by_the_user(cluster, namespace, node, claims):
    home, pods = claims / "home", Pods(cluster, namespace)
    (home / "papers").write_text("mine\n")
    (home / "a b").symlink_to("/etc")
    cluster.create("pods", {"metadata": {"name": "x"}, "spec": server([SHARE, NASTY], True)}, namespace)
    pods.wait("x", "Succeeded")
    assert pods.kubectl("logs", "x", "-c", "notebook").startswith("from the share\n")
    assert (home / "papers.before-share").read_text() == "mine\n"
    assert os.readlink(home / "a b.before-share") == "/etc"
    assert (home / NASTY.path[len(HOME) + 1 :]).is_dir()
    assert (home / "papers").stat().st_uid == 1000
    assert notes(cluster.get("pods", "x", namespace), 2) == [
        f"{HOME}/papers is now {HOME}/papers.before-share, because a share is mounted there.",
        f"{HOME}/a b is now {HOME}/a b.before-share, because a share is mounted there.",
    ]


def test_without_it_the_error_of_the_kubelet_becomes_one_sentence(cluster, namespace, node, claims):
    (claims / "home" / "papers").write_text("mine\n")
    cluster.create("pods", {"metadata": {"name": "x"}, "spec": server([SHARE], False)}, namespace)

    def explained():
        events = [event for event in cluster.list("events", namespace) if event["reason"] == "Failed"]
        return [sentence for event in events for sentence in failures(event["message"], [SHARE])]

    sentences = wait_for(explained, "the kubelet reports the file", within=60)
    assert sentences[0] == (
        f"The share papers cannot be mounted, because {HOME}/papers is a file in your home. "
        "Ask the administrator of this hub to rename it."
    )
    assert (claims / "home" / "papers").read_text() == "mine\n"
