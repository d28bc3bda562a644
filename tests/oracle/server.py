"""Answers, as JSON lines, what the KubeSpawner of this interpreter's environment computes. No hub.

One request a line on stdin, one answer a line on stdout, in order. A request has `user`, and optionally `server`,
`scheme` (`safe` or `escape`: `slug_scheme`; KubeSpawner 6 knows no other than `escape`), `config` (KubeSpawner's
options, such as `pvc_name_template` and `storage_class`) and `hub_namespace`. An answer has `pvc_name` and `manifest`,
the JSON object that would be sent to the API server, or `error` with the exception's name and text. No cluster is asked.

With the argument `cluster`, KubeSpawner finds its cluster as it does in a hub outside of one, by KUBECONFIG, and each
request is a launch: KubeSpawner's own `start`, with its API client, up to where it would send the pod, which is not
sent. `state` in such a request is what the hub's database has of the server. Its answer has `pvc_name`, the claims that
the pod `mounts`, and the `state` that the hub would keep once the server is stopped; or `error` with `status` where the
API server gave one.

It runs with the standard library and what the environment holds, for the tests' own environment is another one.
"""

import asyncio
import json
import sys
from types import SimpleNamespace

import kubespawner.spawner
from kubespawner import KubeSpawner
from traitlets.config import Config


def spawner_for(request):
    """The real spawner of one server of one user, made as JupyterHub makes it but for the cluster's configuration."""
    config = Config()
    config.KubeSpawner.update(request.get("config", {}))
    if "slug_scheme" in KubeSpawner.class_trait_names():
        config.KubeSpawner.slug_scheme = request.get("scheme", "safe")
    elif request.get("scheme", "escape") != "escape":
        raise ValueError(f"this KubeSpawner has no scheme {request['scheme']}")
    kind = KubeSpawner
    if "hub_namespace" in request:
        # What the service account's file in the hub's pod would say.
        kind = type("KubeSpawner", (KubeSpawner,), {"_namespace_default": lambda self: request["hub_namespace"]})
    hub = SimpleNamespace(public_host="", url="http://hub", base_url="/hub/", api_url="http://hub/api")
    return kind(
        _mock=True,
        config=config,
        user=SimpleNamespace(name=request["user"], id=1, url="/user/"),
        hub=hub,
        orm_spawner=SimpleNamespace(name=request.get("server", ""), server=None, state=None),
    )


def answer(request):
    """What there is to say to one request."""
    try:
        spawner = spawner_for(request)
        manifest = spawner.api.api_client.sanitize_for_serialization(spawner.get_pvc_manifest())
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"pvc_name": spawner.pvc_name, "manifest": manifest}


class Launched(Exception):
    """Ends a start where everything but the pod is there."""


async def launch(request):
    """Start one server as JupyterHub does it (`_new_spawner` and `spawn` in its user.py), up to the pod."""
    mounts = []

    def end(spawner, pod):
        manifest = spawner.api.api_client.sanitize_for_serialization(pod)
        mounts.extend(
            volume["persistentVolumeClaim"]["claimName"]
            for volume in manifest["spec"].get("volumes", ())
            if "persistentVolumeClaim" in volume
        )
        raise Launched

    try:
        spawner = spawner_for(request)
        spawner.load_state(request.get("state") or {})
        spawner.modify_pod_hook = end
        await spawner.start()
    except Launched:
        pass
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "status": getattr(error, "status", None)}
    finally:
        # Their watches would not be read while the next request is waited for.
        await KubeSpawner._stop_all_reflectors()
    spawner.clear_state()
    return {"pvc_name": spawner.pvc_name, "mounts": mounts, "state": spawner.get_state()}


async def main():
    """Serve until stdin ends. Within an event loop, since KubeSpawner makes its API client in one."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    cluster = sys.argv[1:] == ["cluster"]
    if not cluster:
        kubespawner.spawner.load_config = lambda **options: None
    print(json.dumps({"kubespawner": kubespawner.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(await launch(request) if cluster else answer(request)), file=answers, flush=True)


asyncio.run(main())
