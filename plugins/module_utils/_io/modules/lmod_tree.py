# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `lmod_tree`, from options to result."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from ..._core.metadata import KIND_TREE, PRESENT, STATES
from ..._core.shares.planning.desired import Share, ShareSettings
from ..._core.software.tree_spec import BACKENDS, namespaces_of, resolve_tree, tree_spec
from ..._core.times import parse_span
from ..kubernetes.connection import argument_spec as connection_spec
from ..kubernetes.readiness import Timings
from ..kubernetes.shares import SharesRun
from ..module import PlanRejected, finish, open_api, refuse, timings_result

_TEXT = {"type": "str"}
_BACKEND: dict[str, Any] = {
    "type": {"type": "str", "required": True, "choices": list(BACKENDS)},
    "server": _TEXT,
    "path": _TEXT,
    "mount_options": {"type": "list", "elements": "str"},
    "driver": _TEXT,
    "volume_handle": _TEXT,
    "volume_handles": {"type": "dict"},
    "attributes": {"type": "dict"},
    "fs_type": _TEXT,
    "node_stage_secret": {
        "type": "dict",
        "no_log": False,
        "options": {"name": {"type": "str", "required": True}, "namespace": {"type": "str", "required": True}},
    },
    "clone": {"type": "bool"},
}


def argument_spec() -> dict[str, Any]:
    """Return the options of `lmod_tree`."""
    return {
        **connection_spec(),
        "name": {"type": "str", "default": "software"},
        "state": {"type": "str", "default": PRESENT, "choices": list(STATES)},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "builder_namespace": {"type": "str"},
        "create_namespace": {"type": "bool", "default": False},
        "size": {"type": "str"},
        "backend": {"type": "dict", "options": _BACKEND},
        "distinct_from": {"type": "list", "elements": "str", "default": []},
        "retention": {"type": "str", "default": "30d"},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
        "wait_sleep": {"type": "int", "default": 2},
    }


def manage_tree(module: Any) -> dict[str, Any]:
    """Bring the claims and volumes of the tree to the desired state. In check mode, return what a run would do."""
    params = module.params
    share, settings = _desired(params, module.check_mode)
    run = SharesRun(open_api(module), settings, [share])
    plan = run.plan()
    refuse(plan)
    is_present = params["state"] == PRESENT
    errors, absent = run.namespace_errors(
        plan, settings.namespaces if params["create_namespace"] and is_present else None
    )
    if errors:
        raise PlanRejected(errors)
    outcome = run.apply_plan(plan, absent, params["create_namespace"])
    if params["wait"] and not module.check_mode:
        run.wait(outcome, Timings(params["wait_timeout"], params["wait_sleep"]))
    return finish(module, outcome, KIND_TREE, **timings_result(run.timings))


def _desired(params: dict[str, Any], check_mode: bool) -> tuple[Share, ShareSettings]:
    """Return the desired claims and volumes. Raises PlanRejected with everything that is wrong with the options."""
    errors: list[str] = []
    spec = tree_spec(params, errors)
    namespaces = namespaces_of(params, errors)
    if not namespaces:
        errors.append("one of the following is required: namespaces, builder_namespace")
    retention = timedelta()
    try:
        retention = parse_span(params["retention"])
    except ValueError as invalid:
        errors.append(f"retention: {invalid}")
    settings = ShareSettings(
        namespaces=namespaces,
        size=spec.size,
        size_text=spec.size_text,
        state=params["state"],
        retention=retention,
        check_mode=check_mode,
        now=datetime.now(timezone.utc),
        specs=(spec,),
    )
    share, wrong = resolve_tree(spec, params["builder_namespace"] or "", settings)
    errors += wrong if namespaces else []
    if errors:
        raise PlanRejected(errors)
    return share, settings
