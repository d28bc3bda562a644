# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `lmod_release_info`: options to result."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ..._core.software.info import difference, reclaimable, release_list
from ..._core.software.pruning import PruneSettings, Pruning, decide, used_since
from ..._core.software.settings import release_error
from ..._core.times import parse_span
from ..module import PlanRejected
from ..options.builder import BUILDER_SPEC, open_builder
from ..options.connection import argument_spec as connection_spec
from ..options.software import TREE_SPEC
from ..software.executor import PhaseFailed
from ..software.progress import Progress
from ..software.release_run import ReleaseRun


def argument_spec() -> dict[str, Any]:
    """Return the options of `lmod_release_info`."""
    return {
        **connection_spec(),
        **TREE_SPEC,
        **BUILDER_SPEC,
        "release": {"type": "str"},
        "compare_with": {"type": "str"},
        "digests": {"type": "bool", "default": False},
        "keep": {"type": "int"},
        "minimum_age": {"type": "str", "default": "7d"},
    }


def release_info(module: Any) -> dict[str, Any]:
    """Return what the tree has. Raises PlanRejected."""
    params = module.params
    with open_builder(module) as executor:
        run = ReleaseRun(executor, {"prefix": params["prefix"]}, Progress())
        try:
            return _read(run, params)
        except PhaseFailed as error:
            if error.kind != "rejected":
                raise
            raise PlanRejected([str(error)]) from error


def _read(run: ReleaseRun, params: dict[str, Any]) -> dict[str, Any]:
    tree = run.observe(params["digests"])
    errors = [release_error(params[name], tree.releases, name) for name in ("release", "compare_with")]
    now, keep = datetime.now(timezone.utc), params["keep"]
    if keep is None:
        keep = max(1, len(tree.releases))
    try:
        age = parse_span(params["minimum_age"])
    except ValueError as error:
        errors.append(f"minimum_age: {error}")
    if found := [error for error in errors if error is not None]:
        raise PlanRejected(found)
    try:
        pruning = decide(tree.raw, PruneSettings(keep, now, used_since(now, age, None, servers_known=False), age))
    except ValueError:  # A release that stays has a damaged manifest, so nothing can be pruned.
        pruning = Pruning((), ())
    release = params["release"] or tree.current
    content = tree.releases.get(release or "", {})
    before = params["compare_with"] or tree.previous
    request: dict[str, Any] = {**pruning.request()}
    size = run.phase("prune", **request, dry_run=True)["bytes"] if pruning.removed else 0
    return {
        "changed": False,
        "current": tree.current,
        "previous": tree.previous,
        "releases": release_list(tree),
        "content": {key: value for key, value in content.items() if key != "current_from"},
        "difference": difference(tree.releases.get(before or "", {}), content),
        "store": {"entries": len(tree.store), "size": sum(entry.size for entry in tree.store.values())},
        "free": tree.free,
        "reclaimable": reclaimable(pruning, size),
        "changed_entries": list(tree.changed_entries),
        "lock": tree.raw.get("lock"),
    }
