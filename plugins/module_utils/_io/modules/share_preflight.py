# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_preflight`, from its options to its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ..._core.metadata import ABSENT, PRESENT, RETIRED
from ..._core.preflight import rejections
from ..._core.shares.spec import ShareSpec
from ..kubernetes.api import Api
from ..kubernetes.facts import namespace_error
from ..module import PlanRejected, open_api, run
from ..options.shares import shares_of
from . import share_acl, share_pvc

#: Options of the previewed modules that have no effect on a preview.
NOT_OURS = ("state", "only_states", "wait", "wait_timeout", "wait_sleep")


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_preflight`."""
    options = {**share_pvc.argument_spec(), **share_acl.argument_spec()}
    return {
        **{name: option for name, option in options.items() if name not in NOT_OURS},
        "create_namespaces": {"type": "bool", "default": False},
        "other_results": {"type": "list", "elements": "dict", "default": []},
    }


def preflight(module: Any) -> dict[str, Any]:
    """Preview the access list, and claims and volumes if something else is changed before them.

    Otherwise `share_pvc` runs first, and rejects before its first write. Claims and volumes are also previewed if the
    run is rejected anyway, so that all errors are reported at once.
    """
    params = module.params
    api = open_api(module)
    results = [*params["other_results"], in_check_mode(module, share_acl.manage_acl, share_acl.argument_spec(), "acl")]
    reasons = rejections(results, module.check_mode)
    shares = shares_of(params, [])
    missing = _missing_namespaces(api, module.params, shares) if params["create_namespaces"] and not reasons else []
    deletions = sum(share.state in (RETIRED, ABSENT) for share in shares)
    if deletions or missing or reasons:
        results.append(in_check_mode(module, share_pvc.manage_shares, share_pvc.argument_spec(), "share"))
        reasons = rejections(results, module.check_mode)
    if reasons:
        raise PlanRejected(reasons)
    return {"changed": False, "missing_namespaces": missing, "deletions": deletions}


def _missing_namespaces(api: Api, params: dict[str, Any], shares: Sequence[ShareSpec]) -> list[str]:
    """Return the namespaces that the hub and its shares need and that do not exist."""
    names = [params["namespace"], *params["namespaces"]]
    names += [name for share in shares if share.state in (None, PRESENT) for name in share.namespaces]
    return [name for name in dict.fromkeys(names) if namespace_error(api, name)[1]]


class _Ended(Exception):
    """A module has ended, with this result."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


class _CheckedModule:
    """A module that runs in check mode inside another one, with options of its own. Its warnings are dropped."""

    check_mode = True
    _diff = False

    def __init__(self, module: Any, params: dict[str, Any]) -> None:
        self._module = module
        self.params = params

    def __getattr__(self, name: str) -> Any:
        """Return what the outer module has."""
        return getattr(self._module, name)

    def warn(self, sentence: str) -> None:
        """Drop a warning: the module itself repeats it when it runs."""

    def fail_json(self, msg: str = "", **result: Any) -> None:
        """End with a failure."""
        raise _Ended({"msg": msg, **result})

    def exit_json(self, **result: Any) -> None:
        """End with a result."""
        raise _Ended(result)


def in_check_mode(
    module: Any, body: Callable[[Any], dict[str, Any]], options: dict[str, Any], kind: str
) -> dict[str, Any]:
    """Return what a module's body returns in check mode, even if that is a failure.

    Options that the outer module does not have keep their defaults.
    """
    params = {name: module.params.get(name, option.get("default")) for name, option in options.items()}
    params["cluster"] = None  # checked already
    try:
        run(_CheckedModule(module, params), body, kind)
    except _Ended as end:
        return end.result
    raise AssertionError("a module ends with a result")
