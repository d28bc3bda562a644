# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lmod's own files and tools: the version, the modulefile with default versions, the cache and its description."""

from __future__ import annotations

import os
import re
import subprocess

from .errors import REJECTED, PhaseError
from .tree_layout import ReleaseLayout, TreeLayout

#: Lmod writes these settings of a user into what it does.
USER_SETTINGS = (
    "LMOD_",
    "MODULEPATH",
    "MODULERCFILE",
    "LOADEDMODULES",
    "_LMFILES_",
    "_ModuleTable",
    "__LMOD",
    "BASH_ENV",
)
UPDATE_CACHE = "update_lmod_system_cache_files"
SPIDER_CACHE = "spiderT.lua"
TIMESTAMP = "timestamp"


def lmod_environment(tree: TreeLayout, lmod_cmd: str) -> dict[str, str]:
    """Return the environment that servers give Lmod, without anything that the caller has set for it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(USER_SETTINGS)}
    return {**environment, **server_settings(tree, lmod_cmd), "LC_ALL": "C.UTF-8"}


def server_settings(tree: TreeLayout, lmod_cmd: str) -> dict[str, str]:
    """Return the variables of Lmod that servers get."""
    current = ReleaseLayout(tree.current)
    return {
        "LMOD_CMD": lmod_cmd,
        "MODULEPATH": current.modules,
        "LMOD_RC": current.lmodrc,
        "LMOD_CACHED_LOADS": "yes",
        "LMOD_SHORT_TIME": "86400",
        "LMOD_PIN_VERSIONS": "yes",
    }


def lmod_version(lmod_cmd: str) -> str:
    """Return the version of Lmod."""
    done = run_lmod([lmod_cmd, "bash", "--version"], {"PATH": os.environ.get("PATH", os.defpath)})
    found = re.search(r"Version\s+([0-9][0-9.]*)", done)
    if not found:
        raise PhaseError(
            f"{lmod_cmd} does not tell its version: set `lmod_cmd` to the lmod of Lmod 8 or later", REJECTED
        )
    return found.group(1)


def lmod_tool(lmod_cmd: str, name: str) -> str:
    """Return the path of a tool that lies beside lmod, such as `spider`."""
    path = os.path.join(os.path.dirname(os.path.realpath(lmod_cmd)), name)
    if not os.access(path, os.X_OK):
        raise PhaseError(f"{path} is missing: set `lmod_cmd` to libexec/lmod of a complete Lmod", REJECTED)
    return path


def run_lmod(command: list[str], environment: dict[str, str]) -> str:
    """Run a program of Lmod and return its output and its messages."""
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        raise PhaseError(
            f"{command[0]} cannot be run ({error.strerror}): install Lmod, or correct `lmod_cmd`", REJECTED
        ) from error
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise PhaseError(
            f"{os.path.basename(command[0])} failed with {done.returncode}: {output.strip()[-500:]}",
            details={"output": output[-4000:]},
        )
    return output


def lmodrc(tree: TreeLayout) -> str:
    """Return the `lmodrc.lua` that leads servers to the cache of the current release."""
    cache = ReleaseLayout(tree.current).cache
    folder, timestamp = lua_string(cache), lua_string(os.path.join(cache, TIMESTAMP))
    return f'scDescriptT = {{\n  {{ ["dir"] = {folder}, ["timestamp"] = {timestamp} }},\n}}\n'


def default_version(name: str, version: str) -> str:
    """Return the `.modulerc.lua` that makes a version of a module its default."""
    return f'module_version({lua_string(f"{name}/{version}")}, "default")\n'


def lua_string(text: str) -> str:
    """Return a text as a literal of Lua. Control characters are rejected: no path or module has any."""
    if not text.isprintable():
        raise PhaseError(f"{text!r} has a character that cannot be printed: remove it", REJECTED)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
