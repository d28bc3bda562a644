# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `lmod_tree`, from options to result."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from ..._core.directories.model import DesiredDirectory
from ..._core.metadata import KIND_TREE, PRESENT, STATES
from ..._core.outcome import Outcome
from ..._core.plan import Plan
from ..._core.shares.planning.desired import Share, ShareSettings
from ..._core.shares.spec import ShareSpec
from ..._core.software.tree_skeleton import folder_options, skeleton
from ..._core.software.tree_spec import BACKENDS, namespaces_of, resolve_tree, tree_spec
from ..._core.times import parse_span
from ..._software.tree_layout import SKELETON
from ..filesystem.accounts import account_of, group_id
from ..kubernetes.readiness import Timings
from ..kubernetes.shares import SharesRun
from ..module import PlanRejected, finish, open_api, timings_result
from ..options.connection import argument_spec as connection_spec
from ..options.result import RESULT_SPEC
from ..software.tree_folder import FolderSettings, TreeFolder

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
        **RESULT_SPEC,
        "name": {"type": "str", "default": "software"},
        "state": {"type": "str", "default": PRESENT, "choices": list(STATES)},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "builder_namespace": {"type": "str"},
        "create_namespace": {"type": "bool", "default": False},
        "size": {"type": "str"},
        "backend": {"type": "dict", "options": _BACKEND},
        "distinct_from": {"type": "list", "elements": "str", "default": []},
        "retention": {"type": "str", "default": "30d"},
        "path": {"type": "path"},
        "prefix": {"type": "path"},
        "mounted": {"type": "bool"},
        "build_user": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str", "default": "0755"},
        "adopt": {"type": "bool", "default": False},
        "lmod_cmd": {"type": "path", "default": "/usr/share/lmod/lmod/libexec/lmod"},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
        "wait_sleep": {"type": "int", "default": 2},
    }


class _Claims(NamedTuple):
    """The claims and volumes of a tree, planned. `absent` are the namespaces that do not exist yet."""

    run: SharesRun
    plan: Plan
    absent: set[str]


def manage_tree(module: Any) -> dict[str, Any]:
    """Bring claims, volumes and directory of the tree to the desired state. In check mode, return what a run would do."""
    params = module.params
    errors: list[str] = []
    spec = tree_spec(params, errors)
    share, settings = _desired(module, spec, errors)
    folder = _folder(module, spec, errors) if params["state"] == PRESENT else None
    if not settings.namespaces and folder is None:
        errors.append("one of the following is required: namespaces, builder_namespace, path")
    if errors:
        raise PlanRejected(errors)
    with folder or contextlib.nullcontext():
        plan = folder.plan() if folder is not None else Plan()
        claims = _plan_claims(module, share, settings, errors) if settings.namespaces else None
        errors += folder.errors if folder is not None else []
        plan = plan.joined(claims.plan) if claims is not None else plan
        errors += [change.reason for change in plan.refusals]
        if errors:
            raise PlanRejected(errors, plan)
        outcome = folder.apply() if folder is not None else Outcome(Plan())
        if claims is not None and not outcome.failures:
            outcome = outcome.followed_by(_apply_claims(module, claims))
    return finish(module, outcome, KIND_TREE, **timings_result(claims.run.timings if claims is not None else {}))


def _plan_claims(module: Any, share: Share, settings: ShareSettings, errors: list[str]) -> _Claims:
    params = module.params
    run = SharesRun(open_api(module), settings, [share])
    plan = run.plan()
    creates = params["create_namespace"] and params["state"] == PRESENT
    wrong, absent = run.namespace_errors(plan, settings.namespaces if creates else None)
    errors += wrong
    return _Claims(run, plan, absent)


def _apply_claims(module: Any, claims: _Claims) -> Outcome:
    params = module.params
    outcome = claims.run.apply_plan(claims.plan, claims.absent, params["create_namespace"])
    if params["wait"] and not module.check_mode:
        claims.run.wait(outcome, Timings(params["wait_timeout"], params["wait_sleep"]))
    return outcome


def _folder(module: Any, spec: ShareSpec, errors: list[str]) -> Optional[TreeFolder]:
    """Return the directory of the tree on this host, None without `path`."""
    params = module.params
    options = folder_options(params, spec, errors)
    if options is None:
        return None
    account, gid = account_of(params["build_user"], errors), group_id(params["group"], errors)
    settings = FolderSettings(
        options, account, params["mounted"], params["adopt"], params["lmod_cmd"], module.check_mode
    )
    uid = account.pw_uid if account is not None else None
    common = DesiredDirectory((), spec.name, uid=uid, gid=gid, mode=options.mode)
    return TreeFolder(settings, skeleton(SKELETON, common))


def _desired(module: Any, spec: ShareSpec, errors: list[str]) -> tuple[Share, ShareSettings]:
    """Return the desired claims and volumes. What is wrong with the options is appended to `errors`."""
    params = module.params
    namespaces = namespaces_of(params, errors)
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
        check_mode=module.check_mode,
        allows_missing=module.allows_missing,
        now=datetime.now(timezone.utc),
        specs=(spec,),
    )
    share, wrong = resolve_tree(spec, params["builder_namespace"] or "", settings)
    errors += wrong if namespaces else []
    return share, settings
