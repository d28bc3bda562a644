# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module user_pvc, from its options to its result."""

from __future__ import annotations

from typing import Any

from ..._core.metadata import STATES
from ..kubernetes.homes import HomesRun
from ..kubernetes.readiness import Timings
from ..module import finish, open_api, refuse, timings_result
from ..options.connection import argument_spec as connection_spec
from ..options.result import RESULT_SPEC
from ..options.users import SOURCE_SPEC, Sources, homes_of, settings_of, users_given


def argument_spec() -> dict[str, Any]:
    """Return the options of `user_pvc`."""
    return {
        **connection_spec(),
        **SOURCE_SPEC,
        **RESULT_SPEC,
        "create_namespace": {"type": "bool", "default": False},
        "size": {"type": "str", "default": "10Gi"},
        "storage_class": {"type": "str"},
        "access_modes": {"type": "list", "elements": "str", "default": ["ReadWriteOnce"]},
        "state": {"type": "str", "default": "present", "choices": list(STATES)},
        "retention": {"type": "str", "default": "30d"},
        "keep_volume": {"type": "bool", "default": True},
        "assume_unused": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
        "wait_sleep": {"type": "int", "default": 2},
    }


def manage_homes(module: Any) -> dict[str, Any]:
    """Apply the desired state of the homes. In check mode, show what would change."""
    params = module.params
    errors: list[str] = []
    if not users_given(params):
        errors.append("one of the following is required: users, users_file, users_from, retired, absent")
    sources = Sources(params)
    settings = settings_of(params, errors)
    homes, settings = homes_of(sources, settings, errors)

    run = HomesRun(open_api(module), settings, sources.hub, module.check_mode)
    plan = run.plan(homes)
    refuse(plan)
    create = params["create_namespace"]
    if run.is_namespace_missing(plan, create):
        outcome = run.apply_in_missing_namespace(plan, create)
    else:
        quotas = run.quota_warnings(plan) if module.check_mode else []
        outcome = run.apply_plan(plan)
        outcome.warnings.extend(quotas)
    if params["wait"] and not module.check_mode:
        run.wait(outcome, Timings(params["wait_timeout"], params["wait_sleep"]))
    return finish(module, outcome, "home", **timings_result(run.timings))
