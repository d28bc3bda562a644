# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_preflight`, from its options to its result."""

from __future__ import annotations

import os
from typing import Any, Callable, Optional

from ..._core.directories.plan import KIND_DIRECTORY
from ..._core.metadata import ABSENT, PRESENT, RETIRED
from ..._core.preflight import rejections
from ..._core.report.result_size import shortened, whole_lists
from ..module import PlanRejected, open_api, run
from ..options.result import write_report
from ..options.shares import shares_of
from . import share_acl, share_directory, share_pvc

#: Options of the previewed modules that have no effect on a preview.
NOT_OURS = (
    "state",
    "only_states",
    "wait",
    "wait_timeout",
    "wait_sleep",
    "volumes_results",
)


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_preflight`."""
    options = {**share_pvc.argument_spec(), **share_acl.argument_spec(), **share_directory.argument_spec()}
    return {
        **{name: option for name, option in options.items() if name not in NOT_OURS},
        "create_namespace": {"type": "bool", "default": False, "aliases": ["create_namespaces"]},
        "path": {"type": "path"},
        "other_results": {"type": "list", "elements": "dict", "default": []},
    }


def preflight(module: Any) -> dict[str, Any]:
    """Preview directories, the access list, claims and volumes. If there is nothing to do, return what the modules would.

    `share_pvc` runs first and rejects by itself before it writes. So its requests are validated only if something else
    precedes them, or if the run is rejected anyway and all errors should be reported at once.
    """
    params = module.params
    # It is for what the modules would write. What is rejected is not a result of theirs.
    report = params.pop("report_file")
    # The expected cluster is checked, and a connection without verification warns.
    open_api(module)
    directories = Preview(module, share_directory.argument_spec())
    if params["path"] is not None:
        directories.run(share_directory.manage_directories, KIND_DIRECTORY)
    others = [*params["other_results"], directories.result]
    acl = _preview_acl(module)
    reasons = rejections([*others, acl.result], module.check_mode)
    deletions = sum(share.state in (RETIRED, ABSENT) for share in shares_of(params, []))

    missing: list[str] = []

    def body(checked: Any) -> dict[str, Any]:
        planned = share_pvc.plan_shares(checked)
        missing.extend(sorted(planned.absent) if params["create_namespace"] else ())
        if planned.changes_something and not (deletions or reasons):
            return {"changed": True}
        return share_pvc.apply_shares(checked, planned)

    volumes = Preview(module, share_pvc.argument_spec(), only_states=[PRESENT])
    volumes.run(body, "share")
    deletion = Preview(module, share_pvc.argument_spec(), only_states=[RETIRED, ABSENT])
    if deletions:
        deletion.run(body, "share")
    previews = {"volumes": volumes, "directories": directories, "acl": acl, "deletion": deletion}
    results = [preview.result for preview in previews.values()]
    reasons = rejections([*others, volumes.result, acl.result, deletion.result], module.check_mode)
    if reasons:
        withdrawing = None if acl.result.get("msg") else _withdrawing(module, volumes, deletion)
        if withdrawing is None:
            raise PlanRejected(reasons)
        lines = "\n".join(f"- {reason}" for reason in reasons)
        return withdrawing | {"rejection": f"Only the access list was written, because it withdraws access:\n{lines}"}
    nothing_to_do = not any(result.get("changed") for result in results)
    # Not `changed` of other results, because a role may override it.
    nothing_to_do = nothing_to_do and not any(
        result.get("changes") or result.get("msg") for result in others if not result.get("skipped")
    )
    result: dict[str, Any] = {
        "changed": False,
        "rejection": "",
        "volumes_results": [],
        "missing_namespaces": missing,
        "deletions": deletions,
        "nothing_to_do": nothing_to_do,
    }
    if nothing_to_do:
        result["previews"] = {name: preview.result for name, preview in previews.items()}
        for name, preview in previews.items():
            _write_report(module, report, name, preview)
            for sentence in preview.warnings:
                module.warn(sentence)
    return result


def _write_report(module: Any, report: Optional[str], name: str, preview: Preview) -> None:
    """Write what a module that need not run would write, so that the files of an earlier run do not stay."""
    if not report:
        return
    stem, extension = os.path.splitext(report)
    path = f"{stem}_{name}{extension}"
    try:
        if preview.whole:
            write_report(path, whole_lists(preview.whole))
        elif os.path.exists(path):
            os.unlink(path)
    except OSError as error:
        module.warn(f"report_file: {error}")


def _preview_acl(module: Any, **more: Any) -> Preview:
    """Preview the access list. Before it is published, `share_pvc` may create its namespace."""
    params = module.params
    acl = Preview(module, share_acl.argument_spec(), **more)
    if params["create_namespace"]:
        present = [share for share in shares_of(params, []) if share.state not in (RETIRED, ABSENT)]
        created = {*params["namespaces"], *(name for share in present for name in share.namespaces)}
        acl.allows_missing |= (params["profiles_namespace"] or params["namespace"]) in created
    acl.run(share_acl.manage_acl, "acl")
    return acl


def _withdrawing(module: Any, *claims: Preview) -> Optional[dict[str, Any]]:
    """Return the result of a rejected run that withdraws access, None if it withdraws nothing.

    Others may have made what is rejected, so that they keep their access. The access list is published first, without the
    new shares, and then the run fails.
    """
    failed = [{"msg": preview.result["msg"]} for preview in claims if preview.result.get("msg")]
    acl = _preview_acl(module, volumes_results=failed or [{"msg": "rejected"}])
    if acl.result.get("msg") or not acl.result.get("access", {}).get("withdrawals"):
        return None
    return {
        "changed": False,
        "missing_namespaces": [],
        "deletions": 0,
        "nothing_to_do": False,
        "volumes_results": acl.params["volumes_results"],
    }


class _Ended(Exception):
    """A module has ended, with this result."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


class Preview:
    """A module that runs in check mode inside another one, with its options. Options that it lacks keep their defaults.

    If the outer module does not run in check mode, no earlier task creates what is missing: the next tasks would reject it.
    """

    check_mode = True
    _diff = False

    def __init__(self, module: Any, options: dict[str, Any], **more: Any) -> None:
        self._module = module
        self.allows_missing: bool = module.check_mode
        self.params = {name: module.params.get(name, option.get("default")) for name, option in options.items()}
        self.params.update(more, cluster=None)  # the outer module has checked the cluster
        #: What the module returned, like a skipped task if it did not run.
        self.result: dict[str, Any] = {"changed": False, "skipped": True}
        #: The same with all its items, empty if it did not run.
        self.whole: dict[str, Any] = {}
        self.warnings: list[str] = []

    def run(self, body: Callable[[Any], dict[str, Any]], kind: str) -> None:
        """Run a module's body in check mode, and keep its result, be it a failure."""
        try:
            run(self, body, kind)
        except _Ended as end:
            self.result = end.result

    def __getattr__(self, name: str) -> Any:
        """Return what the outer module has."""
        return getattr(self._module, name)

    def warn(self, sentence: str) -> None:
        """Keep a warning: if the module itself runs later, it repeats it."""
        self.warnings.append(sentence)

    def fail_json(self, msg: str = "", **result: Any) -> None:
        """End with a failure."""
        raise _Ended({"msg": msg, **shortened(result, self.params["max_changes"])})

    def exit_json(self, **result: Any) -> None:
        """End with a result."""
        self.whole = result
        raise _Ended(shortened(result, self.params["max_changes"]))
