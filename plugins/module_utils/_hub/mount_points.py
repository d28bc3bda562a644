# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mount points of shares in the home: an init container creates them as the user, where the container runtime cannot.

The container runtime creates a missing mount point as root, which a home on root-squashed NFS forbids. It also fails if a file
has the name, and follows a symlink. The init container runs in the image of the server, so it is POSIX sh and needs no Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .access import Mount
from .pod_rewriting import MOUNT_POINTS_CONTAINER, VOLUME_PREFIX, main_container, mount_path

#: The arguments are the home and the mount points in it. Nothing is written into the script, so nothing can be injected.
SCRIPT = """\
note() {
  printf '%s\\n' "$1"
  printf '%s\\n' "$1" >>/dev/termination-log
}
home=$1
shift
for path do
  at=$home
  rest=${path#"$home"/}
  while [ -n "$rest" ]; do
    at=$at/${rest%%/*}
    case $rest in
      */*) rest=${rest#*/} ;;
      *) rest= ;;
    esac
    if [ -L "$at" ] || { [ -e "$at" ] && [ ! -d "$at" ]; }; then
      free=$at.before-share
      number=1
      while [ -e "$free" ] || [ -L "$free" ]; do
        number=$((number + 1))
        free=$at.before-share-$number
      done
      if mv -- "$at" "$free"; then
        note "$at is now $free, because a share is mounted there."
      fi
    fi
    if [ ! -d "$at" ] && ! mkdir -- "$at"; then
      note "The mount point $at cannot be created."
      break
    fi
  done
done 2>&1
exit 0
"""
_RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
#: What the init container has in common with the server, so that it runs as the user in an image that is there anyway.
_COPIED = ("image", "imagePullPolicy", "securityContext")


def with_mount_points(spec: Mapping[str, Any], mounts: Sequence[Mount], home: str) -> dict[str, Any]:
    """Return the pod's spec with an init container, after all others, that creates the mount points of shares in the home.

    Without a share in the home, or a home that can be written, the spec is unchanged.
    """
    others = [entry for entry in spec.get("initContainers") or () if entry.get("name") != MOUNT_POINTS_CONTAINER]
    changed = {**spec, "initContainers": others} if spec.get("initContainers") else dict(spec)
    main = main_container(spec)
    home_mount = _home_mount(main, home)
    paths = [mount.path for mount in mounts if mount.path.startswith(home + "/") and not _is_covered(main, mount, home)]
    if not paths or home_mount is None or home_mount.get("readOnly"):
        return changed
    arguments = ["/bin/sh", "-c", SCRIPT, MOUNT_POINTS_CONTAINER, home, *paths]
    container = {
        "name": MOUNT_POINTS_CONTAINER,
        **{key: main[key] for key in _COPIED if key in main},
        # Kubernetes expands $(NAME) in commands, and replaces $$ by $.
        "command": [argument.replace("$", "$$") for argument in arguments],
        "volumeMounts": [home_mount],
        "resources": _RESOURCES,
    }
    if "subPathExpr" in home_mount:
        container["env"] = main.get("env") or []
    return {**changed, "initContainers": [*others, container]}


def makes_mount_points(spec: Mapping[str, Any]) -> bool:
    """Return whether a pod has our init container."""
    return any(container.get("name") == MOUNT_POINTS_CONTAINER for container in spec.get("initContainers") or ())


def _home_mount(main: Mapping[str, Any], home: str) -> Optional[dict[str, Any]]:
    """Return the mount with the home: the longest path that is the home, or above it."""
    found = [
        mount
        for mount in main.get("volumeMounts") or ()
        if (home + "/").startswith(mount_path(mount).rstrip("/") + "/")
    ]
    longest = max(found, key=lambda mount: len(mount_path(mount)), default=None)
    return None if longest is None else dict(longest)


def _is_covered(main: Mapping[str, Any], share: Mount, home: str) -> bool:
    """Return whether something other than the home is mounted above a share: that is not the user's to change."""
    paths = [mount_path(mount) for mount in main.get("volumeMounts") or () if not _is_share(mount)]
    return any(path.startswith(home + "/") and share.path.startswith(path + "/") for path in paths)


def _is_share(mount: Mapping[str, Any]) -> bool:
    return str(mount.get("name")).startswith(VOLUME_PREFIX)
