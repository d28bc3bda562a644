# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_pvc`, from options to result."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from ..._core.metadata import NAMESPACE, PRESENT, STATES
from ..._core.plan import Plan
from ..._core.quantity import QuantityError, parse_size
from ..._core.shares.planning.desired import Share, ShareSettings, resolve
from ..._core.times import parse_span
from ..._core.validation import quoted
from ..kubernetes.origins import BINDING_TIMEOUT
from ..kubernetes.readiness import Timings
from ..kubernetes.shares import SharesRun
from ..module import PlanRejected, finish, open_api, refuse, timings_result
from ..options.connection import argument_spec as connection_spec
from ..options.result import RESULT_SPEC
from ..options.shares import SHARES_SPEC, require_shares, shares_of


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_pvc`."""
    return {
        **connection_spec(),
        **SHARES_SPEC,
        **RESULT_SPEC,
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "create_namespace": {"type": "bool", "default": False},
        "size": {"type": "str"},
        "state": {"type": "str", "default": PRESENT, "choices": list(STATES)},
        "only_states": {"type": "list", "elements": "str", "choices": list(STATES)},
        "declassify": {"type": "list", "elements": "str", "default": []},
        "retention": {"type": "str", "default": "30d"},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
        "wait_sleep": {"type": "int", "default": 2},
    }


class PlannedRun(NamedTuple):
    """A run that is planned, and was not rejected. `absent` are the namespaces that do not exist yet."""

    run: SharesRun
    plan: Plan
    absent: set[str]

    @property
    def changes_something(self) -> bool:
        """Whether applying the plan changes anything."""
        return self.plan.changed or bool(self.absent)


def plan_shares(module: Any) -> PlannedRun:
    """Plan the claims and volumes of shares. Raises PlanRejected."""
    params = module.params
    shares, settings = _desired(module)
    run = SharesRun(open_api(module), settings, shares)
    plan = run.plan()
    refuse(plan)
    only, create = params["only_states"], None
    if params["create_namespace"]:
        create = params["namespaces"] if params["state"] == PRESENT and (only is None or PRESENT in only) else ()
    errors, absent = run.namespace_errors(plan, create)
    if errors:
        raise PlanRejected(errors)
    return PlannedRun(run, plan, absent)


def apply_shares(module: Any, planned: PlannedRun) -> dict[str, Any]:
    """Apply a plan of shares. In check mode, the API server validates it."""
    params, run = module.params, planned.run
    outcome = run.apply_plan(planned.plan, planned.absent, params["create_namespace"])
    if not module.check_mode:
        if params["wait"]:
            run.wait(outcome, Timings(params["wait_timeout"], params["wait_sleep"]))
        run.mark_origins(outcome, 0 if params["wait"] else BINDING_TIMEOUT)
    return finish(module, outcome, "share", **timings_result(run.timings))


def manage_shares(module: Any) -> dict[str, Any]:
    """Bring the claims and volumes of shares to the desired state. In check mode, return what a run would do."""
    return apply_shares(module, plan_shares(module))


def _desired(module: Any) -> tuple[list[Share], ShareSettings]:
    """Return the desired shares. Raises PlanRejected with everything that is wrong with the options."""
    params = module.params
    errors: list[str] = []
    namespaces: list[str] = params["namespaces"]
    for name in namespaces:
        if not NAMESPACE.match(name):
            errors.append(
                f"namespaces has {quoted(name)}, which is not a namespace name: write lower-case letters, digits and '-', at "
                "most 63"
            )
    if len(set(namespaces)) < len(namespaces):
        errors.append("namespaces lists a namespace twice: remove one")
    retention = timedelta()
    try:
        retention = parse_span(params["retention"])
    except ValueError as invalid:
        errors.append(f"retention: {invalid}")
    size, error = _size_of(params["size"])
    if error:
        errors.append(error)
    require_shares(params, errors)
    specs = shares_of(params, errors, params["state"])
    settings = ShareSettings(
        namespaces=tuple(namespaces),
        # A wrong default is reported once, not again for each share.
        size=1 if error else size,
        size_text=params["size"] or "",
        state=params["state"],
        retention=retention,
        check_mode=module.check_mode,
        allows_missing=module.allows_missing,
        now=datetime.now(timezone.utc),
        specs=tuple(specs),
        declassify=tuple(params["declassify"]),
    )
    shares, wrong = resolve(specs, settings)
    errors += wrong
    only = params["only_states"]
    if only is not None:
        shares = [share for share in shares if share.state in only]
    if errors:
        raise PlanRejected(errors)
    return shares, settings


def _size_of(text: Optional[str]) -> tuple[Optional[int], str]:
    if text is None:
        return None, ""
    try:
        return parse_size(text), ""
    except QuantityError as invalid:
        return None, f"size: {invalid}"
