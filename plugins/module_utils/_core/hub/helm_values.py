# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values for the Helm chart Zero to JupyterHub: the package of the spawn hook, and the Python that calls it.

Everything that an inventory sets reaches Python as one JSON text in a quoted literal, so no name or path can break out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

PACKAGE = "odh_persistency"
#: The chart's own configuration file puts its folder on sys.path (files/hub/jupyterhub_config.py in the chart).
FOLDER = "/usr/local/etc/jupyterhub"
#: The chart runs the snippets in the order of their names, and this one chains the hooks that the others set.
SNIPPET = "zz-odh-persistency"
#: The chart stores the files in a Secret, and the API server accepts 1 MiB.
MOST = 512 * 1024

_CONFIGURATION = """\
# Written by odh.persistency, role hub. Sets the hooks of the spawner, and chains those that are set above.
import asyncio
import datetime
import json
import sys

import jupyterhub
import kubespawner
from tornado.web import HTTPError

if {folder!r} not in sys.path:
    sys.path.insert(0, {folder!r})

from {package}.hub_configuration import configure
from {package}.hub_settings import Runtime

configure(
    c,
    json.loads({settings!r}),
    Runtime(
        http_error=HTTPError,
        clock=lambda: datetime.datetime.now(datetime.timezone.utc),
        schedule=asyncio.ensure_future,
        hub_version=jupyterhub.version_info[:2],
        has_trait=kubespawner.KubeSpawner.class_trait_names().__contains__,
    ),
)
"""


def configuration_text(settings: Mapping[str, Any], folder: str = FOLDER) -> str:
    """Return the Python of the hub's configuration. `folder` has the package."""
    text = json.dumps(settings, sort_keys=True)  # ASCII only
    return _CONFIGURATION.format(folder=folder, package=PACKAGE, settings=text)


def helm_values(package: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values. `package` has the texts of the package's files by name. Raises ValueError if they are too large."""
    files = {
        f"odh-persistency-{name.rpartition('.')[0].strip('_').replace('_', '-')}": {
            "mountPath": f"{FOLDER}/{PACKAGE}/{name}",
            # The chart takes an empty text for a missing one.
            "stringData": text or "# A package of odh.persistency.\n",
        }
        for name, text in sorted(package.items())
    }
    size = sum(len(entry["stringData"].encode("utf-8")) for entry in files.values())
    if size > MOST:
        raise ValueError(f"the files of the hub take {size // 1024} KiB, but the limit is {MOST // 1024} KiB")
    return {"hub": {"extraFiles": files, "extraConfig": {SNIPPET: configuration_text(settings)}}}
