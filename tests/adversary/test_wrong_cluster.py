"""The wrong cluster: settings that contradict each other, an expected cluster, a connection without verification."""

from __future__ import annotations

import copy
import os
import socket
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._io import connection_settings

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    "user_pvc": {"users": ["ann"]},
    "user_pvc_info": {},
    "share_pvc": {"namespaces": [], "shares": []},
    "share_acl": {"shares": []},
    "share_preflight": {"shares": []},
    "share_access_info": {},
}
#: The modules for software. Jobs build it.
JOB = {"prefix": "/opt/software", "builder": "job", "builder_namespace": "hub", "builder_claim": "software"}
SOFTWARE_MODULES = {
    "lmod_tree": {"state": "retired", "namespaces": ["hub"]},
    "lmod_release": {"state": "rolled_back", "builder_image": "builder", **JOB},
    "lmod_release_info": {"builder_image": "builder", **JOB},
    "lmod_sync": {
        "state": "pruned",
        "keep": 1,
        "prefix": "/opt/software",
        "target": "nas:/srv/software",
        "server_namespaces": ["hub"],
    },
}
#: The modules for a hub. They use the same connection.
HUB_MODULES = {
    "hub_config": {"flavor": "z2jh", "state": "present", "values_file": "/tmp/values.yml"},
    "hub_health_info": {},
    "server_access": {"hub": {"url": "http://127.0.0.1:9", "token": "some-token"}},
}
#: An address that nothing listens on. A module that sends a request reports that, and not the contradiction.
NOWHERE = "https://127.0.0.1:9"


def bare():
    return {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "K8S_"))}


def awx(host):
    """The environment that the bearer token credential of AWX makes."""
    return bare() | {
        "K8S_AUTH_HOST": host,
        "K8S_AUTH_API_KEY": "secret-token",
        "K8S_AUTH_VERIFY_SSL": "False",
    }


@pytest.fixture(scope="session")
def viewed_config(cluster):
    return cluster.kubectl("config", "view", "--raw", "--flatten", "--minify")


@pytest.fixture
def config(viewed_config):
    return copy.deepcopy(viewed_config)


