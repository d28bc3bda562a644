# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The spider cache that servers read is valid by Lmod's own rule, and lists the modules of the release.

Lmod ignores an invalid cache without a word. Every load then reads the whole tree.
"""

from __future__ import annotations

import os

from .lua import run_lua
from .subject import Failure, Subject

CHECK = "cache"

#: Writes the Lua version, and the folder and the time stamp of each cache that a lmodrc.lua describes.
_DESCRIBED = r"""
local path = io.lines(arg[1])()
local result = io.open(arg[2], "w")
result:write(_VERSION:match("%d+%.%d+"), "\n")
scDescriptT = {}
local chunk = loadfile(path)
if (chunk) then
   pcall(chunk)
end
for _, described in ipairs(scDescriptT) do
   result:write(described.dir or "", "\t", described.timestamp or "", "\n")
end
result:close()
"""

#: Writes the paths of the modulefiles of a module path that a cache lists.
_LISTED = r"""
local input = io.lines(arg[1])
local path, modules = input(), input()
local result = io.open(arg[2], "w")
local chunk = loadfile(path)
if (chunk and pcall(chunk) and type(spiderT) == "table" and type(spiderT[modules]) == "table") then
   local function walk(found)
      for key, value in pairs(found) do
         if (key == "fn" and type(value) == "string") then
            result:write(value, "\n")
         elseif (type(value) == "table") then
            walk(value)
         end
      end
   end
   walk(spiderT[modules])
else
   result:write("unreadable\n")
end
result:close()
"""


def check(subject: Subject) -> list[Failure]:
    """Find the cache as Lmod does, and compare it with the manifest."""
    described = run_lua(subject, _DESCRIBED, [subject.current.lmodrc])
    if len(described) < 2:
        return [Failure("", CHECK, f"{subject.current.lmodrc} describes no spider cache, so servers have none")]
    version = described[0]
    folder, _tab, timestamp = described[1].partition("\t")
    path = _first(folder, version)
    if path is None:
        return [Failure("", CHECK, f"{folder} has no spider cache, so every load reads the whole tree")]
    try:
        stamp = os.stat(timestamp).st_mtime
    except OSError as error:
        reason = f"the time stamp {timestamp} of the spider cache cannot be read ({error.strerror})"
        return [Failure("", CHECK, reason)]
    if int(os.stat(path).st_mtime) < int(stamp):
        return [Failure("", CHECK, f"the spider cache {path} is older than its time stamp, so Lmod ignores it")]
    listed = run_lua(subject, _LISTED, [path, subject.current.modules])
    if listed == ["unreadable"]:
        reason = f"the spider cache {path} has nothing about {subject.current.modules}, or Lua cannot read it"
        return [Failure("", CHECK, reason)]
    # Files such as .modulerc.lua, which name default versions, are in it as well.
    found = {path for path in listed if not os.path.basename(path).startswith(".")}
    wanted = subject.modulefiles
    return [
        *(Failure(wanted[path], CHECK, "the spider cache lacks it") for path in wanted if path not in found),
        *(
            Failure(subject.module_of(path), CHECK, "the spider cache lists it, but the manifest does not")
            for path in sorted(found)
            if path not in wanted
        ),
    ]


def _first(folder: str, version: str) -> str | None:
    """Return the file that Lmod reads: the first of these that is not empty."""
    for extension in (f"luac_{version}", "lua"):
        for name in (f"spiderT.{extension}", f"spiderT.old.{extension}"):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.path.getsize(path):
                return path
    return None
