# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say where phases run: on this host, or in Kubernetes Jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ..._core.software.builder import JOB, LOCAL, image_settings, job_settings, unused_error
from ..._core.software.settings import number_errors, place_errors
from ..module import PlanRejected, open_api
from ..software.local import LocalExecutor, runs_as_root
from .software import LEAST, PLACES, open_executor

if TYPE_CHECKING:
    from ..._core.software.job_manifests import JobSettings
    from ..software.job import JobExecutor
    from ..software.server_images import ServerImages

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
    "builder_pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "builder_start_timeout": {"type": "int", "default": 600},
}


def _only_reads(module: Any) -> bool:
    return bool(module.check_mode) or "state" not in module.params


def _check_claims(executor: JobExecutor) -> None:
    """Raise PlanRejected if a claim does not exist: a pod would wait for it."""
    settings = executor.settings
    errors = []
    for option, claim in (("builder_claim", settings.claim), ("source_claim", settings.source_claim)):
        if claim is not None and not executor.has_claim(claim):
            errors.append(f"{option}: namespace {settings.namespace} has no claim {claim}: create it with lmod_tree")
    if errors:
        raise PlanRejected(errors)


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
        found += [error] if error is not None else []
        if params.get("state") == "promoted" and runs_as_root(params["build_user"] or None):
            found.append(
                "build_user: the checks of a promotion run commands and modulefiles of the release, which must not run as root: "
                "set it to the user that owns the tree"
            )
        if params.get("server_images"):
            image_settings(params, found)
        return open_executor(params, found, is_preview=is_preview)
    executor = _job_executor(module, found)
    _check_claims(executor)
    return executor


def open_source(module: Any) -> Union[LocalExecutor, JobExecutor]:
    """Return an executor for the tree whose release is promoted. Raises PlanRejected."""
    params: Mapping[str, Any] = module.params
    option = "source" if params["builder"] == LOCAL else "source_claim"
    if params[option] is None:
        raise PlanRejected(
            [f"{option}: set the {'path' if option == 'source' else 'claim'} of the tree whose release is promoted"]
        )
    if params["builder"] == LOCAL:
        return open_executor(params, path=params["source"])
    executor = _job_executor(module, [])
    executor.settings = replace(executor.settings, claim=params["source_claim"])
    executor.read_only = True
    return executor


@contextlib.contextmanager
def open_images(module: Any, executor: Union[LocalExecutor, JobExecutor]) -> Iterator[Optional[ServerImages]]:
    """Give the images of servers that the gate checks releases in, None if there are none. Raises PlanRejected."""
    params: Mapping[str, Any] = module.params
    images = params["server_images"]
    if not images or module.check_mode:
        yield None
        return
    from ..software.server_images import ServerImages

    if params["builder"] == JOB:
        yield ServerImages(cast("JobExecutor", executor), images)
        return
    with _opened(module, image_settings(params, [])) as jobs:
        _check_claims(jobs)
        yield ServerImages(jobs, images)


def _job_executor(module: Any, found: list[str]) -> JobExecutor:
    params: Mapping[str, Any] = module.params
    settings = job_settings(params, found)
    found += [*place_errors(params, PLACES), *number_errors(params, LEAST)]
    if found:
        raise PlanRejected(found)
    return _opened(module, settings)


def _opened(module: Any, settings: JobSettings) -> JobExecutor:
    # Imported here, because a local run does not need the client, which takes half a second to load.
    from ..software.job import JobExecutor

    executor = JobExecutor(open_api(module), settings, module.params.get("jobs") or 1, _only_reads(module))
    executor.start_timeout = module.params["builder_start_timeout"]
    return executor
