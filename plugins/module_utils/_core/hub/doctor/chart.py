# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a hub of the Helm chart Zero to JupyterHub, from the values in its Secret.

Source: the chart's `files/hub/jupyterhub_config.py`. It runs the values, then the files in `jupyterhub_config.d`, then
`hub.extraConfig` in the order of its keys.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..helm_values import FOLDER
from ..hub_python import PACKAGE
from .python_settings import ANY, COMPUTED, Assignment, python_settings
from .settings import HubSettings, mapping_at, settings_of

SNIPPETS_FOLDER = f"{FOLDER}/jupyterhub_config.d"
_CONFIGURATION = f"{FOLDER}/jupyterhub_config.py"
#: Traits that the chart sets from values: section, trait, keys of the value.
_TRAITS = (
    ("Spawner", "consecutive_failure_limit", ("hub", "consecutiveFailureLimit")),
    ("KubeSpawner", "fs_gid", ("singleuser", "fsGid")),
    ("KubeSpawner", "extra_pod_config", ("singleuser", "extraPodConfig")),
)


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with those of `hub.existingSecret`, as the chart's z2jh.py merges them."""
    result = dict(values)
    for key, value in more.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def chart_settings(values: Mapping[str, Any]) -> HubSettings:
    """Return the settings of the values."""
    hub = mapping_at(values, "hub")
    first = [
        Assignment(section, trait, value, f"the value {'.'.join(keys)}")
        for section, trait, keys in _TRAITS
        for value in [mapping_at(values, *keys[:-1]).get(keys[-1])]
        if value is not None
    ]
    roles = mapping_at(hub, "loadRoles")
    role_list = [{"name": name, **role} if isinstance(role, Mapping) else COMPUTED for name, role in roles.items()]
    first.append(Assignment("JupyterHub", "load_roles", role_list, "the value hub.loadRoles"))
    for section, traits in mapping_at(hub, "config").items():
        for trait, value in traits.items() if isinstance(traits, Mapping) else ():
            first.append(Assignment(str(section), str(trait), value, f"the value hub.config.{section}.{trait}"))
    if hub.get("args") or hub.get("command"):
        first.append(Assignment(ANY, ANY, COMPUTED, "the value hub.args or hub.command"))
    # Nothing is known of a hub that runs another file than the chart's.
    last: list[Assignment] = []
    mounts = hub.get("extraVolumeMounts")
    for mount in mounts if isinstance(mounts, list) else ():
        path = posixpath.normpath(str(mount.get("mountPath", ""))) if isinstance(mount, Mapping) else ""
        if replaces_configuration(path):
            last.append(Assignment(ANY, ANY, COMPUTED, "the value hub.extraVolumeMounts"))
        elif f"{path}/".startswith(f"{SNIPPETS_FOLDER}/"):
            first.append(Assignment(ANY, ANY, COMPUTED, "the value hub.extraVolumeMounts"))
    if any(map(replaces_configuration, _files(hub))):
        last.append(Assignment(ANY, ANY, COMPUTED, "the value hub.extraFiles"))
    settings = settings_of(python_settings(_sources(hub)), first)
    settings = replace(settings, assignments=[*settings.assignments, *last])
    version = str(mapping_at(values, "Chart").get("AppVersion") or "")
    return replace(settings, hub_version=version_numbers(version), values=values)


def replaces_configuration(path: str) -> bool:
    """Return whether what is mounted at a path hides the chart's own configuration file."""
    return bool(path) and f"{_CONFIGURATION}/".startswith(f"{posixpath.normpath(path).rstrip('/')}/")


def package_files(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of the spawn hook's package in the values, by the names of the files."""
    folder = f"{FOLDER}/{PACKAGE}"
    return {
        posixpath.basename(path): text
        for path, text in _files(mapping_at(values, "hub")).items()
        if posixpath.dirname(path) == folder
    }


def service_account(values: Mapping[str, Any], fullname: str) -> str:
    """Return the name of the hub's service account. `fullname` is the name of the chart's objects for the hub."""
    account = mapping_at(values, "hub", "serviceAccount")
    return str(account.get("name") or (fullname if account.get("create", True) else "default"))


def server_labels(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that the chart and KubeSpawner give to every server."""
    chart, release = mapping_at(values, "Chart"), mapping_at(values, "Release").get("Name")
    name = str(values.get("nameOverride") or chart.get("Name") or "jupyterhub")
    labels = {
        "app": name,
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/managed-by": "kubespawner",
        "app.kubernetes.io/component": "singleuser-server",
        "component": "singleuser-server",
    }
    if release:
        labels.update({"release": str(release), "app.kubernetes.io/instance": str(release)})
    extra = mapping_at(values, "singleuser", "extraLabels")
    return {**labels, **{str(key): str(value) for key, value in extra.items() if "{" not in str(value)}}


def version_numbers(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version, () if it has none."""
    match = re.match(r"v?(\d{1,4})\.(\d{1,4})", text)
    return (int(match[1]), int(match[2])) if match else ()


def _sources(hub: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the Python of the values with its titles, in the order in which the chart runs it."""
    files = {path: text for path, text in _files(hub).items() if posixpath.dirname(path) == SNIPPETS_FOLDER}
    found = [(posixpath.basename(path), text) for path, text in sorted(files.items()) if path.endswith(".py")]
    return found + [
        (f"extraConfig {key}", str(text or "")) for key, text in sorted(mapping_at(hub, "extraConfig").items())
    ]


def _files(hub: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of hub.extraFiles by their paths. A file that is no text has one that is not valid Python."""
    found = {}
    for entry in mapping_at(hub, "extraFiles").values():
        if isinstance(entry, Mapping):
            found[posixpath.normpath(str(entry.get("mountPath", "")))] = _text_of(entry)
    return found


def _text_of(entry: Mapping[str, Any]) -> str:
    text = entry.get("stringData")
    if isinstance(text, str) and text:
        return text
    try:
        content = "".join(str(entry.get("binaryData") or "").split())
        return base64.b64decode(content, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return "\0"
