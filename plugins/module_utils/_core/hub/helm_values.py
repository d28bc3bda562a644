# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values for the Helm chart Zero to JupyterHub: the package of the spawn hook, the Python that calls it, the hub's service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from .hub_python import PACKAGE, SCOPES, SERVICE, Surroundings, hub_python

#: The chart's own configuration file puts its folder on sys.path (files/hub/jupyterhub_config.py in the chart).
FOLDER = "/usr/local/etc/jupyterhub"
#: The chart runs the snippets in the order of their names, and this one chains the hooks that the others set.
SNIPPET = "zz-odh-persistency"
FILE_PREFIX = "odh-persistency-"
#: The chart stores the files in a Secret, and the API server accepts 1 MiB.
MOST = 512 * 1024

#: Keys of this role by the path of the mapping that has them.
Entries = Mapping[tuple[str, ...], Mapping[str, Any]]


def helm_entries(package: Mapping[str, str], settings: Mapping[str, Any], manages_groups: bool = False) -> Entries:
    """Return the keys of this role in Helm values, by the path of the mapping that has them.

    `package` has the texts of the package's files by name. Raises ValueError if they are too large.
    """
    files = {
        f"{FILE_PREFIX}{name.rpartition('.')[0].strip('_').replace('_', '-')}": {
            "mountPath": f"{FOLDER}/{PACKAGE}/{name}",
            # The chart takes an empty text for a missing one.
            "stringData": text or "# A package of odh.persistency.\n",
        }
        for name, text in sorted(package.items())
    }
    size = sum(len(entry["stringData"].encode("utf-8")) for entry in files.values())
    if size > MOST:
        raise ValueError(f"the files of the hub take {size // 1024} KiB, but the limit is {MOST // 1024} KiB")
    role = {
        "description": "Read who runs which server, and stop servers with access that was withdrawn",
        "scopes": list(SCOPES),
        "services": [SERVICE],
    }
    return {
        ("hub", "extraFiles"): files,
        ("hub", "extraConfig"): {SNIPPET: hub_python(settings, Surroundings(FOLDER), manages_groups)},
        # The chart makes the token, and keeps it in its Secret.
        ("hub", "services"): {SERVICE: {}},
        ("hub", "loadRoles"): {SERVICE: role},
    }


def is_ours(path: tuple[str, ...], key: str) -> bool:
    """Return whether a key of Helm values belongs to this role, in this or another version."""
    if path == ("hub", "extraFiles"):
        return key.startswith(FILE_PREFIX)
    if path == ("hub", "extraConfig"):
        return key == SNIPPET
    return path in (("hub", "services"), ("hub", "loadRoles")) and key == SERVICE


def our_entries(values: Mapping[str, Any]) -> Entries:
    """Return the keys of this role that values have."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for path in (("hub", part) for part in ("extraFiles", "extraConfig", "services", "loadRoles")):
        place: Any = values
        for key in path:
            place = place.get(key) if isinstance(place, Mapping) else None
        ours = {key: value for key, value in (place or {}).items() if is_ours(path, key)}
        if ours:
            found[path] = ours
    return found


def described(entries: Entries) -> str:
    """Return entries as text for a diff: files by their digest, everything else in full."""
    lines: list[str] = []
    for path, keys in entries.items():
        for key, value in keys.items():
            name = ".".join((*path, key))
            if path == ("hub", "extraFiles"):
                text = str(value.get("stringData"))
                lines.append(
                    f"{name}: {len(text.encode('utf-8'))} bytes, SHA-256 {sha256(text.encode('utf-8')).hexdigest()}"
                )
            elif isinstance(value, str):
                lines += [f"{name}:", *(f"  {line}" for line in value.splitlines())]
            else:
                lines.append(f"{name}: {json.dumps(value)}")
    return "".join(f"{line}\n" for line in lines)
