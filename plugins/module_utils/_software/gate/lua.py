# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run scripts of ours with the Lua that runs Lmod."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

from ..errors import REJECTED, PhaseError
from .processes import BASE_PATH, describe, run_limited
from .subject import Subject


def lua_of(lmod_cmd: str) -> str:
    """Return the Lua interpreter that runs Lmod. Raises PhaseError if the command is no Lua script."""
    try:
        with open(lmod_cmd, "rb") as file:
            line = file.readline(200).decode("utf-8", "replace")
    except OSError as error:
        raise PhaseError(
            f"{lmod_cmd} cannot be read ({error.strerror}): install Lmod, or correct `lmod_cmd`", REJECTED
        ) from error
    words = line[2:].split() if line.startswith("#!") else []
    if not words or "lua" not in words[-1]:
        raise PhaseError(f"{lmod_cmd} is not a Lua script: set `lmod_cmd` to libexec/lmod of Lmod", REJECTED)
    return words[-1]


def run_lua(subject: Subject, script: str, lines: Iterable[str]) -> list[str]:
    """Run a script, whose `arg[1]` is a file of lines, and return the lines that it writes to the file `arg[2]`."""
    with tempfile.TemporaryDirectory(prefix="gate-") as folder:
        with open(f"{folder}/script.lua", "w", encoding="utf-8") as file:
            file.write(script)
        with open(f"{folder}/input", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{line}\n" for line in lines)
        command = [lua_of(subject.lmod_cmd), "script.lua", "input", "result"]
        ended = run_limited(command, {"PATH": BASE_PATH, "LC_ALL": "C.UTF-8"}, folder, subject.limits.listing)
        if ended.status != 0:
            raise PhaseError(f"{command[0]}, which runs Lmod, {describe(ended, subject.limits.listing)}: repair Lmod")
        with open(f"{folder}/result", encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
