"""The parts of the spawn hook around its decisions: settings, refusals, the ACL's cache, requests, texts, configuration."""

from __future__ import annotations

import ast
import asyncio
import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl, document_of
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.grant_spec import Grants
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec
from ansible_collections.odh.persistency.plugins.module_utils._hub import hub_configuration
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import Mount, Verdict
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import AccessError
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_reader import AclReader, AclUnreadable
from ansible_collections.odh.persistency.plugins.module_utils._hub.hub_configuration import configure
from ansible_collections.odh.persistency.plugins.module_utils._hub.hub_settings import (
    Runtime,
    Settings,
    Software,
    settings_errors,
    settings_from,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.kubernetes_client import ApiFailure, KubernetesClient
from ansible_collections.odh.persistency.plugins.module_utils._hub.options_form import (
    form_without_us,
    with_notice,
    with_secret_shares,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.refusals import refusal, spare_failure_count
from ansible_collections.odh.persistency.plugins.module_utils._hub.requested_shares import requested_shares
from ansible_collections.odh.persistency.plugins.module_utils._hub.spawn_stamp import (
    Message,
    Outcome,
    event,
    messages_of,
    secret_record,
    stamp,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.turns import Turns
from hypothesis import given
from hypothesis import strategies as st

# --- Settings -------------------------------------------------------------------------------------------------------------


def test_settings_have_defaults_and_normalised_roots():
    assert settings_from({}) == Settings()
    assert settings_from({"mount_roots": ["/data/"]}).mount_roots == ("/data",)
    assert settings_from({"software": {}}).software is None
    tree = {"claim": "software", "environment": {"MODULEPATH": "/opt/software/current/modules/all"}}
    assert settings_from({"software": tree}).software == Software("software", "/opt/software", tree["environment"])


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ([], "the settings are a list, not a mapping"),
        ({"polcy": "deny"}, "unknown setting 'polcy'"),
        ({"policy": "maybe"}, "`policy` is 'maybe', not one of home_only, deny"),
        ({"home": True}, "`home` is true, not one of claim, static, none"),
        ({"home_path": "home"}, "`home_path` 'home' is not absolute"),
        ({"mount_roots": "/data"}, "`mount_roots` is '/data', not a list of paths"),
        (
            {"mount_roots": ["/home"]},
            "the root /home in `mount_roots` is the home /home/jovyan, or above it: choose a root beside the home",
        ),
        ({"mount_roots": ["/"]}, "a root in `mount_roots` is the whole file system"),
        ({"mount_roots": [1]}, "a root in `mount_roots` is 1, not a path"),
        ({"timeout": 0}, "`timeout` is 0, not a number of seconds from 1 to 60"),
        ({"namespace": None}, "`namespace` is null, not a name"),
        ({"mount_points": "x"}, "`mount_points` is 'x', not one of runtime, init"),
        ({"software": "x"}, "`software` is 'x', not a mapping"),
        ({"software": {"clam": "a", "claim": "a"}}, "`software` has the unknown key 'clam'"),
        ({"software": {"mount_path": "/sw"}}, "`software`: `claim` is null, not the name of a claim"),
        ({"software": {"claim": "a/b"}}, "`software`: `claim` is 'a/b', not the name of a claim"),
        ({"software": {"claim": "claim-a"}}, "`software`: its claim claim-a is a home by its name"),
        ({"software": {"claim": "a", "mount_path": "x"}}, "`software`: its mount path 'x' is not absolute"),
        (
            {"software": {"claim": "a", "mount_path": "/home/jovyan/x"}},
            "`software`: its mount path /home/jovyan/x overlaps /home/jovyan, where shares are mounted",
        ),
        (
            {"software": {"claim": "a"}, "mount_roots": ["/opt/"]},
            "`software`: its mount path /opt/software overlaps /opt, where shares are mounted",
        ),
        ({"software": {"claim": "a", "environment": []}}, "`software`: `environment` is a list, not a mapping"),
        (
            {"software": {"claim": "a", "environment": {"A B": ""}}},
            "`software`: `environment` has 'A B', not the name of a variable",
        ),
        ({"software": {"claim": "a", "environment": {"A": 1}}}, "`software`: the variable A is 1, not a text"),
    ],
)
def test_wrong_settings_are_one_sentence_each(settings, error):
    assert settings_errors(settings) == [error]
    with pytest.raises(AccessError):
        settings_from(settings)


# --- Refusals -------------------------------------------------------------------------------------------------------------


class HttpError(Exception):
    """Like tornado's HTTPError, as far as it matters."""

    def __init__(self, status_code, log_message=None, *_arguments, **more):
        self.status_code, self.log_message, self.reason = status_code, log_message, more.get("reason")


def test_a_refusal_keeps_its_sentence():
    error = refusal(HttpError, "Ask José.\nNow 100%")
    error.reason = "what the hub sets"
    assert (error.status_code, error.reason) == (403, "Ask Jos?. Now 100%")
    assert (error.jupyterhub_message, error.log_message) == ("Ask José.\nNow 100%", "Ask José.\nNow 100%")


@pytest.mark.parametrize("version", [(1, 5), (4, 1), (5, 5)])
def test_twenty_refusals_and_one_failure_count_as_one(version):
    async def starts():
        settings = {}
        for number in range(21):
            spawner = SimpleNamespace(handler=SimpleNamespace(settings=settings), consecutive_failure_limit=5)
            spawner._spawn_future = asyncio.get_running_loop().create_future()

            def track(_future, spawner=spawner):  # as JupyterHub's _track_failure_count
                settings["failure_count"] = settings.get("failure_count", 0) + 1
                limit = spawner.consecutive_failure_limit
                assert not limit or settings["failure_count"] < limit, "the hub ends"

            spawner._spawn_future.add_done_callback(track)
            if number < 20:
                spare_failure_count(spawner, version)
            spawner._spawn_future.set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return settings["failure_count"]

    assert asyncio.run(starts()) == 1


def test_a_refusal_after_the_start_has_failed_leaves_the_count_alone():
    """The hub gives up a start that takes too long, and counts it, while it goes on."""

    async def start():
        settings = {"failure_count": 2}
        spawner = SimpleNamespace(handler=SimpleNamespace(settings=settings))
        spawner._spawn_future = asyncio.get_running_loop().create_future()
        spawner._spawn_future.set_result(None)
        spare_failure_count(spawner, (5, 5))
        await asyncio.sleep(0)
        return settings

    assert asyncio.run(start()) == {"failure_count": 2}


def test_newer_hubs_count_no_refusal_and_need_no_help():
    spawner = SimpleNamespace(consecutive_failure_limit=5)
    spare_failure_count(spawner, (6, 1))
    assert spawner.consecutive_failure_limit == 5
    spare_failure_count(spawner, (5, 5))  # started by something other than a request
    assert spawner.consecutive_failure_limit == 0


# --- Requests to the API --------------------------------------------------------------------------------------------------


class Response:
    def __init__(self, status, body):
        self.status, self.data = status, json.dumps(body).encode()

    async def read(self):
        return self.data


def client_of(answer):
    async def call(*_arguments, **options):
        assert options == {"_preload_content": False, "_request_timeout": 3}
        return answer

    api = SimpleNamespace(read_namespaced_persistent_volume_claim=call)
    return KubernetesClient(SimpleNamespace(api=api), "ns", 3)


def test_responses_of_the_asynchronous_client():
    found = asyncio.run(client_of(Response(200, {"metadata": {"name": "a"}})).claim("a"))
    assert found.name == "a"
    assert asyncio.run(client_of(Response(404, {"message": "gone"})).claim("a")) is None
    with pytest.raises(ApiFailure, match="403 forbidden") as error:
        asyncio.run(client_of(Response(403, {"message": "forbidden"})).claim("a"))
    assert error.value.status == 403


def test_the_synchronous_client_is_called_in_a_thread_and_its_exceptions_are_failures():
    class ApiException(Exception):
        status, reason = 404, "Not Found"

    def gone(*_arguments, **_options):
        raise ApiException

    calls = []

    async def asynchronize(call):
        calls.append(call)
        return await asyncio.to_thread(call)

    spawner = SimpleNamespace(asynchronize=asynchronize)
    spawner.api = SimpleNamespace(
        read_namespaced_persistent_volume_claim=gone,
        read_namespaced_config_map=lambda *_a, **_o: Response(200, {"metadata": {"name": "index"}}),
    )
    client = KubernetesClient(spawner, "ns", 3)
    assert asyncio.run(client.claim("a")) is None
    assert asyncio.run(client.config_map("index")) == {"metadata": {"name": "index"}}
    assert len(calls) == 2


def test_the_time_limit_includes_what_the_synchronous_client_sends_again():
    def slow(*_arguments, **_options):
        time.sleep(2)

    async def claim():
        loop = asyncio.get_running_loop()
        api = SimpleNamespace(read_namespaced_persistent_volume_claim=slow)
        spawner = SimpleNamespace(api=api, asynchronize=lambda call: loop.run_in_executor(None, call))
        turns = Turns(asyncio.ensure_future, asyncio.sleep, asyncio.wait_for)
        began = time.monotonic()
        with pytest.raises(ApiFailure, match="TimeoutError"):
            await KubernetesClient(spawner, "ns", 0.1, turns).claim("a")
        return time.monotonic() - began

    assert asyncio.run(claim()) < 1


# --- The ACL --------------------------------------------------------------------------------------------------------------


class StoredAcl:
    """Serves the ConfigMaps of an ACL, and counts."""

    def __init__(self):
        share = ShareSpec(
            name="s",
            level="private",
            claim="s",
            mount_path="/home/jovyan/s",
            read=Grants(users=("ann",), groups=("g",)),
        )
        document = document_of(compile_acl([share], {"g": ["ben"]}, "ns"))
        meta = {"annotations": {"odh.persistency/digest": document.digest}}
        self.maps = {"odh-persistency-acl": {"metadata": meta, "data": {"index.json": document.index}}}
        self.maps |= {part.name: {"data": {"part.json": part.text}} for part in document.parts.values()}
        for name, config_map in self.maps.items():
            config_map.setdefault("metadata", {})["name"] = name
        self.read = []

    async def config_map(self, name):
        self.read.append(name)
        if name not in self.maps:
            raise ApiFailure(404, f"{name} not found")
        return self.maps[name]


def test_parts_are_read_once_and_the_index_at_every_start():
    stored, reader = StoredAcl(), AclReader()
    first = asyncio.run(reader.read(stored, "ann"))
    second = asyncio.run(reader.read(stored, "ben"))
    assert [name[:24] for name in stored.read] == [
        "odh-persistency-acl",
        "odh-persistency-acl-shar",
        "odh-persistency-acl-memb",
        "odh-persistency-acl",
    ]
    assert first.shares is second.shares
    assert set(second.members["people"]) == {"ann", "ben"}


def damage(stored, name, text):
    (key,) = stored.maps[name]["data"]
    stored.maps[name]["data"] = {key: text(stored.maps[name]["data"][key])}


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("how", ["modified", "missing", "empty"])
def test_an_acl_that_is_not_complete_is_unreadable(which, how):
    stored = StoredAcl()
    name = list(stored.maps)[which]
    if how == "missing":
        del stored.maps[name]
    elif how == "empty":
        stored.maps[name]["data"] = None
    else:
        damage(stored, name, lambda text: text.replace("s", "t", 1))
    with pytest.raises(AclUnreadable):
        asyncio.run(AclReader().read(stored, "ann"))


# --- What a request asks for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "body", "requested"),
    [
        ("POST", b'{"secret_shares": ["payroll", 1]}', ["payroll"]),
        ("GET", b'{"secret_shares": ["payroll"]}', []),
        ("POST", b'{"secret_shares": "payroll"}', []),
        ("POST", b'["secret_shares"]', []),
        ("POST", b"secret_shares=payroll", []),
        ("POST", b"", []),
        ("POST", None, []),
        ("POST", b"[" * 100000, []),
    ],
)
def test_only_the_body_of_a_request_asks_for_secret_shares(method, body, requested):
    spawner = SimpleNamespace(user_options={"secret_shares": ["payroll"]})
    assert requested_shares(spawner) == []
    spawner.handler = SimpleNamespace(request=SimpleNamespace(method=method, body=body))
    assert requested_shares(spawner) == requested


