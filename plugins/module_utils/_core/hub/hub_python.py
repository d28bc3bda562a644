# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python that a hub runs to set up the spawn hook.

Everything that an inventory sets reaches Python as one JSON text in a quoted literal, so no name or path can break out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

PACKAGE = "odh_persistency"
#: The hub's own service and role, with which `server_access` reads servers and stops them.
SERVICE = "odh-persistency"
SCOPES = ("list:users", "read:users:groups", "read:servers", "delete:servers")
#: The key of the service's token in a Secret, as the chart names it.
TOKEN_KEY = f"hub.services.{SERVICE}.apiToken"
#: What the authenticator needs for groups of the hub in the ACL: it writes them, and reads them again at each start.
GROUP_TRAITS = ("manage_groups", "refresh_pre_spawn", "auth_refresh_strict")

_CONFIGURATION = """\
# Written by odh.persistency, role hub. Sets the hooks of the spawner, and chains those that are set above.
import asyncio
import datetime
import json
import sys

import jupyterhub
import kubespawner
from tornado.web import HTTPError

if {path!r} not in sys.path:
    sys.path.insert(0, {path!r})

from {package}.hub_configuration import configure
from {package}.hub_settings import Runtime

configure(
    c,
    json.loads({settings!r}),
    Runtime(
        http_error=HTTPError,
        clock=lambda: datetime.datetime.now(datetime.timezone.utc),
        schedule=asyncio.ensure_future,
        sleep=asyncio.sleep,
        wait_for=asyncio.wait_for,
        wrap_future=asyncio.wrap_future,
        hub_version=jupyterhub.version_info[:2],
        has_trait=kubespawner.KubeSpawner.class_trait_names().__contains__,
    ),
    {section!r},
)
"""

_GROUPS = """\

# The access list names groups of the hub, so they must be those of the authenticator, and current.
from jupyterhub.auth import Authenticator

for _trait in {traits!r}:
    if _trait in Authenticator.class_trait_names():
        c.Authenticator[_trait] = True
"""

_SERVICE = """\

# The service with which server_access reads servers and stops them. JupyterHub 1 has no scopes.
def _odh_persistency_token():
    import base64

    import kubernetes

    try:
        kubernetes.config.load_incluster_config()
    except kubernetes.config.ConfigException:
        kubernetes.config.load_kube_config()
    try:
        secret = kubernetes.client.CoreV1Api().read_namespaced_secret({secret!r}, {namespace!r})
        return base64.b64decode(secret.data[{key!r}]).decode()
    except Exception as error:
        print("odh.persistency: the token of the service is unreadable, so there is no service:", error, file=sys.stderr)


_odh_persistency_service_token = _odh_persistency_token()
if _odh_persistency_service_token:
    # A list, or what traitlets has for a list that is not set.
    c.JupyterHub.services.append({{"name": {service!r}, "admin": True, "api_token": _odh_persistency_service_token}})
"""


class TokenSecret(NamedTuple):
    """The Secret with the token of the hub's service."""

    name: str
    namespace: str


class Surroundings(NamedTuple):
    """What the Python finds in a hub: the entry of sys.path with the package, the section of its spawner class, and the Secret
    with the service's token, None if the hub's installer configures the service."""

    path: str
    section: str = "KubeSpawner"
    token: TokenSecret | None = None


def hub_python(settings: Mapping[str, Any], surroundings: Surroundings, manages_groups: bool = False) -> str:
    """Return the Python of the hub's configuration. `manages_groups` adds the settings for groups of the hub."""
    text = _CONFIGURATION.format(
        path=surroundings.path,
        package=PACKAGE,
        settings=json.dumps(settings, sort_keys=True),  # ASCII only
        section=surroundings.section,
    )
    if manages_groups:
        text += _GROUPS.format(traits=GROUP_TRAITS)
    if surroundings.token is not None:
        name, namespace = surroundings.token
        text += _SERVICE.format(secret=name, namespace=namespace, key=TOKEN_KEY, service=SERVICE)
    return text
