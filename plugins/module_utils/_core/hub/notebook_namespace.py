# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The namespace of the servers of classic Open Data Hub: NOTEBOOK_NAMESPACE of the workload that runs the hub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Callable, NamedTuple, Optional

from ..metadata import NAMESPACE

VARIABLE = "NOTEBOOK_NAMESPACE"
#: What the operator of the hub may write into its own configuration in place of the variable.
_SET_IN_PYTHON = re.compile(r"(KubeSpawner|OpenShiftSpawner)\.namespace\s*=")

#: Returns the data of a ConfigMap in the namespace of the hub, None if it does not exist.
ReadConfigMap = Callable[[str], Optional[Mapping[str, str]]]


class Workload(NamedTuple):
    """The Deployment or DeploymentConfig of a hub."""

    kind: str
    name: str
    spec: Mapping[str, Any]


def workload_of(kind: str, items: Iterable[Mapping[str, Any]], account: str) -> Optional[Workload]:
    """Return the workload whose pods run as a service account, None without one."""
    for item in sorted(items, key=lambda item: str(item["metadata"]["name"])):
        spec = ((item.get("spec") or {}).get("template") or {}).get("spec") or {}
        if account in (spec.get("serviceAccountName"), spec.get("serviceAccount")):
            return Workload(kind, item["metadata"]["name"], spec)
    return None


def notebook_namespace(workload: Workload, namespace: str, read: ReadConfigMap) -> Optional[str]:
    """Return the namespace that the variable names, None if it is not set. The hub takes an empty one as not set.

    `namespace` is that of the hub. Raises ValueError, with a sentence, if the value cannot be known.
    """
    value: Optional[str] = None
    for container in workload.spec.get("containers") or ():
        found = _value(container, workload, namespace, read)
        value = found if found is not None else value
    if not value:
        return None
    if not NAMESPACE.match(value):
        raise _unknown(workload, f"is {value!r}, not the name of a namespace")
    return value


def contradiction(workload: Workload, given: str, variable: Optional[str], python: str) -> str:
    """Return why `hub_servers_namespace` and the hub do not agree, "" if they do. `python` is what the hub runs last."""
    place = f"{workload.kind} {workload.name}"
    if variable == given or _SET_IN_PYTHON.search(python):
        return ""
    if variable is None:
        return (
            f"`hub_servers_namespace` is {given}, but {place} does not set {VARIABLE}, so its servers run in the namespace of "
            f"the hub: set {VARIABLE} there, or remove `hub_servers_namespace`"
        )
    return (
        f"`hub_servers_namespace` is {given}, but {VARIABLE} of {place} is {variable}: set both to the same namespace, or "
        "remove `hub_servers_namespace`"
    )


def _value(container: Mapping[str, Any], workload: Workload, namespace: str, read: ReadConfigMap) -> Optional[str]:
    """Return the value in a container. Variables of `env` hide those of `envFrom`, and the last one counts."""
    value: Optional[str] = None
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        name = (source.get("configMapRef") or {}).get("name")
        if name and VARIABLE.startswith(prefix):
            value = (read(name) or {}).get(VARIABLE[len(prefix) :], value)
    for variable in container.get("env") or ():
        if variable.get("name") == VARIABLE:
            value = _variable(variable, workload, namespace, read)
    return value


def _variable(variable: Mapping[str, Any], workload: Workload, namespace: str, read: ReadConfigMap) -> Optional[str]:
    source = variable.get("valueFrom")
    if not source:
        text = str(variable.get("value") or "")
        if "$(" in text:
            raise _unknown(workload, f"is {text!r}, which depends on other variables")
        return text
    if (source.get("fieldRef") or {}).get("fieldPath") == "metadata.namespace":
        return namespace
    reference = source.get("configMapKeyRef")
    if reference:
        return (read(reference["name"]) or {}).get(reference["key"])
    raise _unknown(workload, "comes from a source that is not read")


def _unknown(workload: Workload, what: str) -> ValueError:
    return ValueError(
        f"{VARIABLE} of {workload.kind} {workload.name} {what}: set `hub_servers_namespace` to the namespace of the servers"
    )