def test_a_form_asks_with_its_own_field_only():
    assert posted(b"", **{"odh-persistency-secret-share": [b"payroll", b"\xff"]}) == ["payroll", "\ufffd"]
    assert posted(b"secret_shares=payroll", secret_shares=[b"payroll"]) == []


def test_json_that_is_declared_as_a_form_asks_too():
    """As curl declares it: tornado then takes the whole body as the name of a field."""
    text = '{"secret_shares": ["payroll"]}'
    assert posted(text.encode(), **{text: [b""]}) == ["payroll"]


def posted(body, **fields):
    request = SimpleNamespace(method="POST", body=body, body_arguments=fields)
    return requested_shares(SimpleNamespace(handler=SimpleNamespace(request=request)))


# --- The form -------------------------------------------------------------------------------------------------------------


def offered(name, rule="mounted only when asked for: read only, named directly"):
    return Verdict(name, "secret", "ask", rule, True)


def test_a_form_is_added_only_for_members_and_a_notice_only_to_a_form():
    assert with_secret_shares("<p>x</p>", []) == "<p>x</p>"
    assert with_secret_shares("", []) == ""
    assert with_notice("") == ""
    assert with_notice("<p>x</p>").startswith("<p>x</p>")
    assert with_secret_shares("", [offered("a")]).count("<input") == 1


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_name_or_reason_injects_html(name, rule):
    plain = Tags(with_secret_shares("", [offered("a", "x")]))
    tags = Tags(with_secret_shares("", [offered(name, rule)]))
    assert [tag for tag, _attributes in tags.found] == [tag for tag, _attributes in plain.found]
    ((_tag, attributes),) = [found for found in tags.found if found[0] == "input"]
    assert attributes["value"] == name
    assert set(attributes) == {"class", "type", "name", "value"}


