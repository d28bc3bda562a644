"""Runs the spawn hook in a real KubeSpawner of this interpreter's environment, as JSON lines. No hub.

Each request on stdin is one start of a server, with KubeSpawner's own `start` and API client, up to the pod, which is sent
as a server-side dry run. A request has `user`, `server`, `namespace`, `groups` of the hub, `config` of KubeSpawner,
`settings` of the hook, `state` (what the hub's database has of the server), `body` (JSON) or `fields` (of the form) of the
request to the hub with its `method`, `uri` and `sender`, `hooks` (names of hooks in this file that are configured before
ours), `form` (true: show the options form, start nothing; the answer has `form`), and `classic` (true: the spawner and hooks of
classic Open Data Hub, see classic_spawner.py), whose hub may run in another namespace, `hub_namespace`. Without `settings`,
there is no hook of ours. The answer has `pod`, `pvc_name`,
`running` and `state` (what the hub's database has while the server runs, and after it has stopped), `user_options`, `traits`
(values of those in TRAITS that the version has), and `seconds` and `cpu` (until the pod is complete); or `error`, and `message`,
`status` and `reason` of a refusal. A request with `stop` stops a server, and the answer has `state`.

The first argument is the folder that has the package `odh_persistency`. Only the standard library and what the environment
holds is imported.
"""

import asyncio
import datetime
import functools
import inspect
import json
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import jupyterhub
import kubespawner
from jupyterhub.utils import maybe_future
from kubespawner import KubeSpawner
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import HTTPError
from traitlets.config import Config

sys.path.insert(0, sys.argv[1])
from odh_persistency.hub_configuration import configure
from odh_persistency.hub_settings import Runtime

#: What the hook sets besides the hooks.
TRAITS = ("delete_pvc", "remember_pvc_name")


class Launched(Exception):
    """Ends a start when the pod is complete."""


def sync_pre_spawn(spawner):
    spawner.environment = {**spawner.environment, "CHAINED": "sync"}


async def async_pre_spawn(spawner):
    spawner.environment = {**spawner.environment, "CHAINED": "async"}


def sync_auth_state(spawner, auth_state, chained="sync"):
    spawner.environment = {**spawner.environment, "AUTH_STATE": chained}


async def async_auth_state(spawner, auth_state):
    sync_auth_state(spawner, auth_state, "async")


def sync_modify_pod(spawner, pod):
    pod.metadata.labels["chained"] = "sync"
    return pod


async def async_modify_pod(spawner, pod):
    pod.metadata.labels["chained"] = "async"
    return pod


def sync_form(spawner):
    return f"<p>the form of {spawner.user.name}</p>"


async def async_form(spawner):
    return sync_form(spawner)


def removing_hook(spawner):
    """A callable in an override returns the value of the trait."""
    return


def overriding_pre_spawn(spawner):
    return async_pre_spawn


def overriding_modify_pod(spawner):
    return sync_modify_pod


def options_of_site(form):
    return {name: values[0] for name, values in form.items()}


def options_of_site_with_spawner(form, spawner=None):
    return {**options_of_site(form), "for": spawner.user.name if spawner else None}


def dynamic_profiles(spawner):
    return [{"display_name": f"for {spawner.user.name}", "slug": "dynamic"}]


def with_functions(value):
    """Return a value of the configuration with functions of this file for {"function": NAME}."""
    if isinstance(value, dict):
        if [*value] == ["function"]:
            return globals()[value["function"]]
        return {key: with_functions(one) for key, one in value.items()}
    return [with_functions(one) for one in value] if isinstance(value, list) else value


def runtime_of(spawner_class):
    return Runtime(
        http_error=HTTPError,
        clock=lambda: datetime.datetime.now(datetime.timezone.utc),
        schedule=asyncio.ensure_future,
        sleep=asyncio.sleep,
        wait_for=asyncio.wait_for,
        wrap_future=asyncio.wrap_future,
        hub_version=jupyterhub.version_info[:2],
        has_trait=spawner_class.class_trait_names().__contains__,
    )


def spawner_class_of(request, config):
    """Return the class of the hub's configuration, which may add hooks of its own to it."""
    if not request.get("classic"):
        return KubeSpawner
    from classic_spawner import configured_spawner

    return configured_spawner(config, request.get("hub_namespace") or config.KubeSpawner.namespace)


@functools.lru_cache(maxsize=None)  # noqa: UP033 - Python 3.8
def configured(text):
    """Return a hub's configuration and its class of spawners. Starts with the same one share it, and so the hook's cache."""
    request = json.loads(text)
    config = Config()
    config.KubeSpawner.update(with_functions(request["config"]))
    for name, hook in (request.get("hooks") or {}).items():
        config.Spawner[name] = globals().get(hook, hook)
    spawner_class = spawner_class_of(request, config)
    if request.get("settings") is not None:
        configure(config, request["settings"], runtime_of(spawner_class), spawner_class.__name__)
    return config, spawner_class


