# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a run in Kubernetes Jobs, checked."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Optional

from ..metadata import NAMESPACE, claim_name_error
from ..quantity import QuantityError, parse_quantity
from ..text import quote_list
from ..validation import quoted
from .job_manifests import JobSettings
from .settings import number_errors

LOCAL, JOB = "local", "job"
NEEDED_BY_IMAGES = ("builder_namespace", "builder_claim")
NEEDED = (*NEEDED_BY_IMAGES, "builder_image")
#: Options of this host, which Jobs do not see.
_OF_HOST = ("path", "build_user", "source")
#: Root's ids are 0.
_LEAST = {"builder_uid": 1, "builder_gid": 1, "builder_start_timeout": 1}
_RESOURCES = ("requests", "limits")
_DEFAULT_PYTHON = "/usr/bin/python3"
#: The name of an image, loosely: container runtimes know the rest.
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*\Z")


def job_settings(params: Mapping[str, Any], errors: list[str]) -> JobSettings:
    """Return where phases run. What is wrong is added to `errors`."""
    missing = [name for name in NEEDED if not params[name]]
    if missing:
        errors.append(f"builder: `job` also needs {quote_list(missing)}: set them")
    for name in _OF_HOST:
        if params.get(name) is not None:
            errors.append(f"{name}: Jobs do not use this host: remove it, or set `builder: local`")
    return _settings(params, errors)


def image_settings(params: Mapping[str, Any], errors: list[str]) -> JobSettings:
    """Return where `server_images` are checked if the host of the task builds. What is wrong is added to `errors`."""
    missing = [name for name in NEEDED_BY_IMAGES if not params[name]]
    if missing:
        errors.append(
            f"server_images: Jobs check them, also with `builder: local`, and need {quote_list(missing)}: set a namespace and "
            "its claim of the tree, which may be read-only, or set only `server_python`"
        )
    return _settings(params, errors)


def _settings(params: Mapping[str, Any], errors: list[str]) -> JobSettings:
    namespace, claim = params["builder_namespace"] or "", params["builder_claim"] or ""
    if namespace and not NAMESPACE.match(namespace):
        errors.append(f"builder_namespace: {quoted(namespace)} cannot be the name of a namespace: correct it")
    for name in ("builder_claim", "source_claim"):
        if params.get(name) and (error := claim_name_error(params[name])):
            errors.append(f"{name}: {quoted(params[name])} {error}: correct it")
    if claim and params.get("source_claim") == claim:
        errors.append("source_claim: this is the tree itself: set the claim of the other tree")
    errors += number_errors(params, _LEAST)
    errors += [
        f"server_images: {quoted(image)} is not an image: write it as in a pod, such as registry.example.org/notebook:1"
        for image in params.get("server_images") or ()
        if not _IMAGE.match(image)
    ]
    if (python := params.get("server_python")) and params.get("server_images") and not posixpath.isabs(python):
        errors.append(
            f"server_python: {quoted(python)} is not an absolute path: write the path of Python in the images"
        )
    easybuild = params.get("easybuild")
    return JobSettings(
        namespace,
        claim,
        params["builder_image"] or "",
        params["prefix"],
        f"{easybuild}/bin/python" if easybuild else _DEFAULT_PYTHON,
        params.get("build_path") or "/tmp",
        _resources(params["builder_resources"], errors),
        params["builder_service_account"],
        params["builder_uid"],
        params["builder_gid"],
        {str(key): str(value) for key, value in params["builder_node_selector"].items()},
        tuple(params["builder_tolerations"]),
        tuple(params["builder_pull_secrets"]),
        params.get("source_claim"),
        params.get("server_python") or "python3",
    )


def unused_error(params: Mapping[str, Any]) -> Optional[str]:
    """Return what is wrong with options of Jobs without Jobs, None if there are none."""
    allowed = NEEDED_BY_IMAGES if params.get("server_images") else ()
    used = [name for name in (*NEEDED, "source_claim") if params.get(name) and name not in allowed]
    if not used:
        return None
    return f"{used[0]}: it has an effect only with `builder: job`: set that, or remove it"


def _resources(resources: Mapping[str, Any], errors: list[str]) -> dict[str, dict[str, str]]:
    """Return the requests and limits of a container, as texts: YAML reads `cpu: 2` as a number."""
    found: dict[str, dict[str, str]] = {}
    for kind, quantities in resources.items():
        if kind not in _RESOURCES or not isinstance(quantities, Mapping):
            errors.append(
                f"builder_resources: {quoted(str(kind))} is unknown: use `requests` and `limits`, as a container"
            )
            continue
        found[kind] = {str(name): str(quantity) for name, quantity in quantities.items()}
        for name, quantity in found[kind].items():
            try:
                parse_quantity(quantity)
            except QuantityError as error:
                errors.append(f"builder_resources: {kind}.{name}: {error}")
    return found
