# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content hash of an entry: everything that changes what a build gives, and nothing that does not.

EasyBuild's own version and its easyblocks are not part of it, because a newer EasyBuild must not rebuild a whole stack.
They are recorded with the entry, so that a plan can say `rebuild available`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

#: Digits of the hash in the name of an installation.
SHORT = 12

#: Inputs that are recorded and not hashed.
RECORDED = ("easybuild", "easyblock")


def entry_hash(inputs: Mapping[str, Any]) -> str:
    """Return the hash (64 hexadecimal digits) of an entry's inputs, whatever their order."""
    hashed = {key: value for key, value in inputs.items() if key not in RECORDED}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def store_path(name: str, version: str, digest: str) -> str:
    """Return the path of an installation below the store."""
    return f"{name}/{version}-{digest[:SHORT]}"


def easyconfig_digest(parameters: Mapping[str, Any], scratch: str = "") -> str:
    """Return the digest of an easyconfig's parameters, so that a comment or a blank line rebuilds nothing.

    The order of lists counts, that of keys does not. `scratch` is the temporary folder that is HOME while an easyconfig is read,
    and another one in each run.
    """
    text = repr(_canonical(parameters))
    if scratch:
        text = text.replace(scratch, "/scratch")
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return ["dict", sorted(repr([_canonical(key), _canonical(item)]) for key, item in value.items())]
    if isinstance(value, (list, tuple)):
        return ["list", [_canonical(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(repr(_canonical(item)) for item in value)]
    return value


def file_digest(path: str) -> str:
    """Return the SHA256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
