# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of every module: connection, errors, and the result of an outcome."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Optional

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._core.inventory import list_error, list_text_error, number_error
from .._core.metadata import ABSENT, RETIRED
from .._core.outcome import Outcome
from .._core.plan import REFUSE, Change, Plan, failure_message, refusal_message, unready_message
from .._core.report.result_size import longest_diff, short_lists
from .._core.visible import (
    MASK,
    logins_without_scheme,
    options_without_credentials,
    visible,
    visible_lines,
    without_credentials,
)
from .errors import ExternalError
from .options.result import limited, result_errors

if TYPE_CHECKING:
    from .kubernetes.api import Api


#: Options that take results of other modules.
RESULTS_OF_OTHERS = ("volumes_results", "other_results")


class PlanRejected(Exception):
    """The run is rejected before its first write. `reasons` are sentences without a full stop."""

    def __init__(self, reasons: list[str], plan: Optional[Plan] = None) -> None:
        self.reasons = [reason.rstrip(".") for reason in reasons]
        super().__init__(refusal_message(self.reasons))
        self.plan = plan or Plan()
        #: More results of the failed module.
        self.more: dict[str, Any] = {}


class Module(AnsibleModule):
    """A module whose output has no credentials of URLs and no invisible characters, whatever the verbosity is."""

    def _load_params(self) -> None:
        """Read the options. Ansible would read the text "010" as 10, and cannot read one of thousands of digits."""
        super()._load_params()
        #: What is wrong with numbers, which are then missing from the options.
        self.number_errors: list[str] = []
        for name, option in self.argument_spec.items():
            error = number_error(self.params.get(name), name) if option.get("type") == "int" else None
            if error is not None:
                self.number_errors.append(error)
                del self.params[name]

    @property
    def allows_missing(self) -> bool:
        """Whether an earlier task may create what is missing: in check mode it did not run."""
        return bool(self.check_mode)

    def fail_json(self, msg: str, **result: Any) -> None:
        """End with a failure; also called by Ansible for options that are not valid."""
        result = self._limited(result)
        masked = {key: options_without_credentials(value) for key, value in result.items() if key != "exception"}
        if "exception" in result:
            masked["exception"] = result["exception"]
        super().fail_json(self._safe(str(msg)), **{"invocation": self._invocation(), **masked})

    def exit_json(self, **result: Any) -> None:
        """End with a result."""
        super().exit_json(**{"invocation": self._invocation(), **self._limited(result)})

    def warn(self, warning: str, **more: Any) -> None:
        """Add a warning to the result."""
        super().warn(self._safe(warning), **more)

    def _limited(self, result: dict[str, Any]) -> dict[str, Any]:
        try:
            return limited(getattr(self, "params", {}), result)
        except OSError as error:
            # What happened to the cluster must be reported in any case.
            self.warn(f"report_file: {error}")
            return limited({**self.params, "report_file": None}, result)

    def _invocation(self) -> dict[str, Any]:
        # What other tasks returned is in their results.
        params = {name: value for name, value in getattr(self, "params", {}).items() if name not in RESULTS_OF_OTHERS}
        return {"module_args": short_lists(options_without_credentials(params))}

    def _safe(self, text: str) -> str:
        params = getattr(self, "params", {})
        hub = params.get("hub")
        addresses = [params.get("host"), params.get("proxy"), hub.get("url") if isinstance(hub, dict) else None]
        addresses += [os.environ.get(f"K8S_AUTH_{name}") for name in ("HOST", "PROXY")]
        for login in logins_without_scheme(addresses):
            text = text.replace(login, f"{MASK}@")
        return visible_lines(without_credentials(text))


