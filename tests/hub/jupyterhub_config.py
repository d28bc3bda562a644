"""Configuration of the JupyterHubs under test; what differs is in the JSON file that ODHP_HUB_SETTINGS names.

Runs inside the hub, in JupyterHub 1.5 and 4 to 6. Everything is the hub's own, save the proxy: a proxy class that keeps the
routes in memory, for the tests talk to the hub itself, and configurable-http-proxy would take Node.js.
"""

import json
import os
from pathlib import Path

import jupyterhub
import jupyterhub.auth
from jupyterhub.proxy import Proxy


class RoutesInMemory(Proxy):
    """Knows its routes and passes nothing on (JupyterHub's documentation, "Writing a custom Proxy implementation")."""

    should_start = False
    routes = {}  # noqa: RUF012 - one proxy a process

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return dict(self.routes)


with open(os.environ["ODHP_HUB_SETTINGS"]) as file:
    settings = json.load(file)

c = get_config()  # noqa: F821 - JupyterHub puts it there
here = settings["folder"]
c.JupyterHub.proxy_class = RoutesInMemory
c.JupyterHub.base_url = settings["base_url"]
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = settings["port"]
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret_file = f"{here}/cookie_secret"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.api_page_default_limit = settings["page"]
c.JupyterHub.api_page_max_limit = settings["page"]
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.authenticator_class = "dummy"
if hasattr(jupyterhub.auth.Authenticator, "allow_all"):
    c.Authenticator.allow_all = True  # since JupyterHub 5 nobody may log in unless told
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{here}/home/{{username}}"
c.Spawner.cmd = [settings["python"], str(Path(settings["single_user"]))]
c.Spawner.poll_interval = 0
c.JupyterHub.services = [{"name": name, "api_token": one["token"]} for name, one in settings["services"].items()]
if jupyterhub.version_info < (2, 0):
    # No scopes: a service may do everything or nothing.
    for service in c.JupyterHub.services:
        service["admin"] = service["name"] == "admin"
c.JupyterHub.load_roles = [
    {"name": f"role-of-{name}", "scopes": one["scopes"], "services": [name]}
    for name, one in settings["services"].items()
    if one["scopes"]
]
