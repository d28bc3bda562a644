"""A hub outside of the cluster, configured as the chart Zero to JupyterHub does it.

Runs inside the hub. The file in ODHP_HUB_SETTINGS has the addresses, and `values`: the Helm values that the role `hub`
rendered. `hub.extraFiles` are beside this file already, and the keys of the chart's Secret are in the folder `secret`.
`hub.extraConfig` runs last, in the order of its keys.
"""

# mypy: ignore-errors

import json
import os
import sys

from jupyterhub.auth import DummyAuthenticator
from jupyterhub.utils import exponential_backoff

with open(os.environ["ODHP_HUB_SETTINGS"]) as file:
    settings = json.load(file)
values = settings["values"]

# The hub looks for a server less and less often, every five seconds in the end. Tests wait for nothing else most of the time.
start_wait, scale_factor, _max_wait, *others = exponential_backoff.__defaults__
exponential_backoff.__defaults__ = (start_wait, scale_factor, 0.25, *others)

# The chart's configuration puts its own folder on sys.path.
sys.path.insert(0, settings["folder"])


def secret(key):
    """Return a key of the chart's Secret."""
    with open(os.path.join(settings["folder"], "secret", key)) as file:
        return file.read()


class AnyPassword(DummyAuthenticator):
    """Lets everybody in. The groups of people are in a file, which is read at each login and start of a server."""

    def _identity(self, name):
        if not self.manage_groups:
            return {"name": name}
        with open(settings["groups"]) as file:
            groups = json.load(file)
        return {"name": name, "groups": sorted(group for group, members in groups.items() if name in members)}

    async def authenticate(self, handler, data):
        name = await super().authenticate(handler, data)
        return self._identity(name) if name else None

    async def refresh_user(self, user, handler=None, **kwargs):
        return self._identity(user.name)


c = get_config()  # noqa: F821 - JupyterHub puts it there
c.JupyterHub.bind_url = settings["public"]
c.JupyterHub.hub_ip = c.JupyterHub.hub_connect_ip = settings["address"]
c.JupyterHub.hub_port = settings["hub_port"]
c.ConfigurableHTTPProxy.command = [settings["proxy"]]
c.ConfigurableHTTPProxy.api_url = settings["proxy_api"]
c.ConfigurableHTTPProxy.pid_file = settings["folder"] + "/proxy.pid"
c.JupyterHub.db_url = "sqlite:///" + settings["folder"] + "/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = settings["folder"] + "/cookie_secret"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.authenticator_class = AnyPassword
c.Authenticator.allow_all = True
c.Authenticator.manage_groups = True
c.Authenticator.refresh_pre_spawn = True
c.Authenticator.admin_users = set(settings["admins"])
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.Spawner.consecutive_failure_limit = 5
c.KubeSpawner.namespace = settings["namespace"]
c.KubeSpawner.image = settings["image"]
c.KubeSpawner.image_pull_policy = "Never"
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.uid = 1000
c.KubeSpawner.fs_gid = 100
c.KubeSpawner.start_timeout = 180
c.KubeSpawner.http_timeout = 120
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = "1Gi"
c.KubeSpawner.volumes = {"home": {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}}
c.KubeSpawner.volume_mounts = {"home": {"name": "home", "mountPath": settings["home_path"]}}
c.KubeSpawner.working_dir = c.KubeSpawner.notebook_dir = settings["home_path"]
c.KubeSpawner.environment = {"HOME": settings["home_path"]}
c.KubeSpawner.profile_list = settings["profiles"]
hub = values["hub"]
c.JupyterHub.services = [
    {"name": key, **{name: value for name, value in service.items() if name != "apiToken"}, "api_token": token}
    for key, service in {**settings["services"], **hub.get("services", {})}.items()
    for token in [secret(f"hub.services.{key}.apiToken")]
]
c.JupyterHub.load_roles = [
    {"name": key, **role} for key, role in {**settings["roles"], **hub.get("loadRoles", {})}.items()
]
for _section, _traits in hub.get("config", {}).items():
    c[_section].update(_traits)
for _name, snippet in sorted(hub.get("extraConfig", {}).items()):
    exec(snippet)
