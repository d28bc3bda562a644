# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collections that the stack declares restore in a new server."""

from __future__ import annotations

import tempfile

from .processes import describe, lmod_error, run_limited, server_environment
from .subject import Failure, Subject

CHECK = "collections"

#: Loads modules, saves them as collection $1, and restores it in an environment without modules.
_SCRIPT = r"""
name=$1
shift
(
  eval "$("$LMOD_CMD" bash load "$@" 2>error)" || exit 11
  eval "$("$LMOD_CMD" bash save "$name" 2>error)" || exit 12
) || exit
eval "$("$LMOD_CMD" bash restore "$name" 2>error)" || exit 13
printf '%s' "${LOADEDMODULES-}" >loaded
"""
_STEPS = {11: "does not load", 12: "cannot be saved", 13: "does not restore"}


def check(subject: Subject, name: str) -> list[Failure]:
    """Save and restore a collection."""
    modules = subject.manifest["collections"][name]
    missing = sorted(set(modules) - {entry["module"] for entry in subject.manifest["entries"]})
    if missing:
        return [Failure(missing[0], CHECK, f"collection {name} needs it, but the release does not have it")]
    with tempfile.TemporaryDirectory(prefix="gate-") as home:
        command = ["bash", "--noprofile", "--norc", "-c", _SCRIPT, "bash", name, *modules]
        ended = run_limited(command, server_environment(subject, home), home, subject.limits.load)
        if ended.status in _STEPS:
            return [Failure("", CHECK, f"collection {name} {_STEPS[ended.status]}: {lmod_error(home + '/error')}")]
        if ended.status != 0:
            return [Failure("", CHECK, f"the restoration of collection {name} {describe(ended, subject.limits.load)}")]
        with open(f"{home}/loaded", encoding="utf-8", errors="replace") as file:
            loaded = file.read().split(":")
    return [
        Failure(module, CHECK, f"collection {name} restores without it") for module in modules if module not in loaded
    ]
