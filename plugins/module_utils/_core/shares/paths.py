# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Syntax of paths, and which paths may hold a share's data or be its mount path."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Sequence
from typing import Optional

from ..validation import quoted


def absolute_error(path: str, example: str) -> Optional[str]:
    """Return what is wrong with a path that must be absolute and normalised, as a clause; None when it is valid."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return f"{quoted(path)} contains a control character: remove it"
    if not path.startswith("/"):
        return f"{quoted(path)} is not absolute: write it from the root, such as {example}"
    if ".." in path.split("/"):
        return f"{quoted(path)} contains `..`: write the path without it"
    plain = normalised(path)
    if path != plain:
        return f"{quoted(path)} is not in its shortest form: write {plain}"
    return None


def relative_error(path: str) -> Optional[str]:
    """Return what is wrong with a path that must lie below another one, as a clause; None when it is valid."""
    if not path or path == ".":
        return f"{quoted(path)} names no directory: write one, such as a/b"
    if path.startswith("/"):
        return f"{quoted(path)} is absolute: write it relative to the share"
    wrong = absolute_error("/" + path, "a/b")
    if wrong is None:
        return None
    if ".." in path.split("/"):
        return f"{quoted(path)} contains `..`, which leads out of the share: write the path without it"
    if "control character" in wrong:
        return f"{quoted(path)} contains a control character: remove it"
    return f"{quoted(path)} is not in its shortest form: write {normalised('/' + path)[1:]}"


def place_errors(home: str, roots: Sequence[str]) -> list[str]:
    """Return what is wrong with the places for mount paths: `home`, where servers mount the home, and the other `roots`."""
    error = absolute_error(home, "/opt/app-root/src")
    if home == "/":
        error = "the home cannot be the root of the file system: set the path where it is mounted"
    errors = [f"home_path: {error}"] if error else []
    return errors + [
        f"mount_roots: {error}" for error in (absolute_error(root, "/mnt/shares") for root in roots) if error
    ]


def normalised(path: str) -> str:
    """Return a path without doubled or trailing slashes and without ``.`` (posixpath keeps a doubled slash at the start)."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path)


def is_inside(path: str, other: str) -> bool:
    """Return whether a normalised absolute path is the other one, or lies below it."""
    return path == other or other == "/" or path.startswith(other + "/")


#: Folders of a node that belong to the node: whoever mounts one of them, or a parent, controls the node or all its pods.
_SYSTEM = (
    *(
        "/bin",
        "/boot",
        "/dev",
        "/efi",
        "/etc",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/proc",
        "/root",
        "/run",
        "/sbin",
    ),
    *("/sys", "/usr", "/var/lib/containerd", "/var/lock", "/var/log", "/var/run", "/var/spool"),
    # Image-based systems: Fedora CoreOS and RHEL CoreOS (OpenShift), Flatcar, Talos, k3OS.
    *("/ostree", "/sysroot", "/var/roothome", "/var/usrlocal", "/oem", "/system", "/k3os"),
    # Their administrator, who logs in with the keys there.
    "/home/core",
    # Storage of the cluster itself, which has the data of everybody.
    *("/var/lib/ceph", "/var/lib/longhorn", "/var/lib/rook", "/var/openebs"),
    # Kubernetes, its distributions, container runtimes and networks.
    *(
        "/opt/cni",
        "/opt/rke",
        "/opt/rke2",
        "/snap",
        "/var/snap",
        "/var/db",
        "/var/lib/calico",
        "/var/lib/cilium",
        "/var/lib/cni",
    ),
    *("/var/lib/containers", "/var/lib/crio", "/var/lib/docker", "/var/lib/etcd", "/var/lib/k0s"),
    *("/var/lib/kube-proxy", "/var/lib/kubelet", "/var/lib/kubernetes", "/var/lib/machines", "/var/lib/microk8s"),
    *("/var/lib/microshift", "/var/lib/microshift-backups"),
    *(
        "/var/lib/minikube",
        "/var/lib/openvswitch",
        "/var/lib/origin",
        "/var/lib/ovn",
        "/var/lib/ovn-ic",
        "/var/lib/rancher",
    ),
    *("/var/lib/NetworkManager", "/var/lib/cloud", "/var/lib/dbus", "/var/lib/rpm", "/var/lib/snapd", "/var/lib/sss"),
    *("/var/lib/iscsi", "/var/lib/nfs", "/var/lib/private", "/var/lib/selinux", "/var/lib/systemd"),
    "/nix",
)
#: Folders that are links into /var on image-based systems.
_IN_VAR = ("/home", "/opt")


def system_path_error(path: str) -> Optional[str]:
    """Return why a normalised path of a node cannot be a share, as a clause with the way out; None when it can."""
    moved = tuple("/var" + own for own in _SYSTEM if own.startswith(_IN_VAR))
    for own in (*_SYSTEM, *moved) if path.startswith("/") else ():
        if is_inside(path, own) or is_inside(own, path):
            where = "is" if path == own else "lies in" if is_inside(path, own) else "contains"
            return f"{path} {where} {own}, which belongs to the node: give the share a folder of its own, such as /srv/NAME"
    return None


def mount_path_error(path: str, home: str, roots: Sequence[str]) -> Optional[str]:
    """Return why nothing may be mounted at a path, as a clause with the way out; None when it may.

    ``home`` and ``roots`` are normalised. Shares are usually mounted below the home, where the file browser shows them.
    """
    error = absolute_error(path, f"{home}/NAME")
    if error:
        return error
    if ":" in path:
        return f"{quoted(path)} contains a colon, which Kubernetes does not allow in mount paths: remove it"
    if is_inside(home, path):
        what = "is the home itself" if path == home else f"is above the home {home}"
        return f"{path} {what}, which the share would hide: mount it below, such as at {home}/NAME"
    if not any(is_inside(path, root) for root in (home, *roots)):
        allowed = ", ".join((home, *roots))
        return (
            f"{path} is under none of the allowed roots ({allowed}): mount it there, or add its root to `mount_roots`"
        )
    if path in roots:
        return f"{path} is a mount root itself, so the share would hide everything else mounted there: mount it below"
    return None
