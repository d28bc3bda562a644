"""Configuration of a JupyterHub 1.5 as the image of classic Open Data Hub has it, beside tests/hub/jupyterhub_config.py.

Runs inside the hub. `classic` in the JSON file that ODHP_HUB_SETTINGS names has the namespace, the folder of the ConfigMap
`jupyterhub-cfg`, and the token of an administrator. The image sets no services before it runs the key of the ConfigMap.
"""

import json
import os
import sys

sys.path.insert(0, os.environ["ODHP_SUPPORT"])
from classic_spawner import configured_spawner

c = get_config()  # noqa: F821 - JupyterHub puts it there
load_subconfig(os.environ["ODHP_BASE_CONFIG"])  # noqa: F821 - traitlets puts it there
with open(os.environ["ODHP_HUB_SETTINGS"]) as file:
    classic = json.load(file)["classic"]
del c.JupyterHub["services"]
c.JupyterHub.api_tokens = {classic["token"]: "root"}
c.Authenticator.admin_users = {"root"}
c.JupyterHub.cleanup_servers = False  # the namespace of the test goes
c.KubeSpawner.namespace = classic["namespace"]
c.KubeSpawner.image = "odh.persistency/none:test"
c.JupyterHub.spawner_class = configured_spawner(c, classic["namespace"])
with open(os.path.join(classic["folder"], "jupyterhub_config.py")) as file:
    exec(file.read())
