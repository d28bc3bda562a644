# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every modulefile parses.

Lua itself compiles all of them in one process, as `luac -p` does, which would stop at the first that does not compile.
"""

from __future__ import annotations

import os
import subprocess

from ..errors import PhaseError
from .subject import Failure, Subject

CHECK = "syntax"

#: Reads paths, and prints the path and the error of each file that does not compile.
_SCRIPT = """
for path in io.lines() do
   local chunk, message = loadfile(path, "t")
   if (not chunk) then
      print(path .. "\\t" .. message:gsub("%s+", " "):gsub("^.-%.lua:", "line "))
   end
end
"""


def lua_of(lmod_cmd: str) -> str:
    """Return the Lua interpreter that runs Lmod. Raises PhaseError if the command is no Lua script."""
    try:
        with open(lmod_cmd, "rb") as file:
            line = file.readline(200).decode("utf-8", "replace")
    except OSError as error:
        raise PhaseError(f"{lmod_cmd} cannot be read ({error.strerror}): set `lmod_cmd` to Lmod's command") from error
    words = line[2:].split() if line.startswith("#!") else []
    if not words or "lua" not in words[-1]:
        raise PhaseError(f"{lmod_cmd} is not run by Lua: set `lmod_cmd` to Lmod's command, such as $LMOD_CMD")
    return words[-1]


def check(subject: Subject) -> list[Failure]:
    """Compile all modulefiles of the release."""
    folder = os.path.join(subject.prefix, "current", "modules", "all")
    paths = {os.path.join(folder, entry["module"] + ".lua"): entry["module"] for entry in subject.manifest["entries"]}
    ended = subprocess.run(
        [lua_of(subject.lmod_cmd), "-e", _SCRIPT],
        input="".join(f"{path}\n" for path in paths),
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    failures = []
    for line in ended.stdout.splitlines():
        path, _tab, message = line.partition("\t")
        failures.append(
            Failure(paths[path], CHECK, f"the modulefile does not parse ({message}): build the entry again")
        )
    return failures
