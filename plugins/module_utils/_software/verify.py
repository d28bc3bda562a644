# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `verify`: check a release before it is published. It runs in the view `release`, and changes nothing there.

A release with a failure must not be published. A check that fails hides no other, except that modulefiles that do not parse
get no further.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .gate import cache_validity, collections, content, kernel, listing, loading, module_tests, scope, syntax
from .gate.subject import Limits, Subject
from .gate.workers import Workers
from .locks import hold
from .releases import check_release_id, current_release, open_tree, read_manifest
from .tree_layout import ReleaseLayout, TreeLayout

Emit = Callable[[dict[str, Any]], None]

LIMITS = Limits(load=60, test=300, listing=600)


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Check the release at `<prefix>/current`, and return what failed."""
    tree = open_tree(request["prefix"])
    with hold(tree, request, "verify"):
        return _verify(subject_of(tree, request), request.get("kernel", True), emit)


def _verify(subject: Subject, with_kernel: bool, emit: Emit) -> dict[str, Any]:
    used = kernel.without_modules(subject) if with_kernel and subject.python else None
    with Workers(emit) as workers:
        failures = syntax.check(subject)
        broken = {failure.module for failure in failures}
        for check in (listing.check, cache_validity.check):
            failures += [failure for failure in check(subject) if failure.module not in broken]
        failures += workers.check("check files", content.check, subject, subject.changed_entries)
        modules = [module for module in subject.modules if module not in broken]
        loads = workers.map("load", lambda module: loading.load(subject, module), modules)
        failures += [failure for loaded in loads for failure in loaded.failures]
        loads = [loaded for loaded in loads if loaded.environment]
        tested = [loaded for loaded in loads if loaded.module in subject.manifest["tests"]]
        failures += workers.check("test", module_tests.check, subject, tested)
        if used:
            groups = kernel.groups(used, subject, loads)
            failures += workers.check("start a kernel", partial(kernel.check, used), subject, groups)
        elif with_kernel:
            failures += workers.check("compare packages", kernel.check_packages, subject, loads)
        failures += workers.check("restore", collections.check, subject, subject.manifest["collections"])
    return {"checked": len(subject.modules), "failures": [failure._asdict() for failure in failures]}


def subject_of(tree: TreeLayout, request: dict[str, Any]) -> Subject:
    """Return what the checks of a request work on. Raises PhaseError if `<prefix>/current` shows another release."""
    release, previous = check_release_id(request["release"]), request.get("previous")
    if current_release(tree) != release:
        raise PhaseError(f"{tree.current} does not show release {release}: run this phase in its view", REJECTED)
    manifest = read_manifest(tree.current)
    if manifest is None:
        raise PhaseError(f"release {release} has no manifest: assemble it again", REJECTED)
    if request["scope"] == "all":
        changed = modules = [entry["module"] for entry in manifest["entries"]]
    elif request["scope"] == "changed":
        before = read_manifest(tree.release(check_release_id(previous))) if previous else None
        changed = scope.changed_modules(manifest, before)
        modules = scope.affected_modules(manifest, before, ReleaseLayout(tree.current).modules)
    else:
        raise PhaseError(f"the scope {request['scope']} is unknown: it is changed or all", REJECTED)
    return Subject(
        tree=tree,
        manifest={"defaults": {}, "collections": {}, "tests": {}, **manifest},
        modules=modules,
        changed=changed,
        lmod_cmd=request["lmod_cmd"],
        python=request.get("python") or "",
        build_path=os.path.realpath(request["build_path"]) if request.get("build_path") else "",
        limits=LIMITS._replace(**request.get("limits") or {}),
    )
