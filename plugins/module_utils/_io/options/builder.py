# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say where phases run: on this host, or in Kubernetes Jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from ..._core.software.builder import JOB, LOCAL, job_settings, unused_error
from ..._core.software.settings import number_errors, place_errors
from ..module import PlanRejected, open_api
from ..software.local import LocalExecutor
from .software import LEAST, PLACES, open_executor

if TYPE_CHECKING:
    from ..software.job import JobExecutor

BUILDER_SPEC: dict[str, Any] = {
    "builder": {"type": "str", "choices": [LOCAL, JOB], "default": LOCAL},
    "builder_namespace": {"type": "str"},
    "builder_claim": {"type": "str"},
    "builder_image": {"type": "str"},
    "builder_resources": {"type": "dict", "default": {}},
    "builder_service_account": {"type": "str"},
    "builder_uid": {"type": "int"},
    "builder_gid": {"type": "int"},
    "builder_node_selector": {"type": "dict", "default": {}},
    "builder_tolerations": {"type": "list", "elements": "dict", "default": []},
    "builder_pull_secrets": {"type": "list", "elements": "str", "default": []},
    "builder_start_timeout": {"type": "int", "default": 600},
}


def open_builder(
    module: Any, errors: Sequence[str] = (), is_preview: bool = False
) -> Union[LocalExecutor, JobExecutor]:
    """Return the executor that the options describe; `is_preview` is for a tree on this host, see `open_executor`.

    Raises PlanRejected with these errors and those of the options.
    """
    params: Mapping[str, Any] = module.params
    found = list(errors)
    if params["builder"] == LOCAL:
        error = unused_error(params)
        return open_executor(params, [*found, error] if error is not None else found, is_preview=is_preview)
    settings = job_settings(params, found)
    found += [*place_errors(params, PLACES), *number_errors(params, LEAST)]
    if found:
        raise PlanRejected(found)
    # Imported here, because a local run does not need the client, which takes half a second to load.
    from ..software.job import JobExecutor

    executor = JobExecutor(open_api(module), settings, params.get("jobs") or 1, module.check_mode)
    executor.start_timeout = params["builder_start_timeout"]
    return executor
