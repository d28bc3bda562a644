# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the JSON files of a tree must have. A file without that counts as damaged, like one that is cut off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The fields that every file has, and those that may be missing or null.
_ENTRY = {
    "module": str,
    "hash": str,
    "path": str,
    "digest": str,
    "modulefile_digest": str,
    "size": int,
    "dependencies": dict,
}
_MORE_OF_ENTRY = {
    "build_dependencies": dict,
    "inputs": dict,
    "built_at": str,
    "easybuild": str,
    "files": int,
    "adopted": str,
}
_MANIFEST = {"prefix": str, "entries": list}
_MORE_OF_MANIFEST = {"content": str, "defaults": dict, "collections": dict, "tests": dict, "failed": list}
_LISTED = {"module": str, "hash": str, "path": str}
_MORE_OF_LISTED = {"digest": str, "modulefile_digest": str, "size": int, "state": str}
_FAILED = {"module": str, "reason": str}
_MORE_OF_FAILED = {"hash": str, "log": str}


def is_entry(value: Any) -> bool:
    """Return whether a value is the content of an `entry.json`."""
    return _has(value, _ENTRY, _MORE_OF_ENTRY)


def is_manifest(value: Any) -> bool:
    """Return whether a value is the content of a `manifest.json`."""
    return (
        _has(value, _MANIFEST, _MORE_OF_MANIFEST)
        and all(_has(entry, _LISTED, _MORE_OF_LISTED) for entry in value["entries"])
        and all(is_failure(item) for item in value.get("failed") or ())
    )


def is_failure(value: Any) -> bool:
    """Return whether a value is a build that failed."""
    return _has(value, _FAILED, _MORE_OF_FAILED)


def _has(value: Any, required: Mapping[str, type], optional: Mapping[str, type]) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(key), kind) for key, kind in required.items())
        and all(isinstance(value.get(key), (kind, type(None))) for key, kind in optional.items())
    )