def spawner_for(request):
    parts = {key: request.get(key) for key in ("config", "hooks", "settings", "classic", "hub_namespace")}
    config, spawner_class = configured(json.dumps(parts, sort_keys=True))
    hub = SimpleNamespace(public_host="", url="http://hub", base_url="/hub/", api_url="http://hub/api")
    groups = [SimpleNamespace(name=name) for name in request.get("groups", ())]
    spawner = spawner_class(
        _mock=True,
        config=config,
        user=SimpleNamespace(name=request["user"], id=1, url="/user/", groups=groups),
        hub=hub,
        orm_spawner=SimpleNamespace(name=request.get("server", ""), server=None, state=None),
    )
    if not hasattr(spawner, "api"):
        give_client(spawner)
    spawner.log = logging.getLogger("spawner")
    spawner.user_options = request.get("user_options") or {}
    if {"body", "fields", "uri"} & {*request}:
        sender = SimpleNamespace(name=request.get("sender", request["user"]))
        spawner.handler = SimpleNamespace(request=received(request), settings={}, current_user=sender)
    return spawner


def received(request):
    """Return the request to the hub as tornado parses it: the form is multipart, as the hub's page sends it."""
    content_type, body = "application/json", json.dumps(request.get("body")).encode()
    if request.get("fields") is not None:
        content_type = "multipart/form-data; boundary=----x"
        parts = [
            f'------x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, values in request["fields"].items()
            for value in values
        ]
        body = "".join([*parts, "------x--\r\n"]).encode()
    headers = HTTPHeaders({"Content-Type": content_type})
    method, uri = request.get("method", "POST"), request.get("uri", "/hub/spawn")
    parsed = HTTPServerRequest(method=method, uri=uri, headers=headers, body=body)
    parsed._parse_body()
    return parsed


def form_options(spawner):
    """Return the options that the hub takes from a form or from the query of a link."""
    request = spawner.handler.request
    arguments = request.query_arguments if request.method == "GET" else request.body_arguments
    fields = {name: [value.decode() for value in values] for name, values in arguments.items()}
    if request.method == "GET":
        return spawner.options_from_query(fields)
    return getattr(spawner, "run_options_from_form", spawner.options_from_form)(fields)  # not in JupyterHub 1.5


def give_client(spawner):
    """Do what KubeSpawner 1.1 leaves out with `_mock`: make the synchronous client, and threads for its calls."""
    from kubespawner.clients import shared_client

    spawner._set_k8s_client_configuration()
    spawner.api = shared_client("CoreV1Api")
    KubeSpawner.executor = KubeSpawner.executor or ThreadPoolExecutor(4)


async def launch(request):
    sent, took = [], {}
    spawner = spawner_for(request)
    began = time.perf_counter(), time.process_time()

    async def send(pod, _timeout):
        took.update(seconds=time.perf_counter() - began[0], cpu=time.process_time() - began[1])
        created = spawner.api.create_namespaced_pod(spawner.namespace, pod, dry_run="All")
        if inspect.isawaitable(created):  # the client of KubeSpawner 1.1 is synchronous
            await created
        sent.append(spawner.api.api_client.sanitize_for_serialization(pod))
        raise Launched

    try:
        if request.get("form"):
            return {"form": await spawner.get_options_form()}
        if {"fields", "uri"} & {*request}:
            spawner.user_options = await maybe_future(form_options(spawner))
        spawner.load_state(request.get("state") or {})
        spawner._make_create_pod_request = send
        # The order of the hub.
        await spawner.run_auth_state_hook(None)
        if hasattr(spawner, "apply_group_overrides"):  # since JupyterHub 5
            await spawner.apply_group_overrides()
        await maybe_future(spawner.run_pre_spawn_hook())
        await spawner.start()
    except Launched:
        pass
    except Exception as error:
        return {
            "error": f"{type(error).__name__}: {error}",
            "message": getattr(error, "jupyterhub_message", None),
            "status": getattr(error, "status_code", getattr(error, "status", None)),
            "reason": getattr(error, "reason", None),
        }
    finally:
        if hasattr(KubeSpawner, "_stop_all_reflectors"):
            await KubeSpawner._stop_all_reflectors()
    running = spawner.get_state()
    spawner.clear_state()
    answer = {"pod": sent[0], "pvc_name": spawner.pvc_name, "running": running, "state": spawner.get_state()}
    traits = {name: getattr(spawner, name) for name in TRAITS if spawner.has_trait(name)}
    return {**answer, "user_options": spawner.user_options, "traits": traits, **took}


async def stop(request):
    """Stop a server as the hub does it, also after a restart of the hub."""
    spawner = spawner_for(request)
    spawner.load_state(request["state"])
    try:
        await spawner.stop()
    finally:
        await KubeSpawner._stop_all_reflectors()
    spawner.clear_state()
    return {"state": spawner.get_state()}


async def main():
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    answers = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps({"kubespawner": kubespawner.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = await (stop if request.get("stop") else launch)(request)
        print(json.dumps(answer), file=answers, flush=True)


asyncio.run(main())
