"""Errors of the connection to the API server: each is one sentence, after a short time, and nothing is written."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import threading
import time

import pytest
import yaml

from tests.support.cluster import Cluster

WITHIN = 10.0  # seconds, the module's start on a busy machine included


@pytest.fixture
def config(cluster: Cluster):
    """The kubeconfig in use as data, flattened."""
    return cluster.kubectl("config", "view", "--raw", "--flatten", "--minify")


@pytest.fixture
def refusal(cluster, namespace, modules, tmp_path):
    """Run user_pvc with a kubeconfig given as data (or none) and return its message."""

    def refused(content=None, *, environment=None, **options):
        how = {}
        if content is not None:
            path = tmp_path / "config"
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
            how["kubeconfig"] = path
        if environment is not None:
            how["environment"] = environment
        began = time.monotonic()
        message = modules.refused("user_pvc", {"namespace": namespace, "users": ["ann"], **options}, **how)
        assert time.monotonic() - began < WITHIN
        assert "\n" not in message
        assert "Traceback" not in message
        assert cluster.claims(namespace) == {}
        return message

    return refused


def user_of(config):
    return config["users"][0]["user"]


def bare_environment(tmp_path):
    """An environment that names no cluster at all."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "K8S_"))}
    return kept | {"HOME": str(tmp_path), "KUBECONFIG": "", "K8S_AUTH_KUBECONFIG": ""}


def test_no_kubeconfig(refusal, tmp_path):
    message = refusal(environment=bare_environment(tmp_path))
    assert "No connection to an API server" in message
    assert "set `kubeconfig` or K8S_AUTH_KUBECONFIG" in message


def test_a_kubeconfig_that_does_not_exist(refusal, tmp_path):
    message = refusal(kubeconfig=str(tmp_path / "nowhere"))
    assert f"The kubeconfig {tmp_path}/nowhere does not exist" in message


def test_an_invalid_kubeconfig(refusal):
    message = refusal("- just\n- a list\n")
    assert "config" in message


def test_a_missing_context(refusal, config):
    message = refusal(config, context="prod")
    assert "has no context prod" in message
    assert config["contexts"][0]["name"] in message


def test_a_wrong_token(refusal, config):
    config["users"][0]["user"] = {"token": "expired"}
    message = refusal(config)
    assert "does not accept this login (401)" in message
    assert "expired" in message


def test_an_expired_token(cluster, refusal, config, namespace):
    """A real token of the API server's, past its time."""
    answer = cluster.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token",
        {"spec": {"expirationSeconds": 600}},
    )
    head, claims, signature = answer["status"]["token"].split(".")
    padded = claims + "=" * (-len(claims) % 4)
    body = json.loads(base64.urlsafe_b64decode(padded))
    body["exp"] = int(time.time()) - 60
    tampered = base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
    config["users"][0]["user"] = {"token": f"{head}.{tampered}.{signature}"}
    assert "(401)" in refusal(config)


def test_nobody_listens(refusal, config):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{taken.getsockname()[1]}"
        message = refusal(config)
    assert "Nothing answers at https://127.0.0.1" in message
    assert "connection refused" in message