def open_api(module: Any) -> Api:
    """Return the API server of the module's connection options; fail if a library is missing or the cluster is another.

    Raises ExternalError. Warns if the connection does not verify the API server.
    """
    # Imported here, because some modules do not need the client, which takes half a second to load.
    from .kubernetes import connection
    from .kubernetes.api import Api
    from .kubernetes.identity import check_cluster
    from .kubernetes.parallel import CONNECTIONS

    if connection.COLLECTION_ERROR is not None:
        module.fail_json(
            msg="The collection kubernetes.core (6.0.0 or newer) is needed for the connection options: "
            "ansible-galaxy collection install kubernetes.core",
            exception=str(connection.COLLECTION_ERROR),
        )
    if connection.IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=str(connection.IMPORT_ERROR))
    api = Api(connection.connect(module, CONNECTIONS))
    if api.connection.insecure:
        module.warn(api.connection.insecure)
    if module.params["cluster"]:
        check_cluster(api, module.params["cluster"])
    return api


def run(module: Any, body: Callable[[Any], dict[str, Any]], kind: str) -> None:
    """Run the body of a module and exit; a rejected plan or an external error fails with one message.

    `kind` is what the module manages, for rejected input that belongs to no object yet.
    """
    try:
        _reject_texts(module)
        result = body(module)
    except PlanRejected as rejected:
        plan = rejected.plan
        changes = [change.as_result() for change in plan.refusals]
        # Rejected input has no object yet; it is listed like the refusals of a plan.
        changes = changes or [_rejected_input(module, kind, reason) for reason in rejected.reasons]
        module.fail_json(
            msg=str(rejected),
            changed=False,
            changes=changes,
            summary={"refuse": len(changes)},
            unreconcilable=[],
            failed_items=[],
            **rejected.more,
        )
    except ExternalError as error:
        sentence = visible_lines(str(error) if str(error).endswith("?") else f"{error}.")
        module.fail_json(msg=sentence, changed=False, changes=[], summary={}, unreconcilable=[], failed_items=[])
    except RecursionError:
        module.fail_json(
            msg="The input is nested too deeply: write lists and mappings with fewer levels.",
            changed=False,
            changes=[],
            summary={},
            unreconcilable=[],
            failed_items=[],
        )
    else:
        module.exit_json(**result)


def _reject_texts(module: Any) -> None:
    """Raise PlanRejected for each option that is a list and got a text which looks like one, and for wrong numbers."""
    errors = [*module.number_errors, *result_errors(module.params)]
    for name, option in module.argument_spec.items():
        value = module.params.get(name)
        error = None
        if option.get("type") == "list" and isinstance(value, list):
            error = list_text_error(value, name, items=option.get("elements") == "str")
        elif name in (RETIRED, ABSENT):
            error = list_error(value, name)
        if error is not None:
            errors.append(error)
    if errors:
        raise PlanRejected(errors)


def _rejected_input(module: Any, kind: str, reason: str) -> dict[str, Any]:
    return Change(REFUSE, kind, module.params.get("namespace") or "", "", reason).as_result()


def timings_result(timings: dict[str, float]) -> dict[str, Any]:
    """Return the seconds of each phase if the benchmarks ask for them, else nothing."""
    return {"timings": timings} if os.environ.get("ODH_PERSISTENCY_TIMINGS") == "1" else {}


def refuse(plan: Plan) -> None:
    """Raise PlanRejected with all refusals of a plan, if it has any."""
    if plan.refusals:
        raise PlanRejected([change.reason for change in plan.refusals], plan)


def finish(module: Any, outcome: Outcome, kind: str, **more: Any) -> dict[str, Any]:
    """Return the module's result, computed from the outcome; fail if a change failed or something is not ready."""
    plan = outcome.plan
    for sentence in [*plan.warnings(), *outcome.warnings]:
        module.warn(visible(sentence))
    summary = plan.summary()
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "changes": plan.results(),
        "summary": summary,
        "unreconcilable": [unreconcilable.as_result() for unreconcilable in plan.unreconcilable],
        **more,
    }
    if outcome.missing:
        result["missing_namespaces"] = sorted(set(outcome.missing))
    if module._diff:
        result["diff"] = plan.diff(longest_diff(os.environ))
    messages = []
    if outcome.failures:
        messages.append(failure_message(outcome.failures, len(plan.pending), kind))
    if outcome.unready:
        messages.append(unready_message(outcome.unready))
    if messages:
        failed = [failure.as_result() for failure in [*outcome.failures, *outcome.unready]]
        module.fail_json(msg="\n".join(messages), failed_items=failed, **result)
    return result
