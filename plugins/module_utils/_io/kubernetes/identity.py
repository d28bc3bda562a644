# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The identity of a cluster: its API server's URL, or the UID of its namespace kube-system."""

from __future__ import annotations

import re

from ..._core.requests import NAMESPACES
from ..connection_settings import is_same_server, without_credentials
from ..errors import ConfigError
from .api import Api

_UID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WAY_OUT = "Correct the connection, or `cluster` (persistency_cluster of the inventory)"


def check_cluster(api: Api, expected: str) -> None:
    """Raise ConfigError unless this is the expected cluster. A URL costs no request, and a UID costs one."""
    connection = api.connection
    server = without_credentials(connection.server)
    if not _UID.fullmatch(expected.strip()):
        if not re.search(r"[.:]", expected):
            raise ConfigError(
                f"`cluster` (persistency_cluster of the inventory) is {expected!r}: set the URL of the API server, or the UID "
                "of the namespace kube-system (kubectl get namespace kube-system -o jsonpath={.metadata.uid})"
            )
        if not is_same_server(connection.server, expected):
            raise ConfigError(
                f"The wrong cluster: {connection.source} leads to the API server {server}, not to "
                f"{without_credentials(expected)}. {_WAY_OUT}"
            )
        return
    found = api.get(NAMESPACES, None, "kube-system")
    uid = found["metadata"]["uid"] if found is not None else "none"
    if uid != expected.strip().lower():
        raise ConfigError(
            f"The wrong cluster: {connection.source} leads to {server}, whose namespace kube-system has the UID {uid}, not "
            f"{expected}. {_WAY_OUT}"
        )
