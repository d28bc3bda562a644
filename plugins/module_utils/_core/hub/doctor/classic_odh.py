# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a hub of classic Open Data Hub, from its ConfigMap `jupyterhub-cfg`.

The image runs its own configuration first, which nobody outside of it can read, and the ConfigMap's last.
"""

from __future__ import annotations

import base64
import io
import posixpath
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..hub_python import PACKAGE
from ..odh import CONFIG_MAP, CONFIGURATION_KEY, SECTION
from .python_settings import python_settings
from .settings import KUBE_SPAWNER, HubSettings, settings_of

#: KubeSpawner 1.1 with JupyterHub 1.5, or older.
_VERSION = (1, 5)
#: What a package may take unpacked. A ConfigMap has at most 1 MiB.
_MOST = 8 * 1024 * 1024


def odh_settings(config_map: Mapping[str, Any]) -> HubSettings:
    """Return the settings in the ConfigMap."""
    text = (config_map.get("data") or {}).get(CONFIGURATION_KEY, "")
    settings = settings_of(python_settings([(f"{CONFIG_MAP}, {CONFIGURATION_KEY}", text)]))
    spawners = tuple(dict.fromkeys((*settings.spawners[: -len(KUBE_SPAWNER)], SECTION, *KUBE_SPAWNER)))
    unreadable = "the configuration in the hub's image, which cannot be read"
    return replace(settings, spawners=spawners, unreadable=unreadable, hub_version=_VERSION)


def odh_package(config_map: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of the spawn hook's package in the ConfigMap's archives, by the names of the files."""
    found: dict[str, str] = {}
    for content in (config_map.get("binaryData") or {}).values():
        found.update(_unpacked(str(content)))
    return found


def _unpacked(content: str) -> dict[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(content))) as archive:
            entries = [entry for entry in archive.infolist() if posixpath.dirname(entry.filename).endswith(PACKAGE)]
            if sum(entry.file_size for entry in entries) > _MOST:
                return {}
            return {
                posixpath.basename(entry.filename): archive.read(entry).decode("utf-8", "replace")
                for entry in entries
                if not entry.is_dir()
            }
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return {}
