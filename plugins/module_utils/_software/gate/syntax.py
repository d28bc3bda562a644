# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every modulefile parses.

The Lua that runs Lmod compiles all of them in one process. `luac -p` does the same, but stops at the first error.
"""

from __future__ import annotations

import os

from .lua import run_lua
from .subject import Failure, Subject

CHECK = "syntax"

#: Writes the path and the error of each file that does not compile.
_SCRIPT = r"""
local result = io.open(arg[2], "w")
for path in io.lines(arg[1]) do
   local chunk, message = loadfile(path, "t")
   if (not chunk) then
      result:write(path, "\t", (message:gsub("%s+", " "):gsub("^.-%.lua:", "line ")), "\n")
   end
end
result:close()
"""


def check(subject: Subject) -> list[Failure]:
    """Compile all modulefiles of the release."""
    modules = {path: module for path, module in subject.modulefiles.items() if os.path.exists(path)}
    failures = []
    for line in run_lua(subject, _SCRIPT, modules):
        path, _tab, message = line.partition("\t")
        reason = f"its modulefile does not parse ({message}): build the entry again"
        failures.append(Failure(modules[path], CHECK, reason))
    return failures
