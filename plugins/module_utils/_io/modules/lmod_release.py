# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `lmod_release`: options to result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..._core.outcome import Outcome
from ..._core.plan import Failure
from ..._core.software.manifest import release_manifest, wanted
from ..._core.software.observed import ObservedTree, Resolved
from ..._core.software.placed import placed
from ..._core.software.plan import (
    KIND_ENTRY,
    KIND_RELEASE,
    PlanSettings,
    ReleasePlan,
    applied_plan,
    plan_release,
    with_rebuilds,
)
from ..._core.software.stack import Stack
from ..._core.software.stack_parser import parse_stack
from ..files.stack_file import read_stack
from ..module import PlanRejected, finish, refuse, timings_result
from ..options.builder import BUILDER_SPEC, open_builder, open_images
from ..options.connection import argument_spec as connection_spec
from ..options.result import RESULT_SPEC
from ..options.software import TREE_SPEC
from ..software.executor import PhaseFailed
from ..software.progress import Progress
from ..software.release_run import ReleaseRun
from ..software.switching import Switching, promotion, pruning, rollback
from ..timings import Timings

if TYPE_CHECKING:
    from ..software.server_images import ServerImages

#: Seconds. A run that had to wait longer for the lock asks EasyBuild again.
_LONG_WAIT = 10.0
BUILT, PRESENT, ROLLED_BACK, PROMOTED, PRUNED = STATES = ("built", "present", "rolled_back", "promoted", "pruned")


def argument_spec() -> dict[str, Any]:
    """Return the options of `lmod_release`."""
    return {
        **connection_spec(),
        **TREE_SPEC,
        **BUILDER_SPEC,
        **RESULT_SPEC,
        "state": {"type": "str", "choices": list(STATES), "default": PRESENT},
        "stack": {"type": "dict"},
        "stack_file": {"type": "path"},
        "easybuild_options": {"type": "dict", "default": {}},
        "robot_paths": {"type": "list", "elements": "path", "default": []},
        "source_paths": {"type": "list", "elements": "path", "default": []},
        "download": {"type": "bool", "default": False},
        "build_path": {"type": "path"},
        "jobs": {"type": "int"},
        "rebuild": {"type": "list", "elements": "str", "default": []},
        "verify": {"type": "str", "choices": ["changed", "all"], "default": "changed"},
        "server_python": {"type": "path"},
        "server_images": {"type": "list", "elements": "str", "default": []},
        "release": {"type": "str"},
        "source": {"type": "path"},
        "source_claim": {"type": "str"},
        "keep": {"type": "int"},
        "minimum_age": {"type": "str", "default": "7d"},
        "server_namespaces": {"type": "list", "elements": "str", "default": []},
        "when_locked": {"type": "str", "choices": ["wait", "reject"], "default": "wait"},
        "lock_timeout": {"type": "int", "default": 3600},
        "progress_file": {"type": "path"},
    }


def manage_release(module: Any) -> dict[str, Any]:
    """Bring the tree to the state that the options describe; in check mode, only plan that."""
    with Progress(module.params["progress_file"]) as progress:
        if module.params["state"] in (BUILT, PRESENT):
            return _to_stack(module, progress)
        return _switch(module, progress)


def _switch(module: Any, progress: Progress) -> dict[str, Any]:
    """Roll back, promote or prune."""
    params = module.params
    with open_builder(module) as executor, _images(module, executor) as images:
        # Only the checks of a promotion need Lmod. A rollback works where there is none.
        lmod = {"lmod_cmd": params["lmod_cmd"]} if params["state"] == PROMOTED else {}
        run = ReleaseRun(executor, {"prefix": params["prefix"], **lmod}, progress, images)

        def plan(observe: Callable[[], ObservedTree]) -> Switching:
            if params["state"] == ROLLED_BACK:
                return rollback(run, observe(), params)
            if params["state"] == PROMOTED:
                return promotion(run, observe, module)
            return pruning(run, observe, module)

        with _as_rejection():
            switching = plan(run.observe)
            results = switching.results
            if switching.plan.changed and not module.check_mode:
                # While the run waits for the lock, servers start, and another run publishes.
                with run.locked(params) as (tree, _waited):
                    switching = plan(lambda: tree)
                    results = {**switching.results, **(switching.apply() if switching.plan.changed else {})}
    return finish(module, Outcome(switching.plan), KIND_RELEASE, **results)


def _images(module: Any, executor: Any) -> contextlib.AbstractContextManager[Optional[ServerImages]]:
    if module.params["state"] in (PRESENT, PROMOTED):
        return open_images(module, executor)
    return contextlib.nullcontext()


@contextlib.contextmanager
def _as_rejection() -> Iterator[None]:
    """Report what a phase rejects like other rejections: nothing was written."""
    try:
        yield
    except PhaseFailed as error:
        if error.kind != "rejected":
            raise
        raise PlanRejected([str(error)]) from error