@pytest.fixture
def kubeconfig(config, tmp_path):
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_no_module_is_left_out():
    connecting = {
        path.stem
        for path in (ROOT / "plugins" / "modules").glob("*.py")
        if "kubernetes.core.k8s_auth_options" in path.read_text()
    }
    assert connecting == MODULES.keys() | HUB_MODULES.keys() | SOFTWARE_MODULES.keys()
    # What kubernetes.core's own modules connect to is not checked.
    for path in [*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").rglob("*.yml")]:
        assert "kubernetes.core." not in path.read_text(), path


def options_of(module):
    options = {**MODULES, **HUB_MODULES, **SOFTWARE_MODULES}[module]
    return options if module == "share_pvc" or module in SOFTWARE_MODULES else {"namespace": "hub", **options}


@pytest.mark.parametrize("module", [*MODULES, *HUB_MODULES, *SOFTWARE_MODULES])
def test_an_inventory_does_not_reach_the_cluster_of_an_awx_credential(modules, module, kubeconfig, tmp_path):
    options = options_of(module)
    if module == "lmod_sync":
        for name in ("store", "releases", "locks"):
            (tmp_path / name).mkdir()
        options = {**options, "prefix": str(tmp_path)}
    environment = awx(NOWHERE)
    chosen = {"context": "production", "kubeconfig": "/does/not/exist"}
    message = modules.refused(module, {**options, **chosen}, environment=environment)
    assert "The kubeconfig /does/not/exist does not exist (`kubeconfig`)" in message
    for chosen, check in (({"context": "production"}, False), ({"kubeconfig": kubeconfig, "context": "x"}, True)):
        message = modules.refused(module, {**options, **chosen}, environment=environment, check=check)
        name = next(iter(chosen))
        assert f"`{name}` ({chosen[name]}) would be ignored, because K8S_AUTH_HOST ({NOWHERE}) names" in message
        assert "secret-token" not in message


@pytest.mark.parametrize(
    ("options", "environment", "sources"),
    [
        ({"host": "https://a.example"}, {"K8S_AUTH_HOST": "https://b.example"}, ("`host`", "K8S_AUTH_HOST")),
        (
            {"host": "https://a.example", "api_key": "some-token"},
            {"K8S_AUTH_HOST": NOWHERE},
            ("`host`", "K8S_AUTH_HOST"),
        ),
        ({"host": "https://a.example", "api_key": "some-token", "kubeconfig": True}, {}, ("`host`", "`kubeconfig`")),
        ({"host": "https://a.example", "kubeconfig": True}, {}, ("`host`", "`kubeconfig`")),
        ({"host": "https://a.example"}, {"K8S_AUTH_KUBECONFIG": True}, ("`host`", "K8S_AUTH_KUBECONFIG")),
        ({"host": "https://a.example"}, {"KUBECONFIG": True}, ("`host`", "no login of its own")),
        (
            {},
            {"K8S_AUTH_HOST": NOWHERE, "K8S_AUTH_API_KEY": "some-token", "K8S_AUTH_KUBECONFIG": True},
            ("K8S_AUTH_HOST", "K8S_AUTH_KUBECONFIG"),
        ),
        (
            {},
            {"K8S_AUTH_HOST": NOWHERE, "K8S_AUTH_API_KEY": "some-token", "K8S_AUTH_KUBECONFIG": "/nowhere"},
            ("/nowhere does not exist", "K8S_AUTH_KUBECONFIG"),
        ),
        ({"kubeconfig": True, "context": "nope"}, {}, ("has no context nope", "`context` or K8S_AUTH_CONTEXT")),
        ({"kubeconfig": True}, {"K8S_AUTH_CONTEXT": "nope"}, ("has no context nope", "K8S_AUTH_CONTEXT")),
        ({"kubeconfig": True}, {"K8S_AUTH_API_KEY": "some-token"}, ("`kubeconfig`", "K8S_AUTH_API_KEY", "two logins")),
        (
            {"host": NOWHERE, "username": "u", "password": "p"},
            {"K8S_AUTH_API_KEY": "some-token"},
            ("`username`", "K8S_AUTH_API_KEY", "two logins"),
        ),
        (
            {"host": NOWHERE, "client_cert": True, "client_key": True},
            {"K8S_AUTH_API_KEY": "some-token"},
            ("`client_cert`", "K8S_AUTH_API_KEY", "two logins"),
        ),
        # A context that nobody can look up.
        (
            {},
            {"K8S_AUTH_HOST": NOWHERE, "K8S_AUTH_API_KEY": "some-token", "K8S_AUTH_CONTEXT": "production"},
            ("K8S_AUTH_CONTEXT (production) would be ignored", "K8S_AUTH_HOST"),
        ),
        (
            {"host": NOWHERE, "api_key": "some-token", "context": "production"},
            {},
            ("`context` (production) would be ignored", "`host`"),
        ),
        # Addresses that are none.
        (
            {"host": "https://[::1", "api_key": "some-token"},
            {"K8S_AUTH_HOST": NOWHERE},
            ("`host` (https://[::1)", "K8S_AUTH_HOST"),
        ),
        ({"host": "https://a:99999", "api_key": "some-token"}, {}, ("https://a:99999 (`host`) is not a URL",)),
        (
            {"host": NOWHERE, "api_key": "some-token", "proxy": "a b"},
            {},
            ("The proxy a b is not a URL", "K8S_AUTH_PROXY"),
        ),
        ({"kubeconfig": True, "cluster": "https://[::1"}, {}, ("The wrong cluster", "not to https://[::1")),
        (
            {
                "kubeconfig": {
                    "current-context": "some-context",
                    "contexts": [{"name": "some-context", "context": "no-mapping"}],
                }
            },
            {},
            ("inline kubeconfig", "cannot be used"),
        ),
    ],
)
def test_settings_that_contradict_each_other(modules, kubeconfig, options, environment, sources):
    def filled(values):
        return {name: kubeconfig if value is True else value for name, value in values.items()}

    message = modules.refused(
        "user_pvc",
        {"namespace": "hub", "users": ["ann"], **filled(options)},
        environment=bare() | {"HOME": "/nowhere"} | filled(environment),
    )
    for source in sources:
        assert source in message


def test_in_a_pod_the_service_account_does_not_silently_replace_a_kubeconfig(
    modules, kubeconfig, tmp_path, monkeypatch
):
    token = tmp_path / "token"
    token.write_text("some-token")
    monkeypatch.setattr(connection_settings, "POD_TOKEN", str(token))
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    def contradiction(options, environment):
        return connection_settings.Settings(options, pod | environment).contradiction(lambda: None)

    sentence = contradiction({}, {"KUBECONFIG": kubeconfig})
    assert (
        f"KUBECONFIG ({kubeconfig}) would be ignored, because the service account of this pod comes first" in sentence
    )
    assert "K8S_AUTH_KUBECONFIG" in sentence
    assert f"KUBECONFIG (/nowhere:{kubeconfig})" in contradiction({}, {"KUBECONFIG": f"/nowhere:{kubeconfig}"})
    assert not contradiction({}, {})
    assert not contradiction({}, {"KUBECONFIG": "/nowhere"})
    assert not contradiction({"kubeconfig": kubeconfig}, {"KUBECONFIG": kubeconfig})
    assert not contradiction({}, {"KUBECONFIG": kubeconfig, "K8S_AUTH_KUBECONFIG": kubeconfig})
    assert not contradiction({}, {"KUBECONFIG": kubeconfig, "K8S_AUTH_HOST": NOWHERE, "K8S_AUTH_API_KEY": "x"})


@pytest.mark.parametrize("module", [*MODULES, *HUB_MODULES])
def test_every_module_says_what_a_pod_without_a_token_lacks(modules, module):
    options = {"namespace": "hub", **{**MODULES, **HUB_MODULES}[module]}
    if module == "share_pvc":
        del options["namespace"]
    pod = bare() | {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": "/nowhere"}
    message = modules.refused(module, options, environment=pod)
    assert "mount the token at /var/run/secrets/kubernetes.io/serviceaccount/token (in AWX: " in message
    assert "`automountServiceAccountToken: true` and `serviceAccountName` in the custom pod spec" in message


def test_a_pod_without_a_token_says_so(modules, namespace, kubeconfig):
    options = {"namespace": namespace, "users": []}
    pod = bare() | {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": "/nowhere"}
    for environment in (pod, pod | {"KUBECONFIG": "/nowhere/config"}, pod | {"K8S_AUTH_HOST": NOWHERE}):
        message = modules.refused("user_pvc", options, environment=environment)
        assert "this pod has no token of a service account (automountServiceAccountToken: false?)" in message
        assert "`host` with `api_key`" in message
    modules.ok("user_pvc", options, environment=pod | {"KUBECONFIG": kubeconfig})


def test_settings_that_agree(cluster, modules, namespace, config, kubeconfig):
    """The same server in another spelling, an option that replaces its variable, a context of the named kubeconfig."""
    options = {"namespace": namespace}
    host = config["clusters"][0]["cluster"]["server"]
    context = config["contexts"][0]["name"]
    environment = bare() | {"K8S_AUTH_KUBECONFIG": kubeconfig}
    modules.ok("user_pvc_info", {**options, "host": f"{host.replace('https', 'HTTPS')}/"}, environment=environment)
    modules.ok("user_pvc_info", {**options, "context": context}, environment=environment)
    environment = bare() | {"K8S_AUTH_KUBECONFIG": "/dev/null", "KUBECONFIG": "/nowhere"}
    modules.ok("user_pvc_info", {**options, "kubeconfig": kubeconfig}, environment=environment)


def test_the_roles_do_not_reach_the_cluster_of_an_awx_credential(namespace, playbooks):
    playbooks.cluster = type("Awx", (), {"environment": awx(NOWHERE)})()
    inventory = {
        "persistency_connection": {"context": "production"},
        "homes_namespace": namespace,
        "homes_users": ["ann"],
    }
    output = playbooks.refused("odh.persistency.site", inventory)
    assert "`context` (production) would be ignored, because K8S_AUTH_HOST" in output
    inventory = {
        "persistency_connection": {"context": "production"},
        "shares_namespace": namespace,
        "shares_create_namespace": True,
        "shares_list": [],
    }
    output = playbooks.refused("odh.persistency.shares", inventory, "--check")
    assert "`context` (production) would be ignored, because K8S_AUTH_HOST" in output


@pytest.mark.parametrize("module", MODULES)
def test_the_expected_cluster(cluster, modules, namespace, module, config):
    options = {"namespace": namespace, **MODULES[module]}
    if module == "share_pvc":
        del options["namespace"]
    uid = cluster.get("namespaces", "kube-system")["metadata"]["uid"]
    server = config["clusters"][0]["cluster"]["server"]
    for expected in (uid.upper(), f"{server}/"):
        result = modules.run(module, {**options, "cluster": expected}, check=True)
        assert "wrong cluster" not in result.output.get("msg", "")
    for wrong in (f"{uid[:-1]}{(int(uid[-1], 16) + 1) % 16:x}", "https://other.example:6443"):
        message = modules.refused(module, {**options, "cluster": wrong}, check=True)
        assert "wrong cluster" in message
        assert wrong in message


def test_the_roles_check_the_expected_cluster_once_a_play(cluster, namespace, audit, playbooks):
    uid = cluster.get("namespaces", "kube-system")["metadata"]["uid"]
    inventory = {
        "persistency_cluster": uid,
        "homes_namespace": namespace,
        "homes_users": ["ann"],
        "shares_namespace": namespace,
        "shares_list": [],
    }
    with audit(user_agent="odh.persistency/") as log:
        playbooks.ok("odh.persistency.site", inventory)
    assert [request.name for request in log.requests].count("kube-system") == 2
    wrong = inventory | {"persistency_cluster": "https://production.example:6443"}
    homes = {key: value for key, value in wrong.items() if not key.startswith("shares_")}
    # The role of shares is that of the playbook shares.
    for playbook, given in (("site", homes), ("shares", wrong), ("homes_report", homes), ("shares_report", wrong)):
        assert "The wrong cluster" in playbooks.refused(f"odh.persistency.{playbook}", given, "--check")


def test_a_connection_without_verification_warns_in_each_run(modules, namespace, config, tmp_path):
    config["clusters"][0]["cluster"].pop("certificate-authority-data")
    config["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    path = tmp_path / "insecure"
    path.write_text(yaml.safe_dump(config))
    for module, more in MODULES.items():
        options = {"namespace": namespace, **more} if module != "share_pvc" else more
        if module == "share_acl":
            options |= {"allow_empty": True}
        warnings = modules.run(module, {**options, "kubeconfig": str(path)}).warnings
        assert [text for text in warnings if "is not verified" in text], (module, warnings)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        options = {"namespace": namespace, "users": ["a"], "host": host, "api_key": "some-token"}
        result = modules.run("user_pvc", options, environment=bare())
    assert [text for text in result.warnings if "is not encrypted" in text]
