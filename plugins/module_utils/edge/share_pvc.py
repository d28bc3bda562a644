# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `share_pvc` does, from options to result."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from ..pure.inputs import shown
from ..pure.quantity import QuantityError, parse_size
from ..pure.shares.backend_entries import NAMESPACE
from ..pure.shares.wanted import Settings, Share, resolve
from ..pure.times import parse_span
from .connection import argument_spec as connection_spec
from .run import Refused, finish, open_api, refuse, timings_result
from .share_options import SHARES_SPEC, shares_of
from .shares import SharesRun


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_pvc`."""
    return {
        **connection_spec(),
        **SHARES_SPEC,
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "size": {"type": "str"},
        "state": {"type": "str", "default": "present", "choices": ["present", "retired", "absent"]},
        "hold": {"type": "str", "default": "30d"},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
        "wait_sleep": {"type": "int", "default": 2},
    }


def manage_shares(module: Any) -> dict[str, Any]:
    """Bring the shares' claims and volumes to what the options ask for, or, in check mode, show what that would take."""
    params = module.params
    shares, settings = _wanted(params, module.check_mode)
    run = SharesRun(open_api(module), settings, shares)
    plan = run.plan()
    refuse(plan)
    faults, absent = run.namespace_faults(plan)
    if faults:
        raise Refused(faults)
    outcome = run.carry_out(plan, absent)
    if params["wait"] and not module.check_mode:
        run.wait(outcome, params["wait_timeout"], params["wait_sleep"])
    return finish(module, outcome, "share", **timings_result(run.timings))


def _wanted(params: dict[str, Any], check_mode: bool) -> tuple[list[Share], Settings]:
    """Return what is wanted. Raises Refused with everything that is wrong with the options."""
    faults: list[str] = []
    namespaces: list[str] = params["namespaces"]
    for name in namespaces:
        if not NAMESPACE.match(name):
            faults.append(
                f"namespaces has {shown(name)}, which is no name of a namespace: write lower-case letters, digits and '-', at "
                "most 63"
            )
    if len(set(namespaces)) < len(namespaces):
        faults.append("namespaces names one namespace twice: remove one")
    hold, size = timedelta(), None
    try:
        hold = parse_span(params["hold"])
    except ValueError as invalid:
        faults.append(f"hold: {invalid}")
    size, fault = _size_of(params["size"])
    if fault:
        faults.append(fault)
    entries = shares_of(params, faults, params["state"])
    settings = Settings(
        namespaces=tuple(namespaces),
        # A default that is wrong itself was told already, and would be told again for each share.
        size=1 if fault else size,
        size_text=params["size"] or "",
        state=params["state"],
        hold=hold,
        check_mode=check_mode,
        now=datetime.now(timezone.utc),
    )
    shares, wrong = resolve(entries, settings)
    faults += wrong
    if faults:
        raise Refused(faults)
    return shares, settings


def _size_of(text: Optional[str]) -> tuple[Optional[int], str]:
    if text is None:
        return None, ""
    try:
        return parse_size(text), ""
    except QuantityError as invalid:
        return None, f"size: {invalid}"
