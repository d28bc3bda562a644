# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module loads alone, and its unload restores the environment.

One shell per module runs Lmod as the shells of a server do, with the environment of a new server. The environment with the
module loaded is what the checks of the kernel and the tests run with.
"""

from __future__ import annotations

import os
import tempfile
from typing import NamedTuple

from .processes import describe, lmod_error, run_limited, server_environment
from .subject import Failure, Subject

LOAD = "load"
UNLOAD = "unload"

#: What Lmod keeps for itself. It stays after an unload.
_OWN = ("_ModuleTable", "__LMOD_", "LMOD_", "_LMFILES_", "LOADEDMODULES")
_SHOWN = 3

#: Loads and unloads the module $1, and writes the environment before, between and after. Uses no program but Lmod.
_SCRIPT = r"""
environment() {
  local name
  for name in $(compgen -e); do printf '%s=%s\0' "$name" "${!name}"; done
  for name in $(compgen -a); do printf 'alias %s=\0' "$name"; done
  for name in $(compgen -A function); do printf 'function %s=\0' "$name"; done
}
environment >before
eval "$("$LMOD_CMD" bash load "$1" 2>load.err)" || exit 11
environment >loaded
eval "$("$LMOD_CMD" bash unload "$1" 2>unload.err)" || exit 12
# What the modulefile loaded without `depends_on` stays loaded, as Lmod documents.
if [[ -n ${LOADEDMODULES-} ]]; then eval "$("$LMOD_CMD" bash purge 2>>unload.err)" || exit 12; fi
environment >after
"""
_LOAD_FAILED = 11
_UNLOAD_FAILED = 12


class Loaded(NamedTuple):
    """The environment with a module loaded, which is empty if it does not load, and what failed."""

    module: str
    environment: dict[str, str]
    failures: list[Failure]


def load(subject: Subject, module: str) -> Loaded:
    """Load and unload a module in a shell of its own."""
    limit = subject.limits.load
    with tempfile.TemporaryDirectory(prefix="gate-") as home:
        command = ["bash", "--noprofile", "--norc", "-c", _SCRIPT, "bash", module]
        ended = run_limited(command, server_environment(subject, home), home, limit)
        before, loaded, after = (_read(home, name) for name in ("before", "loaded", "after"))
        if loaded is None:
            error = lmod_error(f"{home}/load.err") if ended.status == _LOAD_FAILED else describe(ended, limit)
            return Loaded(module, {}, [Failure(module, LOAD, f"it does not load: {error}")])
        if module not in loaded.get("LOADEDMODULES", "").split(":"):
            reason = "it does not load: Lmod reports no error, but the module is not among the loaded ones"
            return Loaded(module, {}, [Failure(module, LOAD, reason)])
        # Aliases and functions have a blank in their names.
        environment = {name: value for name, value in loaded.items() if " " not in name}
        if before is None or after is None:
            error = lmod_error(f"{home}/unload.err") if ended.status == _UNLOAD_FAILED else describe(ended, limit)
            return Loaded(module, environment, [Failure(module, UNLOAD, f"it does not unload: {error}")])
        return Loaded(module, environment, _compare(module, before, after))


def _compare(module: str, before: dict[str, str], after: dict[str, str]) -> list[Failure]:
    differences = []
    for name in sorted({*before, *after}):
        if name.startswith(_OWN) or before.get(name) == after.get(name):
            continue
        if name not in after:
            differences.append(f"{name} is unset")
        elif name not in before:
            differences.append(f"{name} stays set")
        else:
            differences.append(f"{name} has another value")
    if not differences:
        return []
    more = len(differences) - _SHOWN
    text = ", ".join(differences[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return [Failure(module, UNLOAD, f"its unload does not restore the environment: {text}")]


def _read(folder: str, name: str) -> dict[str, str] | None:
    """Return an environment that the shell wrote. Without its last NUL the shell was killed while it wrote."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    pairs = [item.partition("=") for item in text.split("\0") if item]
    return {key: value for key, _equals, value in pairs} if text.endswith("\0") else None