def test_the_form_without_us_is_that_of_the_hub():
    async def dynamic(_spawner):
        return "dynamic"

    def form(configured, spawner=None):
        return asyncio.run(form_without_us(spawner or SimpleNamespace(), configured, on_asyncio))

    on_asyncio = runtime()._replace(wrap_future=asyncio.wrap_future)
    assert form("text") == "text"
    assert form(dynamic) == "dynamic"
    with ThreadPoolExecutor(1) as threads:
        assert form(lambda _spawner: threads.submit(lambda: "of a thread")) == "of a thread"
    assert form(None) == ""
    assert form(None, SimpleNamespace(_options_form_default=lambda: dynamic)) == "dynamic"
    assert form("", SimpleNamespace(_options_form_default=lambda: dynamic)) == ""


# --- Texts ----------------------------------------------------------------------------------------------------------------

MOUNTS = [Mount("a", "a", "/home/a", "ro", None), Mount("b", "b", "/home/b", "rw", None)]


def test_the_stamp_is_canonical_json():
    assert stamp(Outcome("d", MOUNTS, {"c": "not mounted: x"})) == (
        '{"acl":"d","left_out":{"c":"not mounted: x"},"shares":{"a":"ro","b":"rw"}}'
    )
    assert json.loads(stamp(Outcome("", [], {}, "why")))["notice"] == "why"


