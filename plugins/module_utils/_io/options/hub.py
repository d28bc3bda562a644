# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option `hub`: how modules connect to a JupyterHub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..hub.client import HubClient

HUB_SPEC: dict[str, Any] = {
    "type": "dict",
    "options": {
        "url": {"type": "str", "required": True},
        "token": {"type": "str", "required": True, "no_log": True},
        "validate_certs": {"type": "bool", "default": True},
        "ca_cert": {"type": "path"},
    },
}


def hub_client(hub: Mapping[str, Any]) -> HubClient:
    """Return the client for the option `hub`. Sends nothing. Raises HubError."""
    return HubClient(hub["url"], hub["token"], validate_certs=hub["validate_certs"], ca_cert=hub["ca_cert"])
