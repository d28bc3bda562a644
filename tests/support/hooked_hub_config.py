"""Configuration of a JupyterHub with the real KubeSpawner and our spawn hook, beside that of tests/hub/jupyterhub_config.py.

Runs inside the hub. `hook` in the JSON file that ODHP_HUB_SETTINGS names has the folder with our package, the hook's settings
and the namespace. A user named `broken` cannot start, because of a hook that is configured before ours. The page
`/failure-count` of the hub shows the number of consecutive failures.
"""

import asyncio
import datetime
import json
import os
import sys

import jupyterhub
from jupyterhub.handlers.base import BaseHandler
from kubespawner import KubeSpawner
from tornado.web import HTTPError

c = get_config()  # noqa: F821 - JupyterHub puts it there
load_subconfig(os.environ["ODHP_BASE_CONFIG"])  # noqa: F821 - traitlets puts it there
with open(os.environ["ODHP_HUB_SETTINGS"]) as file:
    hook = json.load(file)["hook"]
sys.path.insert(0, hook["folder"])
from odh_persistency.hub_configuration import configure  # noqa: E402
from odh_persistency.hub_settings import Runtime  # noqa: E402


class FailureCount(BaseHandler):
    def get(self):
        self.finish({"failure_count": self.settings.get("failure_count", 0)})


def fail_for_one_user(spawner):
    if spawner.user.name == "broken":
        raise RuntimeError("not of ours")


c.JupyterHub.extra_handlers = [(r"/failure-count", FailureCount)]
c.JupyterHub.spawner_class = KubeSpawner
c.Spawner.consecutive_failure_limit = 5
c.JupyterHub.tornado_settings = {
    "slow_spawn_timeout": 5
}  # seconds until a request gets its response, since no pod ever runs
c.JupyterHub.cleanup_servers = False  # the namespace of the test goes
# A busy machine is no failure, and a pod that never runs is none before a test has ended.
c.KubeSpawner.start_timeout = 600
c.KubeSpawner.k8s_api_request_timeout = 30
c.KubeSpawner.namespace = hook["namespace"]
c.KubeSpawner.image = "odh.persistency/none:test"
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = "1Gi"
c.KubeSpawner.volumes = [
    {"name": "home", "persistentVolumeClaim": {"claimName": str(KubeSpawner.pvc_name_template.default_value)}}
]
c.KubeSpawner.volume_mounts = [{"name": "home", "mountPath": "/home/jovyan"}]
if "k8s_api_threadpool_workers" in KubeSpawner.class_trait_names():
    c.KubeSpawner.k8s_api_threadpool_workers = 50  # KubeSpawner 1.1 has ten on this machine, and is much slower then
c.KubeSpawner.pre_spawn_hook = fail_for_one_user
if hook["settings"] is not None:
    configure(
        c,
        hook["settings"],
        Runtime(
            http_error=HTTPError,
            clock=lambda: datetime.datetime.now(datetime.timezone.utc),
            schedule=asyncio.ensure_future,
            sleep=asyncio.sleep,
            wait_for=asyncio.wait_for,
            wrap_future=asyncio.wrap_future,
            hub_version=jupyterhub.version_info[:2],
            has_trait=KubeSpawner.class_trait_names().__contains__,
        ),
    )