def test_the_progress_page_says_what_is_mounted_and_what_is_not():
    outcome = Outcome("d", MOUNTS, {"c": "not mounted: x"}, "Notice.", frozenset(["a", "unknown"]))
    assert messages_of(outcome) == [
        ("SharesMounted", "Normal", "Mounts shares: a (read only), b (read and write)"),
        ("SecretShareMounted", "Normal", "Mounts the secret share a (read only)"),
        ("SharesLeftOut", "Warning", "Shares that are not mounted: c (x)"),
        ("Incomplete", "Warning", "Notice."),
    ]
    assert messages_of(Outcome("d", [], {})) == []


def test_as_many_events_as_a_list_needs():
    mounts = [Mount(f"dataset-{number:03}", "c", "/x", "ro", None) for number in range(200)]
    reasons = {f"old-{number:03}": "not mounted: " + "é" * 40 for number in range(100)}
    messages = messages_of(Outcome("d", mounts, {**reasons, "long": "x" * 2000}))
    bodies = [event({"name": "p", "namespace": "n"}, message, datetime.now(timezone.utc)) for message in messages]
    assert all(len(body["message"].encode()) <= 1024 for body in bodies)
    text = "\n".join(body["message"] for body in bodies)
    assert [mount.share for mount in mounts if text.count(mount.share) != 1] == []
    assert [share for share in reasons if text.count(share) != 1] == []
    assert len(messages) < 25
    assert {message.text.partition(": ")[0] for message in messages} == {"Mounts shares", "Shares that are not mounted"}


def test_the_record_of_a_secret_share_is_one_line_of_json():
    record = secret_record('an"n\n', "lab", MOUNTS[1], "d", "admin")
    assert "\n" not in record
    assert json.loads(record) == {
        "user": 'an"n\n',
        "server": "lab",
        "share": "b",
        "mode": "rw",
        "acl": "d",
        "requester": "admin",
    }


