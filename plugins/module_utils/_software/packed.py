# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as short texts: requests in ConfigMaps, and results in the logs of pods, both of which have limits."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

#: Bytes of JSON, unpacked. A manifest of 10,000 modules has 4 MB.
LIMIT = 256 * 1024 * 1024


def pack(value: Any) -> str:
    """Return a value as ASCII text in one line."""
    return base64.b64encode(zlib.compress(json.dumps(value, sort_keys=True).encode("utf-8"))).decode("ascii")


def unpack(text: str, limit: int = LIMIT) -> Any:
    """Return the value of a packed text. Raises ValueError if it is none, or has more bytes than `limit`."""
    decompressor = zlib.decompressobj()
    try:
        data = decompressor.decompress(base64.b64decode(text, validate=True), limit)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if decompressor.unconsumed_tail:
        raise ValueError(f"it has more than {limit} bytes")
    return json.loads(data)
