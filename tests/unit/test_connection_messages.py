"""What a connection says that cannot be made, without an API server."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.errors import ConfigError
from ansible_collections.odh.persistency.plugins.module_utils._io.kubernetes import connection
from ansible_collections.odh.persistency.plugins.module_utils._io.options.connection import argument_spec
from kubernetes.config import incluster_config, kube_config

NO_TOKEN = "this pod has no token of a service account (automountServiceAccountToken: false?)"


@pytest.fixture
def token(tmp_path, monkeypatch):
    """The path of the token in a pod with no other setting and no kubeconfig."""
    for name in ("KUBECONFIG", "HOST", "API_KEY", "CONTEXT", "USERNAME", "PASSWORD", "CLIENT_CERT", "CLIENT_KEY"):
        monkeypatch.delenv(f"K8S_AUTH_{name}", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for module in (connection, kube_config):
        monkeypatch.setattr(module, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    path = tmp_path / "token"
    monkeypatch.setattr(connection, "POD_TOKEN", str(path))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(path))
    return path


def message(**params):
    module = SimpleNamespace(params=dict.fromkeys(argument_spec()) | params, no_log_values=set())
    with pytest.raises(ConfigError) as caught:
        connection.connect(module, 1)
    return str(caught.value)


def test_a_pod_without_a_token_says_what_to_mount_and_which_setting_of_awx_does_it(token):
    said = message()
    assert NO_TOKEN in said
    assert (
        f"mount the token at {token} (in AWX: `automountServiceAccountToken: true` and `serviceAccountName` in " in said
    )
    assert "the custom pod spec, `pod_spec_override`, of the container group)" in said
    assert (
        "or set `kubeconfig` or K8S_AUTH_KUBECONFIG, or `host` with `api_key` (in AWX: a credential of the type "
        in said
    )


def test_the_token_is_not_the_reason_if_a_context_is_named(token):
    said = message(context="production")
    assert "token" not in said
    assert said.endswith("set `kubeconfig` or K8S_AUTH_KUBECONFIG, or `host` with `api_key`")


def test_the_token_is_not_the_reason_outside_of_a_pod(token, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert "token" not in message()


def test_a_token_without_a_ca_is_not_a_missing_token(token, monkeypatch):
    token.write_text("some-token")
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", f"{token}.crt")
    assert NO_TOKEN not in message()
