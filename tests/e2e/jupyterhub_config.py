"""A hub outside of the cluster, configured as the chart Zero to JupyterHub does it; the values are in ODHP_HUB_SETTINGS.

Runs inside the hub. `hub.extraFiles` are beside this file already. `hub.extraConfig` runs last, in the order of its keys.
"""

import json
import os
import sys

with open(os.environ["ODHP_HUB_SETTINGS"]) as file:
    settings = json.load(file)

# The chart's configuration puts its own folder on sys.path.
sys.path.insert(0, settings["folder"])

c = get_config()  # noqa: F821 - JupyterHub puts it there
c.JupyterHub.bind_url = settings["public"]
c.JupyterHub.hub_ip = c.JupyterHub.hub_connect_ip = settings["address"]
c.JupyterHub.hub_port = settings["hub_port"]
c.ConfigurableHTTPProxy.command = [settings["proxy"]]
c.ConfigurableHTTPProxy.api_url = settings["proxy_api"]
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret_file = settings["folder"] + "/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
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
c.KubeSpawner.storage_class = ""
c.KubeSpawner.volumes = {"home": {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}}
c.KubeSpawner.volume_mounts = {"home": {"name": "home", "mountPath": "/home/jovyan"}}
c.JupyterHub.services = [{"name": name, "api_token": one["token"]} for name, one in settings["services"].items()]
c.JupyterHub.load_roles = [
    {"name": f"role-of-{name}", "scopes": one["scopes"], "services": [name]}
    for name, one in settings["services"].items()
    if one["scopes"]
]
for _name, snippet in sorted(settings["extra_config"].items()):
    exec(snippet)
