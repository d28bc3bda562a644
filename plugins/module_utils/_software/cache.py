# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the spider cache of a release with the Lmod that servers run, where `current` shows that release."""

from __future__ import annotations

import os
import re
from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .files import make_folders, remove_folder
from .lmod import SPIDER_CACHE, TIMESTAMP, UPDATE_CACHE, lmod_environment, lmod_tool, run_lmod
from .locks import hold
from .releases import check_release_id, current_release, open_tree, read_manifest
from .tree_layout import ReleaseLayout

#: Lmod trusts a cache whose time is not before the time stamp's, in whole seconds. The time stamp gets this time, so that
#: the cache stays valid whatever the clocks of builder, file server and servers say, and in copies that lose their times.
TIMESTAMP_TIME = 86400
#: A modulefile in the cache.
CACHED_MODULE = re.compile(rb'^ +fn = "(.*)",$', re.MULTILINE)


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Write `.lmod/cache` of the release, in the view `release`."""
    tree = open_tree(request["prefix"])
    release = check_release_id(request["release"])
    with hold(tree, request, "cache"):
        if current_release(tree) != release:
            raise PhaseError(f"{tree.current} does not show release {release}: run this phase in its view", REJECTED)
        layout = ReleaseLayout(tree.current)
        manifest = read_manifest(layout.folder) or {"entries": []}
        remove_folder(layout.cache)
        make_folders(layout.cache)
        timestamp = os.path.join(layout.cache, TIMESTAMP)
        command = [lmod_tool(request["lmod_cmd"], UPDATE_CACHE), "-d", layout.cache, "-t", timestamp, layout.modules]
        environment = lmod_environment(tree, request["lmod_cmd"])
        del environment["LMOD_RC"]  # the cache must not be built from a cache
        output = run_lmod(command, environment)
        os.utime(timestamp, (TIMESTAMP_TIME, TIMESTAMP_TIME))
        with open(os.path.join(layout.cache, SPIDER_CACHE), "rb") as file:
            content = file.read()
        cached = {os.fsdecode(found) for found in CACHED_MODULE.findall(content)}
        wanted = {layout.modulefile(entry["module"]) for entry in manifest["entries"]}
        missing = sorted(wanted - cached)
        if missing:
            reason = output.strip()[-500:] or "Lmod cannot read it"
            raise PhaseError(
                f"the spider cache lacks {len(missing)} of {len(wanted)} modulefiles, such as {missing[0]}: {reason}",
                details={"missing": missing, "output": output[-4000:]},
            )
    size = sum(os.path.getsize(os.path.join(layout.cache, name)) for name in os.listdir(layout.cache))
    return {"modules": len(wanted), "bytes": size}
