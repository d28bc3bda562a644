# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a build failed, as one sentence: EasyBuild's exit codes and its own reason."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .errors import FAILED, NO_SPACE, REJECTED, PhaseError

#: What EasyBuild's exit codes mean to who maintains the stack, and the way out.
MEANINGS: Mapping[int, tuple[str, str]] = {
    2: ("EasyBuild rejects an option", "correct `easybuild_options` or the `options` of the entry"),
    4: ("an easyconfig is missing", "add its folder to `robot_paths`"),
    5: ("the easyconfig has an error", "correct it"),
    6: ("EasyBuild has no easyblock for it", "add the easyblock with `include-easyblocks`, or name another one"),
    7: ("the easyblock has an error", "use another version of EasyBuild, or correct the easyblock"),
    8: ("a module cannot be loaded", "load the modules of the store by hand to see why"),
    10: ("fetching the sources failed", "put them into `source_paths`"),
    16: ("compiling failed", "see the last lines of the log"),
    17: ("its own tests failed", "see the last lines of the log"),
    19: ("an extension failed", "see the last lines of the log"),
    22: ("the sanity check failed", "correct `sanity_check_paths` or `sanity_check_commands`, or the build"),
    30: ("a source is missing", "put it into `source_paths`"),
    31: ("a dependency is missing", "add its easyconfig to `robot_paths`"),
    32: ("a package of the operating system is missing", "install it on the host that builds"),
    33: ("a program that EasyBuild needs is missing", "install it on the host that builds"),
    41: ("a source is missing and cannot be downloaded", "put it into `source_paths`"),
    42: (
        "a checksum is wrong",
        "replace the file, or correct the easyconfig if upstream changed the file for a reason",
    ),
    43: ("a source cannot be unpacked", "replace it, or install the program that unpacks it"),
    44: ("a patch does not apply", "correct it, or the version"),
    45: ("the sanity check failed", "correct `sanity_check_paths` or `sanity_check_commands`, or the build"),
    46: ("the modulefile cannot be written", "check the owner and the free space of the tree"),
}
_OTHER = ("EasyBuild failed", "see the log")
#: Exit codes whose reason lies outside of what the hash of an entry covers: modules, sources, the host, the tree.
_OUTSIDE = frozenset({8, 10, 30, 32, 33, 41, 42, 43, 46})

_REASON = re.compile(
    r"^ERROR: (?:Installation of \S+ failed: |Build of \S+ failed.*?: )?(?P<reason>\S.*)$", re.MULTILINE
)
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
#: EIO, EACCES, EROFS and ESTALE of EasyBuild itself: the tree or a folder, and not the software.
_FILE_SYSTEM = re.compile(r"\[Errno (?:5|13|30|116)\]")
_LAST_LINES = 15
_TAIL = 1 << 16
#: The longest reason of EasyBuild's that a message quotes.
_LONGEST = 300


class Logs(NamedTuple):
    """The logs of a build: its output, and EasyBuild's own, "" without. `places` are the folders that it writes to."""

    output: str
    debug: str
    places: tuple[str, ...]


def build_error(module: str, code: int, step: str, logs: Logs) -> PhaseError:
    """Return the error of a build that ended with an exit code, or with a signal (negative)."""
    text = _tail(logs.output)
    details = {
        "exit_code": code,
        "step": step,
        "log": logs.output,
        "debug_log": logs.debug,
        "last_lines": text.splitlines()[-_LAST_LINES:],
        # Whether another attempt fails in the same way.
        "lasting": code > 0 and code not in _OUTSIDE and not _FILE_SYSTEM.search(text),
    }
    if _FULL.search(text) or _FULL.search(_tail(logs.debug)):
        return disk_full(module, logs.places, details)
    if code < 0:
        message = f"EasyBuild was ended by signal {-code} in the step {step!r}: run again"
        return PhaseError(f"{module}: {message} (log: {logs.output})", FAILED, details)
    meaning, way_out = MEANINGS.get(code, _OTHER)
    reasons = _REASON.findall(text)
    reason = f" ({_shortened(reasons[-1])})" if reasons else f" in the step {step!r} with exit code {code}"
    return PhaseError(f"{module}: {meaning}{reason}: {way_out} (log: {logs.output})", FAILED, details)


def disk_full(module: str, places: Iterable[str], details: Mapping[str, Any]) -> PhaseError:
    """Return the error of a build for which a file system is full: of the folders that it writes to, the fullest."""
    place = min(places, key=_free)
    return PhaseError(
        f"{module}: the file system of {place} is full: free some space, or raise its quota, and run again",
        NO_SPACE,
        {**details, "path": place, "lasting": False},
    )


def reject_missing_sources(entry: Mapping[str, Any]) -> None:
    """Raise PhaseError if a source or patch of an entry is missing or wrong."""
    problems = source_problems([entry])
    if problems:
        raise PhaseError(f"{entry['module']}: {'; '.join(problems)}", REJECTED, {"sources": entry["sources"]})


def source_problems(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a clause for each source or patch of entries that is missing or has another checksum."""
    found = []
    for entry in entries:
        for source in entry.get("sources") or []:
            expected = f"SHA256 {source['sha256']}" if source.get("sha256") else "no checksum in the easyconfig"
            if not source.get("found"):
                found.append(f"{source['file']} is missing ({expected}): put it into `source_paths`")
            elif source.get("valid") is False:
                found.append(
                    f"{source['found']} has another checksum than the easyconfig says ({expected}): replace it"
                )
    return found


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _LONGEST else reason[:_LONGEST] + "..."


def _tail(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _free(path: str) -> int:
    try:
        status = os.statvfs(path)
    except OSError:
        return 1 << 62
    return status.f_bavail * status.f_frsize