def test_nobody_answers(refusal, config):
    """A port that takes connections and says nothing: TLS never comes about."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{silent.getsockname()[1]}"
        held = []
        thread = threading.Thread(target=lambda: held.append(silent.accept()), daemon=True)
        thread.start()
        message = refusal(config)
    assert "did not answer in time" in message or "TLS" in message


def test_a_name_that_does_not_resolve(refusal, config):
    config["clusters"][0]["cluster"]["server"] = "https://api.cluster.invalid:6443"
    assert "cannot be resolved" in refusal(config)


def test_another_ca(refusal, config, tmp_path):
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -days 1 -keyout {tmp_path}/key -out {tmp_path}/ca".split(),
        check=True,
        capture_output=True,
    )
    other = base64.b64encode((tmp_path / "ca").read_bytes()).decode()
    config["clusters"][0]["cluster"]["certificate-authority-data"] = other
    message = refusal(config)
    assert "not signed by the CA that the connection trusts" in message
    assert "`ca_cert`" in message


def test_plain_http_to_a_tls_port(refusal, config):
    server = config["clusters"][0]["cluster"]["server"]
    config["clusters"][0]["cluster"]["server"] = server.replace("https://", "http://")
    assert "API server" in refusal(config) or "broke" in refusal(config)


def test_a_missing_ca_file(refusal):
    assert "ssl_ca_cert /nowhere/ca.pem, which is not a file" in refusal(ca_cert="/nowhere/ca.pem")


@pytest.mark.parametrize("key", ["as", "as-groups"])
def test_impersonation_in_a_kubeconfig_is_rejected_not_ignored(refusal, config, key):
    user_of(config)[key] = "alice" if key == "as" else ["admins"]
    message = refusal(config)
    assert "impersonates" in message
    assert "`impersonate_user`" in message


def test_impersonation_by_option_works(cluster, namespace, modules):
    options = {"namespace": namespace, "users": ["ann"], "impersonate_user": "nobody-in-particular"}
    message = modules.refused("user_pvc", options)
    assert "nobody-in-particular may not list persistentvolumeclaims" in message
    options |= {"impersonate_groups": ["system:authenticated", "system:masters"]}
    assert modules.ok("user_pvc", options).changed


def test_a_missing_right_names_the_rule(refusal, restricted_user, namespace, modules):
    login = restricted_user()
    message = modules.refused("user_pvc", {"namespace": namespace, "users": ["ann"]}, kubeconfig=login)
    assert f"may not list persistentvolumeclaims in namespace {namespace}" in message
    assert 'rule {apiGroups: [""], resources: ["persistentvolumeclaims"], verbs: ["list"]}' in message


CLAIMS = {"apiGroups": [""], "resources": ["persistentvolumeclaims"]}


def test_a_missing_right_to_write_fails_each_item_and_check_mode_warns(cluster, namespace, modules, restricted_user):
    login = restricted_user([{**CLAIMS, "verbs": ["list", "get"]}])
    options = {"namespace": namespace, "users": ["ann", "ben"]}
    result = modules.run("user_pvc", options, kubeconfig=login)
    assert result.failed
    assert len(result.failed_items) == 2
    for item in result.failed_items:
        assert 'verbs: ["create"]' in item["reason"]
        assert not item["retryable"]
        assert "forbidden" in item["api"]
    shown = modules.ok("user_pvc", options, kubeconfig=login, check=True)
    assert shown.summary == {"create": 2, "keep": 0}
    assert any('verbs: ["create"]' in warning for warning in shown.warnings)


def test_a_role_for_claims_alone_is_enough(cluster, namespace, modules, restricted_user):
    login = restricted_user([{**CLAIMS, "verbs": ["list", "get", "create", "patch"]}])
    options = {"namespace": namespace, "users": ["ann"]}
    assert modules.ok("user_pvc", options, kubeconfig=login).changed
    assert not modules.ok("user_pvc", options, kubeconfig=login).changed
    assert modules.ok("user_pvc", {**options, "state": "retired"}, kubeconfig=login).changed


def test_a_namespace_that_does_not_exist(cluster, modules):
    message = modules.refused("user_pvc", {"namespace": "odhp-nowhere", "users": ["ann"]})
    assert message.startswith("Namespace odhp-nowhere does not exist: create it first, or correct `namespace`.")
    assert "does not exist" in modules.refused("user_pvc_info", {"namespace": "odhp-nowhere"})
    shown = modules.ok("user_pvc", {"namespace": "odhp-nowhere", "users": ["ann"]}, check=True)
    assert shown.summary == {"create": 1, "keep": 0}
    assert any("does not exist" in warning for warning in shown.warnings)


def test_a_terminating_namespace(cluster, modules):
    name = cluster.make_namespace()
    held = {"metadata": {"name": "held", "finalizers": ["testbed.odh.persistency/hold"]}}
    cluster.create("configmaps", held, name)
    try:
        cluster.remove_namespace(name)
        for check in (False, True):
            message = modules.refused("user_pvc", {"namespace": name, "users": ["ann"]}, check=check)
            assert f"Namespace {name} is being deleted" in message
    finally:
        cluster.patch("configmaps", "held", {"metadata": {"finalizers": None}}, name)


def test_a_quota_fails_what_it_stops_and_check_mode_sums_it_up(cluster, namespace, modules):
    quota = {
        "metadata": {"name": "storage"},
        "spec": {"hard": {"requests.storage": "25Gi", "persistentvolumeclaims": "9"}},
    }
    cluster.create("resourcequotas", quota, namespace)
    deadline = time.monotonic() + 20
    while not cluster.get("resourcequotas", "storage", namespace).get("status", {}).get("hard"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    options = {"namespace": namespace, "users": ["a", "b", "c", "d"], "size": "10Gi"}
    shown = modules.ok("user_pvc", options, check=True)
    assert any(
        "ResourceQuota storage has 25Gi of requests.storage left and the plan needs 40Gi" in w for w in shown.warnings
    )
    result = modules.run("user_pvc", options)
    assert result.failed
    assert result.output["changed"]
    # Usually two. The controller of quotas writes what it has counted, which may lack a claim of a moment ago.
    created = len(cluster.claims(namespace))
    assert created in (2, 3)
    assert (result.summary["create"], len(result.failed_items)) == (created, 4 - created)
    for item in result.failed_items:
        assert "ResourceQuota" in item["reason"]
        assert item["retryable"]
    cluster.patch("resourcequotas", "storage", {"spec": {"hard": {"requests.storage": "40Gi"}}}, namespace)
    deadline = time.monotonic() + 20
    while cluster.get("resourcequotas", "storage", namespace)["status"]["hard"]["requests.storage"] != "40Gi":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    again = modules.ok("user_pvc", options)
    assert again.summary == {"create": 4 - created, "keep": created}
