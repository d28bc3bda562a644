# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module user_pvc_info, from its options to its result."""

from __future__ import annotations

from typing import Any

from ..._core import requests
from ..._core.homes.census import Person, census
from ..._core.homes.observed import is_home
from ..._core.kubernetes.claims import claim_from
from ..._core.report.census import census_text
from ..._core.report.homes import home_row, table
from ..kubernetes.errors import ApiError
from ..kubernetes.facts import read_pods
from ..module import PlanRejected, open_api
from ..options.connection import argument_spec as connection_spec
from ..options.users import SOURCE_SPEC, Sources, template_of, users_given


def argument_spec() -> dict[str, Any]:
    """Return the options of `user_pvc_info`."""
    return {**connection_spec(), **SOURCE_SPEC}


def show_homes(module: Any) -> dict[str, Any]:
    """Return the homes of a namespace and, when users are given, their census."""
    params = module.params
    errors: list[str] = []
    template = template_of(params, errors)
    given = users_given(params)
    specs = Sources(params).specs(errors) if given else []
    if errors or template is None:
        raise PlanRejected(errors)

    api = open_api(module)
    namespace = params["namespace"]
    claims = api.list_all(requests.CLAIMS, namespace, claim_from)
    if not claims:
        _require_namespace(api, namespace)
    try:
        pods = read_pods(api, namespace)
    except ApiError as error:
        if error.status != 403:
            raise
        pods = None
        module.warn(f"Which homes are mounted is unknown: {error}")
    now = api.now()
    homes = [home_row(claim, pods, now) for claim in sorted(claims, key=lambda item: item.name) if is_home(claim)]
    result: dict[str, Any] = {"changed": False, "homes": homes, "text": table(homes)}
    if given:
        people = [Person(spec.name, spec.server) for spec in specs]
        found = census(people, claims, template)
        result["census"] = found
        result["census_text"] = census_text(found)
    return result


def _require_namespace(api: Any, namespace: str) -> None:
    """Raise PlanRejected when the namespace does not exist. The API server lists it like an empty one."""
    try:
        found = api.get(requests.NAMESPACES, None, namespace)
    except ApiError as error:
        if error.status == 403:
            return
        raise
    if found is None:
        raise PlanRejected([f"Namespace {namespace} does not exist: correct `namespace`"])