def _to_stack(module: Any, progress: Progress) -> dict[str, Any]:
    params, timings = module.params, Timings()
    errors: list[str] = []
    stack = _stack(params, errors)
    with open_builder(module, errors, module.check_mode) as executor, _images(module, executor) as images:
        missing = executor.missing
        notes = (f"{missing}; an earlier task may do that, so the plan is that for an empty tree",) if missing else ()
        timings.note("options")
        run = ReleaseRun(executor, _request(params, stack), progress, images)
        read = _read(run, stack, params)
        planned = _plan(stack, params, read, notes)
        timings.note("plan")
        if module.check_mode or not planned.plan.changed:
            return _finish(module, Outcome(planned.plan), planned, planned.tree.current, timings=timings)
        with run.locked(params, bool(params["rebuild"])) as (tree, waited):
            # Another run may have changed the tree before this one had the lock, and somebody the easyconfigs while it waited.
            with _as_rejection():
                resolved = run.resolve(stack.easystack()) if waited > _LONG_WAIT else read[1]
            planned = _plan(stack, params, (tree, resolved))
            timings.note("lock")
            return _apply(module, run, planned, timings)


def _stack(params: Mapping[str, Any], errors: list[str]) -> Stack:
    if (params["stack"] is None) == (params["stack_file"] is None):
        raise PlanRejected(["stack, stack_file: set one of the two"])
    if params["stack_file"] is not None:
        path = params["stack_file"]
        return parse_stack(read_stack(path), path, os.path.dirname(os.path.abspath(path)), errors)
    return parse_stack(placed(params["stack"], "stack"), "stack", None, errors)


def _request(params: Mapping[str, Any], stack: Stack) -> dict[str, Any]:
    """Return what every phase of EasyBuild and Lmod gets."""
    return {
        "easybuild_options": params["easybuild_options"],
        "robot_paths": [*stack.robot_paths, *params["robot_paths"]],
        "source_paths": params["source_paths"],
        "download": params["download"],
        "rebuild": params["rebuild"],
        "build_path": params["build_path"],
        "jobs": params["jobs"],
        "lmod_cmd": params["lmod_cmd"],
    }


def _read(run: ReleaseRun, stack: Stack, params: Mapping[str, Any]) -> tuple[ObservedTree, Resolved]:
    """Return what is in the tree, and what EasyBuild makes of the stack. Raises PlanRejected."""
    with _as_rejection():
        return run.read(stack.easystack(), digests=bool(params["rebuild"]))


def _plan(
    stack: Stack, params: Mapping[str, Any], read: tuple[ObservedTree, Resolved], notes: tuple[str, ...] = ()
) -> ReleasePlan:
    """Return the plan. Raises PlanRejected."""
    tree, resolved = read
    errors: list[str] = []
    if not resolved.errors:
        resolved = with_rebuilds(resolved, tree, params["rebuild"], errors)
    found = wanted(stack, resolved, errors)
    if errors:
        raise PlanRejected(errors)
    settings = PlanSettings(
        params["prefix"], params["state"] == PRESENT, tuple(params["rebuild"]), params["download"], notes
    )
    planned = plan_release(found, tree, settings)
    refuse(planned.plan)
    return planned


def _apply(module: Any, run: ReleaseRun, planned: ReleasePlan, timings: Timings) -> dict[str, Any]:
    params = module.params
    built, failed = run.build(planned)
    timings.note("build")
    lost = {name: item for name, item in failed.items() if name in planned.wanted.required}
    failures = [
        Failure(change, lost[change.name].reason, lost[change.name].log)
        for change in planned.plan.pending
        if change.kind == KIND_ENTRY and change.name in lost
    ]
    current, published = planned.tree.current, None
    if params["state"] == PRESENT and not failures:
        manifest = release_manifest(planned.wanted, planned.tree, built, failed.values())
        if current is None or manifest["content"] != planned.tree.manifest.get("content"):
            published = run.publish(manifest, planned.tree, params)
            current = published["id"]
            timings.note("publish")
    outcome = Outcome(applied_plan(planned, failed, published), failures, wrote=bool(built or published))
    return _finish(module, outcome, planned, current, manifest=published, failed=failed, timings=timings)


def _finish(module: Any, outcome: Outcome, planned: ReleasePlan, current: str | None, **more: Any) -> dict[str, Any]:
    manifest = more.get("manifest") or planned.manifest
    failed = more.get("failed") or {item.module: item for item in planned.failed}
    return finish(
        module,
        outcome,
        KIND_ENTRY if outcome.failures else KIND_RELEASE,
        release=current,
        previous=planned.tree.current if current != planned.tree.current else planned.tree.previous,
        modules=[entry["module"] for entry in manifest["entries"]],
        entries=manifest["entries"],
        failed_modules=[item.as_result() for item in failed.values()],
        rebuild_available=list(planned.rebuild_available),
        missing_sources=list(planned.missing_sources),
        **timings_result(more["timings"].seconds),
    )
