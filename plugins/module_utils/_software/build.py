# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `build`: EasyBuild builds one entry into the store.

The modulefiles of its dependencies come from the store. An installation counts once its `entry.json` exists, which is
written last. So whatever ends a build, the next one removes what it left and builds again.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
from typing import Any, Callable

from . import leftovers
from .build_errors import disk_full, reject_missing_sources
from .easybuild_process import EasyBuildProcess
from .easybuild_session import new_scratch, reject_root
from .entry_hash import file_digest
from .errors import FAILED, REJECTED, PhaseError
from .files import READ_ONLY, as_json, make_folders, make_read_only, replace_file, sync_file_system
from .host import architecture, operating_system
from .journal import utc_now
from .locks import hold, renewed
from .releases import reject_damaged
from .runs import note_failure
from .store import check_module, check_store_path, content_of, read_entry
from .tree_layout import ENTRY_FOLDER, TreeLayout

Emit = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Build the entry of a request. Return its `entry.json`."""
    reject_root()
    tree, entry = TreeLayout(request["prefix"]), request["entry"]
    check_module(entry["module"])
    check_store_path(entry["path"])
    if not request.get("download"):
        reject_missing_sources(entry)
    make_folders(tree.easybuild_locks)
    with renewed(tree, request["run"]), hold(_EntryLock(tree.prefix, entry["path"]), request, "build"):
        complete = read_entry(tree, entry["path"])
        if not complete:
            reject_damaged(tree, entry["path"])
            leftovers.remove(tree, entry["path"])
            complete = _build(tree, request, emit)
    return {"entry": complete}


class _EntryLock(TreeLayout):
    """A tree whose lock is that of one entry, because several processes may build for a run."""

    def __init__(self, prefix: str, path: str) -> None:
        super().__init__(prefix)
        self.locks = self.easybuild_locks
        self.run_lock = os.path.join(self.locks, path.replace("/", "_") + ".build")


def _build(tree: TreeLayout, request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    scratch = new_scratch(request)
    try:
        return _build_in(tree, request, scratch, emit)
    except BaseException as error:
        if isinstance(error, PhaseError) and error.details.get("lasting"):
            note_failure(tree, request["run"], request["entry"], error)
        leftovers.remove(tree, request["entry"]["path"])
        raise
    finally:
        leftovers.remove_all(scratch)


def _build_in(tree: TreeLayout, request: dict[str, Any], scratch: str, emit: Emit) -> dict[str, Any]:
    try:
        process = EasyBuildProcess(tree, request, scratch)
        _show_dependencies(tree, request, process.modules)
        process.run(emit)
        return _complete(tree, request["entry"], _modulefile(process.modules, request["entry"]["module"]))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise disk_full(request["entry"]["module"], (tree.store, scratch), {}) from error


def _show_dependencies(tree: TreeLayout, request: dict[str, Any], modules: str) -> None:
    """Copy the modulefiles of the store entries that the entry needs to the module path of its build."""
    for needed in request.get("store") or []:
        if not read_entry(tree, needed["path"]):
            raise PhaseError(
                f"{request['entry']['module']}: the store has no {needed['path']}, which it needs: build that first",
                REJECTED,
            )
        target = _modulefile(modules, needed["module"])
        make_folders(os.path.dirname(target))
        shutil.copyfile(tree.entry_modulefile(needed["path"]), target)


def _modulefile(modules: str, module: str) -> str:
    return os.path.join(modules, "all", module + ".lua")


def _complete(tree: TreeLayout, entry: dict[str, Any], built: str) -> dict[str, Any]:
    """Make the installation immutable and write its entry, last. `built` is the modulefile that EasyBuild wrote."""
    inputs = entry["inputs"]
    folder = tree.installation(entry["path"])
    ours = os.path.join(folder, ENTRY_FOLDER)
    if not os.path.isdir(folder) or not os.path.isfile(built):
        raise PhaseError(f"{entry['module']}: EasyBuild ended without an installation: see its log", FAILED)
    make_folders(ours)
    with open(built, "rb") as file:
        replace_file(tree.entry_modulefile(entry["path"]), file.read(), READ_ONLY)
    make_read_only(folder)
    content = content_of(folder)
    written = {
        "schema": 1,
        **{key: entry[key] for key in ("module", "name", "version", "hash", "path", "easyconfig", "inputs")},
        **{key: inputs[key] for key in ("toolchain", "dependencies", "build_dependencies", "easybuild")},
        **content._asdict(),
        "modulefile_digest": file_digest(tree.entry_modulefile(entry["path"])),
        "built_at": utc_now(),
        "built_on": {"host": socket.gethostname(), "architecture": architecture(), "os": operating_system()},
    }
    os.chmod(ours, 0o755)
    sync_file_system(folder)  # the entry says that the installation is complete, also after a power failure
    replace_file(tree.entry_file(entry["path"]), as_json(written), READ_ONLY)
    os.chmod(ours, 0o555)
    return written
