# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show the tree at its prefix in a mount namespace of this process alone, become the build user, and run a phase.

PYTHON -m odh_persistency_software.mounted_view VIEW PHASE, with the view as JSON, and the request on the standard input.
Root gets a mount namespace. Another user gets a user namespace too, if the host allows that.

The view `tree` is the tree itself. In the view `release`, `current` shows a release that is not published yet, so that
caches and checks see the paths that servers will see.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from typing import Any

from . import phases
from .errors import REJECTED, PhaseError
from .tree_layout import (
    RELEASES,
    SKELETON,
    SOFTWARE,
    SOURCES,
    STAGING_PREFIX,
    TreeLayout,
    not_a_directory,
)

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4

_libc = ctypes.CDLL(None, use_errno=True)


def enter(view: dict[str, Any]) -> None:
    """Make the view, and become the build user. Raises PhaseError if this host does not allow it."""
    uid, gid = os.getuid(), os.getgid()
    if view["mount"]:
        flags = CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER
        _call("unshare", _libc.unshare, flags)
        if uid != 0:
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{uid} {uid} 1")
            _write("/proc/self/gid_map", f"{gid} {gid} 1")
        _mount("none", "/", None, MS_REC | MS_PRIVATE)
        if view.get("source"):
            # Before the tree hides it.
            _mount(view["source"], view["source_at"], None, MS_BIND | MS_REC)
        # Only now: the kernel binds no folder of another namespace.
        folders = _open_folders(view["path"])
        if view["release"] is None:
            _mount(_descriptor_path(folders[""]), view["prefix"], None, MS_BIND | MS_REC)
        else:
            _show_release(view["prefix"], view["release"], folders)
        for descriptor in folders.values():
            os.close(descriptor)
    if view.get("uid") is not None and uid == 0:
        os.setgroups(view["groups"])
        os.setgid(view["gid"])
        os.setuid(view["uid"])
        # So that this user may read what /proc says of the process, as it may of those that it starts itself.
        _call("prctl", _libc.prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
    # After setuid, which clears it: the phase ends with the module, whatever kills the module.
    _call("prctl", _libc.prctl, PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != view["parent"]:
        raise PhaseError("the module that started the phase has ended: run it again")


def _open_folders(path: str) -> dict[str, int]:
    """Return descriptors of the tree and of its folders, which stay usable when something is mounted over them."""
    folders = {}
    for name in ("", *SKELETON, SOURCES, SOFTWARE):
        try:
            folders[name] = os.open(os.path.join(path, name), os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        except NotADirectoryError as error:
            if name in SKELETON:
                raise PhaseError(not_a_directory(path, name), REJECTED) from error
    return folders


def _show_release(prefix: str, release: str, folders: dict[str, int]) -> None:
    """Mount a temporary file system at the prefix, with the tree's folders and a `current` of its own."""
    staging = STAGING_PREFIX + release
    target = staging if staging in os.listdir(_descriptor_path(folders[RELEASES])) else release
    _mount("tmpfs", prefix, "tmpfs", 0, "mode=0755,size=1m")
    for name, descriptor in folders.items():
        if name:
            folder = os.path.join(prefix, name)
            os.mkdir(folder)
            _mount(_descriptor_path(descriptor), folder, None, MS_BIND | MS_REC)
    for name in {SOURCES, SOFTWARE} - folders.keys():
        with contextlib.suppress(OSError):  # it may be a link to elsewhere
            os.symlink(os.readlink(name, dir_fd=folders[""]), os.path.join(prefix, name))
    os.symlink(os.path.join(RELEASES, target), TreeLayout(prefix).current)


def _descriptor_path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    arguments = [source.encode(), target.encode(), kind.encode() if kind else None, flags, options.encode()]
    _call(f"mount at {target}", _libc.mount, *arguments)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise _not_allowed(path, error.strerror or "") from error


def _call(what: str, function: Any, *arguments: Any) -> None:
    if function(*arguments) != 0:
        raise _not_allowed(what, os.strerror(ctypes.get_errno()))


def _not_allowed(what: str, reason: str) -> PhaseError:
    if os.getuid() == 0:
        user, way_out = "root", "run the task outside of the container, or give it CAP_SYS_ADMIN"
    else:
        user, way_out = "an unprivileged user", "run the task as root (`become: true`), or allow user namespaces"
    return PhaseError(
        f"this host does not let {user} show the tree at its prefix ({what}: {reason}): {way_out}, or mount the tree at the "
        "prefix itself",
        REJECTED,
    )


def main(arguments: list[str]) -> None:
    """Enter the view and run the phase."""
    view, phase = json.loads(arguments[0]), arguments[1]
    in_user_namespace = view["mount"] and os.getuid() != 0
    try:
        enter(view)
        if not os.access(sys.executable, os.X_OK):
            raise PhaseError(
                f"the user with the id {os.getuid()} cannot run {sys.executable} (Permission denied): let it read EasyBuild's "
                "environment, for instance in /opt",
                REJECTED,
            )
        if in_user_namespace:
            # Another program, because this one has the capabilities of the namespace.
            os.execv(sys.executable, [sys.executable, "-m", f"{__package__}.phases", phase, "-"])
    except PhaseError as error:
        event = {"event": "error", "message": error.message, "kind": error.kind, "details": error.details}
        sys.stdout.write(json.dumps(event) + "\n")
        raise SystemExit(1) from error
    raise SystemExit(phases.main([phase, "-"]))


if __name__ == "__main__":
    main(sys.argv[1:])
