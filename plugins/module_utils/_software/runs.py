# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs left in `locks/work`: the logs of their builds, and which of them failed."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any

from .clock import rfc3339
from .errors import REJECTED, PhaseError
from .files import as_json, make_folders, read_json, replace_file
from .shapes import is_failure
from .tree_layout import TreeLayout

#: The name of a run.
RUN = re.compile(r"[A-Za-z0-9_-]+\Z")


def list_runs(tree: TreeLayout) -> list[dict[str, str]]:
    """Return the runs that left something, and when they ended, which is when their last log file was made."""
    folder = tree.work("")
    if not os.path.isdir(folder):
        return []
    return [{"run": run, "ended": rfc3339(_ended(tree, run))} for run in sorted(os.listdir(folder)) if RUN.match(run)]


def note_failure(tree: TreeLayout, run: str, entry: dict[str, Any], error: PhaseError) -> None:
    """Write down that a build failed, so that no run tries the same again. A full disk does not hide the error itself."""
    failed = {
        "module": entry["module"],
        "hash": entry["hash"],
        "reason": error.message,
        "log": error.details.get("log"),
    }
    folder = tree.failures(run)
    with contextlib.suppress(OSError):
        make_folders(folder)
        replace_file(os.path.join(folder, f"{entry['hash']}.json"), as_json(failed))


def list_failures(tree: TreeLayout) -> list[dict[str, Any]]:
    """Return the builds that failed and whose logs are still there."""
    found = []
    for run in list_runs(tree):
        folder = tree.failures(run["run"])
        if os.path.isdir(folder):
            found += [read_json(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]
    return [item for item in found if item is not None and is_failure(item)]


def check_run(run: Any) -> str:
    """Return the name of a run. Raises PhaseError for anything else, such as a path."""
    if not isinstance(run, str) or not RUN.match(run):
        raise PhaseError(f"{run!r} is not a run, as lmod_release_info lists them", REJECTED)
    return run


def _ended(tree: TreeLayout, run: str) -> float:
    folders = [path for path in (tree.work(run), tree.logs(run)) if os.path.isdir(path)]
    return max((os.stat(path).st_mtime for path in folders), default=0.0)
