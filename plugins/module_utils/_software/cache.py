# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the spider cache of a release with the Lmod that servers run, where `current` shows that release."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .files import make_folders, remove_folder, write_new
from .lmod import SPIDER_CACHE, TIMESTAMP, UPDATE_CACHE, lmod_environment, lmod_tool, lua_string, run_lmod
from .locks import hold
from .releases import check_release_id, current_release, open_tree, read_manifest
from .tree_layout import ReleaseLayout, TreeLayout

#: Lmod trusts a cache whose time is not before the time stamp's, in whole seconds. The time stamp gets this time, so that
#: the cache stays valid whatever the clocks of builder, file server and servers say, and in copies that lose their times.
TIMESTAMP_TIME = 86400
#: How bytes that end or change a string of Lua are written in one.
ESCAPES = {b"\\": b"\\\\", b'"': b'\\"', b"\n": b"\\n", b"\r": b"\\r", b"\0": b"\\000"}
#: A file in the cache, whatever the version of Lmod calls it.
CACHED_FILE = re.compile(rb'"([^"\n]*\.lua)"')


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Write `.lmod/cache` of the release, in the view `release`."""
    tree = open_tree(request["prefix"])
    release = check_release_id(request["release"])
    with hold(tree, request, "cache"):
        if current_release(tree) != release:
            raise PhaseError(f"{tree.current} does not show release {release}: run this phase in its view", REJECTED)
        layout = ReleaseLayout(tree.current)
        manifest = read_manifest(layout.folder) or {"entries": []}
        wanted = {layout.modulefile(entry["module"]) for entry in manifest["entries"]}
        remove_folder(layout.cache)
        make_folders(layout.cache)
        # Not in the tree: what a killed run leaves running must not write there.
        with tempfile.TemporaryDirectory() as folder:
            output = _build(tree, request["lmod_cmd"], folder)
            with open(os.path.join(folder, SPIDER_CACHE), "rb") as file:
                _check(wanted, file.read(), output)
            size = 0
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                write_new(os.path.join(layout.cache, name), _opened_once(content, layout))
                size += len(content)
        timestamp = os.path.join(layout.cache, TIMESTAMP)
        os.utime(timestamp, (TIMESTAMP_TIME, TIMESTAMP_TIME))
    return {"modules": len(wanted), "bytes": size}


def _build(tree: TreeLayout, lmod_cmd: str, folder: str) -> str:
    """Have Lmod write its cache into a folder, and return what it printed."""
    modules = ReleaseLayout(tree.current).modules
    timestamp = os.path.join(folder, TIMESTAMP)
    # No cache takes part, and no file of the build user's home.
    environment = {**lmod_environment(tree, lmod_cmd), "HOME": folder}
    del environment["LMOD_RC"]
    return run_lmod([lmod_tool(lmod_cmd, UPDATE_CACHE), "-d", folder, "-t", timestamp, modules], environment)


def _opened_once(content: bytes, layout: ReleaseLayout) -> bytes:
    """Return a file of the cache, compiled code in a string: Lua opens a file of compiled code a second time, as binary.

    That is one request less to the file server for each command. Lua 5.1 loads strings with another function than later ones,
    and Lmod forbids to ask for a global name that may not exist. What another Lua cannot run is read from the cache in text.
    """
    if not content.startswith(b"\x1bLua"):
        return content
    escaped = re.sub(rb'[\\"\n\r\0]', lambda found: ESCAPES[found.group()], content)
    text = lua_string(os.path.join(layout.cache, SPIDER_CACHE)).encode()
    return b'((rawget(_G, "loadstring") or load)("' + escaped + b'") or loadfile(' + text + b"))()\n"


def _check(wanted: set[str], cache: bytes, output: str) -> None:
    """Raise PhaseError if the cache lacks modulefiles: Lmod leaves out what it cannot read, and ends with 0."""
    missing = sorted(wanted - {os.fsdecode(found) for found in CACHED_FILE.findall(cache)})
    if missing:
        reason = output.strip()[-500:] or "Lmod cannot read it"
        raise PhaseError(
            f"the spider cache lacks {len(missing)} of {len(wanted)} modulefiles, such as {missing[0]}: {reason}",
            details={"missing": missing, "output": output[-4000:]},
        )
