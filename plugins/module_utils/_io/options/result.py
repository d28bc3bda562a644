# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options about the result, which every module that changes something has."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any, Optional

from ..._core.report.result_size import MAX_CHANGES, shortened, whole_lists

RESULT_SPEC: dict[str, Any] = {
    "max_changes": {"type": "int", "default": MAX_CHANGES},
    "report_file": {"type": "path"},
    # The action plugin makes a report_file of it, because modules do not know the host of the task.
    "report_folder": {"type": "path"},
}


def result_errors(params: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the options, one sentence each."""
    errors = []
    if (params.get("max_changes") or 0) < 0:
        errors.append(f"max_changes: {params['max_changes']} is negative: set 0 or more")
    path = params.get("report_file")
    if path:
        problem = _file_error(path)
        errors += [f"report_file: {problem}"] if problem else []
    return errors


def _file_error(path: str) -> Optional[str]:
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        return f"{path} is a directory: name a file in it"
    if not os.path.isdir(folder):
        return f"the directory {folder} does not exist: create it, or name another file"
    if not os.access(folder, os.W_OK):
        return f"the directory {folder} is not writable: name a file in another directory"
    return None


def limited(params: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result with lists that are not longer than `max_changes`; `report_file` gets the whole lists.

    Raises OSError if the file cannot be written.
    """
    if "max_changes" not in params:
        return dict(result)
    if params.get("report_file") and "changes" in result:
        write_report(params["report_file"], whole_lists(result))
    return shortened(result, params["max_changes"])


def write_report(path: str, data: Mapping[str, Any]) -> None:
    """Replace a file in one step, because a reader must not see half of it."""
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(os.path.abspath(path)), delete=False) as file:
        try:
            # No character that a terminal acts on. JSON escapes all of them but DEL.
            file.write(json.dumps(data, indent=1).replace("\x7f", "\\u007f") + "\n")
            os.chmod(file.name, 0o640)
            file.flush()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