def test_an_event_has_a_time():
    time = datetime(2026, 1, 2, 3, 4, 5, 6, timezone.utc)
    body = event({"name": "p", "namespace": "n"}, Message("R", "Normal", "é" * 2000), time)
    assert len(body["message"].encode()) <= 1024
    assert body["eventTime"] == "2026-01-02T03:04:05.000006Z"


# --- Configuration --------------------------------------------------------------------------------------------------------


class Section(dict):
    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


class Configuration(dict):
    """Like traitlets' Config: sections come up when they are asked for."""

    def __missing__(self, name):
        return self.setdefault(name, Section())


def runtime(traits=("delete_pvc", "remember_pvc_name")):
    return Runtime(
        HttpError,
        lambda: datetime.combine(date(2026, 1, 1), datetime.min.time()),
        asyncio.run,
        (5, 5),
        traits.__contains__,
    )


def test_the_traits_that_lose_homes_are_off_where_they_exist():
    config = Configuration()
    configure(config, {}, runtime())
    assert (config.get("KubeSpawner")["delete_pvc"], config.get("KubeSpawner")["remember_pvc_name"]) == (False, False)
    config = Configuration()
    configure(config, {}, runtime(("delete_pvc",)))
    assert "remember_pvc_name" not in config["KubeSpawner"]


def test_the_hook_of_the_section_that_wins_is_chained():
    calls = []
    config = Configuration()
    config["Spawner"]["pre_spawn_hook"] = lambda _spawner: calls.append("general")
    config["KubeSpawner"]["pre_spawn_hook"] = lambda _spawner: calls.append("KubeSpawner")
    configure(config, {"home": "none"}, runtime())
    client = SimpleNamespace(sanitize_for_serialization=lambda value: value)
    spawner = SimpleNamespace(volumes=[], volume_mounts={}, init_containers=[], extra_containers=[])
    spawner.extra_container_config, spawner._expand_all, spawner.progress = {}, lambda value: value, None
    spawner.extra_pod_config = {}
    spawner.api = SimpleNamespace(api_client=client)
    spawner.observe = lambda _handler, names: None
    spawner.pre_spawn_hook, spawner.modify_pod_hook = (
        config["KubeSpawner"][name] for name in ("pre_spawn_hook", "modify_pod_hook")
    )
    config["KubeSpawner"]["pre_spawn_hook"](spawner)
    assert calls == ["KubeSpawner"]
    configure(config, {"home": "none"}, runtime(), section="OpenShiftSpawner")
    assert "pre_spawn_hook" in config["OpenShiftSpawner"]


class SiteSpawner(SimpleNamespace):
    """A spawner class of a hub's own."""


@pytest.mark.parametrize("chosen", [type("Newer", (SiteSpawner,), {}), SiteSpawner, "site.SiteSpawner"])
def test_the_sections_of_a_class_of_the_hubs_own_win(chosen):
    config = Configuration()
    config["JupyterHub"]["spawner_class"] = chosen
    config["SiteSpawner"]["modify_pod_hook"] = print
    hook = configure(config, {}, runtime())
    section = chosen.rpartition(".")[2] if isinstance(chosen, str) else chosen.__name__
    assert config[section]["modify_pod_hook"] == hook.modify_pod
    assert config[section]["delete_pvc"] is False
    assert hook._previous["modify_pod_hook"] is print


def test_the_class_of_an_entry_point_is_kubespawner():
    config = Configuration()
    config["JupyterHub"]["spawner_class"] = "kubernetes"
    hook = configure(config, {}, runtime())
    assert config["KubeSpawner"]["modify_pod_hook"] == hook.modify_pod


def test_spawners_with_copies_of_the_configuration_share_the_hook_and_so_its_cache():
    config = Configuration()
    hook = configure(config, {}, runtime())
    assert copy.deepcopy(config["KubeSpawner"]["modify_pod_hook"]).__self__ is hook


def test_wrong_settings_stop_the_hub():
    with pytest.raises(AccessError, match="`policy` is 'x'"):
        configure(Configuration(), {"policy": "x"}, runtime())


# --- The hub's Python -----------------------------------------------------------------------------------------------------


def test_the_package_has_the_syntax_of_python_3_8_and_no_folders():
    folder = Path(hub_configuration.__file__).parent
    assert [path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"] == []
    for path in folder.glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
