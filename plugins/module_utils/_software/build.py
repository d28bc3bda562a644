# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `build`: EasyBuild builds one entry into the store.

The modulefiles of its dependencies come from the store. An installation counts once its `entry.json` exists, which is
written last.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from typing import Any, Callable

from .easybuild_session import arguments, environment, new_scratch, reject_root
from .entry_hash import file_digest
from .errors import FAILED, PhaseError
from .installation import content, make_read_only, remove
from .resolve import operating_system
from .store_naming_scheme import VARIABLE
from .tree_layout import ENTRY_FOLDER, TreeLayout

Emit = Callable[[dict[str, Any]], None]

#: What EasyBuild prints when a step starts.
_STEP = re.compile(r"^== (?P<step>[a-z][^\n]*?)\.\.\.(?: \[DRY RUN\])?$")
_LAST_LINES = 20


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Build the entry of a request. Return its `entry.json`."""
    reject_root()
    tree, entry = TreeLayout(request["prefix"]), request["entry"]
    folder = tree.installation(entry["path"])
    scratch = new_scratch(request)
    try:
        os.makedirs(tree.easybuild_locks, exist_ok=True)
        remove(folder)
        _show_dependencies(tree, request)
        _run_easybuild(request, scratch, emit)
        return {"entry": _complete(tree, request)}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _show_dependencies(tree: TreeLayout, request: dict[str, Any]) -> None:
    """Copy the modulefiles of the store entries that the entry needs to the module path of the run."""
    modules = os.path.join(tree.work_modules(request["run"]), "all")
    os.makedirs(modules, exist_ok=True)
    for needed in request.get("store") or []:
        target = os.path.join(modules, needed["module"] + ".lua")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(tree.entry_modulefile(needed["path"]), target)


def _run_easybuild(request: dict[str, Any], scratch: str, emit: Emit) -> None:
    tree, entry = TreeLayout(request["prefix"]), request["entry"]
    paths = {item["module"]: item["path"] for item in [*(request.get("store") or []), entry]}
    modules = tree.work_modules(request["run"])
    os.makedirs(tree.logs(request["run"]), exist_ok=True)
    log = os.path.join(tree.logs(request["run"]), entry["module"].replace("/", "-") + ".log")
    command = [sys.executable, "-m", "easybuild.main", *arguments(request, scratch, modules)]
    if request.get("jobs"):
        command.append(f"--parallel={request['jobs']}")
    command.append(entry["easyconfig_path"])
    last: list[str] = []
    step, began = "start", time.monotonic()
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment(request, scratch), VARIABLE: json.dumps(paths)},
            cwd=scratch,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        for line in process.stdout:
            output.write(line)
            output.flush()
            last = [*last, line.rstrip()][-_LAST_LINES:]
            match = _STEP.match(line)
            if match:
                step = match["step"]
                emit({"entry": entry["module"], "step": step, "elapsed": round(time.monotonic() - began, 1)})
        code = process.wait()
    if code:
        details = {"exit_code": code, "step": step, "log": log, "last_lines": last}
        raise PhaseError(f"{entry['module']}: EasyBuild failed with exit code {code} (log: {log})", FAILED, details)


def _complete(tree: TreeLayout, request: dict[str, Any]) -> dict[str, Any]:
    """Make the installation immutable and write its entry."""
    entry = request["entry"]
    folder = tree.installation(entry["path"])
    ours = os.path.join(folder, ENTRY_FOLDER)
    os.makedirs(ours, exist_ok=True)
    modulefile = tree.entry_modulefile(entry["path"])
    shutil.copyfile(os.path.join(tree.work_modules(request["run"]), "all", entry["module"] + ".lua"), modulefile)
    make_read_only(folder)
    digest, size, files = content(folder)
    written = {
        "schema": 1,
        **{key: entry[key] for key in ("module", "name", "version", "hash", "path", "easyconfig", "inputs")},
        "toolchain": entry["inputs"]["toolchain"],
        "dependencies": entry["inputs"]["dependencies"],
        "build_dependencies": entry["inputs"]["build_dependencies"],
        "easybuild": entry["inputs"]["easybuild"],
        "modulefile_digest": file_digest(modulefile),
        "digest": digest,
        "size": size,
        "files": files,
        "built_at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "built_on": {"host": socket.gethostname(), "architecture": platform.machine(), "os": operating_system()},
    }
    target = tree.entry_file(entry["path"])
    with open(target + ".new", "w", encoding="utf-8") as file:
        json.dump(written, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(target + ".new", 0o444)
    os.chmod(modulefile, 0o444)
    os.chmod(folder, 0o555)
    os.rename(target + ".new", target)
    os.chmod(ours, 0o555)
    return written
