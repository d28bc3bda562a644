# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that brings a configuration into a hub."""

from __future__ import annotations

import shlex
from typing import NamedTuple, Optional

from .notebook_namespace import Workload


class HelmRelease(NamedTuple):
    """A release of the chart. `version` is that of the chart, "" if it is not known; `is_new`: it is not installed yet."""

    name: str
    chart: str
    namespace: str
    version: str = ""
    is_new: bool = False


def upgrade(release: HelmRelease, values_file: str, is_addition: bool) -> str:
    """Return the command for a hub that is configured. `is_addition`: the file has only keys of this role."""
    # Keys of this role are added to the values of the release.
    reused = ["--reuse-values"] if is_addition and not release.is_new else []
    return shlex.join([*_helm(release), *reused, "-f", values_file])


def restoration(release: HelmRelease, values_file: Optional[str]) -> str:
    """Return the command for a hub that is restored. `values_file` is None if only the operator has one."""
    return shlex.join([*_helm(release), "--reset-values", "-f", values_file or "YOUR-VALUES.yaml"])


def rollout(workload: Optional[Workload], namespace: str) -> str:
    """Return the command that restarts a hub of Open Data Hub. Without a workload it is the DeploymentConfig of old."""
    name = "jupyterhub" if workload is None else workload.name
    words = ["oc", "rollout", "latest", f"dc/{name}"]
    if workload is not None and workload.kind == "Deployment":
        words = ["oc", "rollout", "restart", f"deployment/{name}"]
    return shlex.join([*words, "--namespace", namespace])


def _helm(release: HelmRelease) -> list[str]:
    words = ["helm", "upgrade", *(["--install"] if release.is_new else []), release.name, release.chart]
    words += ["--namespace", release.namespace]
    return [*words, "--version", release.version] if release.version else words
