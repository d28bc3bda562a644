# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The adapter to kubernetes.core and the kubernetes client: from connection options to a connection.

Only this file uses private names of kubernetes.core (equal in 6.2 to 6.6). No request is made here, and none of the
client's own APIs is used: requests use its connection pool directly. Only OpenShift's client (`openshift_client.py`) gets
the client itself, which it is built on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import urlsplit

from ..connection_settings import POD_TOKEN, KubeconfigContext, Settings, without_credentials
from ..errors import ConfigError
from ..version import USER_AGENT

try:
    import kubernetes
    import urllib3
    from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger

    IMPORT_ERROR: Optional[Exception] = None
except ImportError as error:  # the module reports it, with missing_required_lib
    IMPORT_ERROR = error

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as kc

    COLLECTION_ERROR: Optional[Exception] = None
except ImportError as error:
    COLLECTION_ERROR = error

#: The Python client silently ignores impersonation in a kubeconfig: a run would act as another user.
_IMPERSONATION_KEYS = ("as", "as-groups", "as-uid", "as-user-extra")


@dataclass
class Connection:
    """A configured connection to the API server: base URL, connection pool and login headers."""

    server: str
    configuration: Any
    fixed_headers: tuple[tuple[str, str], ...]
    client: Any
    #: Where the address comes from, for messages.
    source: str = ""
    _prefix: str = ""

    def __post_init__(self) -> None:
        """Look up the connection pool once, because a lookup costs as much as a small request."""
        parts = urlsplit(self.server)
        self._pool = self.client.rest_client.pool_manager.connection_from_url(self.server)
        # Plain HTTP through a proxy needs absolute URLs.
        self._prefix = self.server if self._pool.proxy is not None and parts.scheme == "http" else parts.path

    @property
    def insecure(self) -> str:
        """Why nobody knows whether the answers come from the API server, "" with TLS that is verified."""
        server = without_credentials(self.server)
        if urlsplit(self.server).scheme == "http":
            return f"The connection to {server} ({self.source}) is not encrypted: use https"
        if self.configuration.verify_ssl is False:
            return (
                f"The certificate of {server} ({self.source}) is not verified, so anybody in between can read the token and "
                "change the answers: set `ca_cert`, and remove `validate_certs: false`, K8S_AUTH_VERIFY_SSL or "
                "insecure-skip-tls-verify"
            )
        return ""

    def request(self, method: str, path: str, body: Optional[bytes], headers: Any, timeout: Any) -> Any:
        """Send a request once and return urllib3's response with its data read. Raises urllib3's HTTPError."""
        return self._pool.request(
            method, self._prefix + path, body=body, headers=headers, timeout=timeout, retries=False, redirect=False
        )

    def headers(self) -> list[tuple[str, str]]:
        """Return the login headers. This may run an exec plugin: call it once per run, and again after a 401."""
        pairs = list(self.fixed_headers)
        bearer = self.configuration.auth_settings().get("BearerToken")
        if bearer and bearer.get("value"):
            pairs.append(("Authorization", bearer["value"]))
        elif self.configuration.username and self.configuration.password:
            basic = urllib3.util.make_headers(basic_auth=f"{self.configuration.username}:{self.configuration.password}")
            pairs.append(("Authorization", basic["authorization"]))
        return pairs


def connect(module: Any, connections: int) -> Connection:
    """Return the connection of the module's options, the environment or the kubeconfig, without sending a request.

    Raises ConfigError: contradicting settings, no kubeconfig, no such context, unreadable files, impersonation.
    """
    auth = kc._create_auth_spec(module)
    _allow_kubeconfig_in_messages(module)
    settings = Settings(module.params, os.environ)
    contradiction = settings.contradiction(lambda: _context(auth))
    if contradiction:
        raise ConfigError(contradiction)
    _reject_unusable(auth)
    try:
        configuration = kc._create_configuration(auth)
    except Exception as error:
        raise ConfigError(_explain(auth, error)) from error
    configuration.connection_pool_maxsize = connections
    configuration.retries = False
    for option in ("ssl_ca_cert", "cert_file", "key_file"):
        path = getattr(configuration, option, None)
        if path and not os.path.isfile(path):
            raise ConfigError(f"The connection names {option} {path}, which is not a file: correct the path")
    try:
        client = kubernetes.client.ApiClient(configuration)
    except ValueError as error:
        proxy = without_credentials(str(configuration.proxy))
        raise ConfigError(f"The proxy {proxy} is not a URL ({error}): correct `proxy` or K8S_AUTH_PROXY") from error
    except Exception as error:  # OpenSSL reports what is wrong with a certificate or key
        raise ConfigError(f"The certificate or key of the connection cannot be used: {error}") from error
    client.user_agent = USER_AGENT
    fixed: list[tuple[str, str]] = []
    for name, value in kc._create_headers(module).items():
        fixed += [(name, item) for item in (value if isinstance(value, list) else [value])]
        kc._set_header(client, name, value)
    server, source = configuration.host.rstrip("/"), settings.describe(_describe_source(auth))
    try:
        return Connection(server, configuration, tuple(fixed), client, source)
    except ValueError as error:
        raise ConfigError(
            f"The API server {without_credentials(server)} ({source}) is not a URL ({error}): correct it"
        ) from error


def _allow_kubeconfig_in_messages(module: Any) -> None:
    """Allow messages to name the kubeconfig: its path is not secret (kubernetes.core marks the option no_log)."""
    path = module.params.get("kubeconfig")
    if isinstance(path, str):
        module.no_log_values.discard(path)


def _describe_source(auth: Mapping[str, Any]) -> str:
    value = auth.get("kubeconfig")
    if isinstance(value, str):
        return value
    if value:
        return "the inline kubeconfig"
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _is_direct(auth: Mapping[str, Any]) -> bool:
    host = auth.get("host")
    pairs = (("api_key",), ("username", "password"), ("cert_file", "key_file"))
    return bool(host) and any(all(auth.get(name) for name in names) for names in pairs)


def _kubeconfig(auth: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kubeconfig in use as plain data, {} if there is none or it does not parse."""
    value = auth.get("kubeconfig")
    if isinstance(value, dict):
        return value
    try:
        merged = KubeConfigMerger(value or KUBE_CONFIG_DEFAULT_LOCATION).config
    except Exception:  # reported when the configuration is loaded
        return {}
    return _plain(merged) if merged is not None else {}


def _plain(node: Any) -> Any:
    """Unwrap the ConfigNodes that the client leaves inside lists when it merges several files."""
    node = getattr(node, "value", node)
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, list) else node


def _named(config: Mapping[str, Any], section: str, key: str, name: Any) -> Mapping[str, Any]:
    for item in config.get(section) or []:
        if isinstance(item, Mapping) and item.get("name") == name:
            value = item.get(key)
            return value if isinstance(value, Mapping) else {}
    return {}


def _current_context(auth: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    return _named(config, "contexts", "context", auth.get("context") or config.get("current-context"))


def _context(auth: Mapping[str, Any]) -> Optional[KubeconfigContext]:
    """Return the context in use. Raises ConfigError if the kubeconfig has others, but not the one that is named."""
    config = _kubeconfig(auth)
    context = _current_context(auth, config)
    if not context:
        if auth.get("context") and config:
            raise ConfigError(_explain(auth, LookupError(auth["context"])))
        return None
    cluster = _named(config, "clusters", "cluster", context.get("cluster"))
    user = _named(config, "users", "user", context.get("user"))
    return KubeconfigContext(str(cluster.get("server") or ""), user)


def _reject_unusable(auth: Mapping[str, Any]) -> None:
    if _is_direct(auth):
        return
    if not auth.get("kubeconfig") and not auth.get("context") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return
    config = _kubeconfig(auth)
    context = _current_context(auth, config)
    user = _named(config, "users", "user", context.get("user"))
    found = [key for key in _IMPERSONATION_KEYS if user.get(key)]
    if found:
        raise ConfigError(
            f"The user {context.get('user')} in {_describe_source(auth)} impersonates ({', '.join(found)}), which the Python "
            "client ignores: remove it there, and set `impersonate_user` and `impersonate_groups`"
        )


def _is_pod_without_token(auth: Mapping[str, Any]) -> bool:
    """Return whether the service account of this pod would be used if its token were mounted."""
    is_pod = bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and not auth.get("kubeconfig") and not auth.get("context")
    return is_pod and not os.path.isfile(POD_TOKEN)


def _explain(auth: Mapping[str, Any], error: Exception) -> str:
    config = _kubeconfig(auth)
    names = [str(item.get("name")) for item in config.get("contexts") or [] if isinstance(item, Mapping)]
    desired = auth.get("context")
    where = _describe_source(auth)
    if desired and desired not in names and names:
        return f"{where} has no context {desired}; it has {', '.join(names)}: correct `context` or K8S_AUTH_CONTEXT"
    if not config:
        missing = f"{where} is missing, empty or not a kubeconfig ({error})"
        ways_out = "set `kubeconfig` or K8S_AUTH_KUBECONFIG, or `host` with `api_key`"
        if _is_pod_without_token(auth):
            missing = (
                f"this pod has no token of a service account (automountServiceAccountToken: false?), and {missing}"
            )
            ways_out = (
                f"mount the token at {POD_TOKEN} (in AWX: `automountServiceAccountToken: true` and `serviceAccountName` in "
                f"the custom pod spec, `pod_spec_override`, of the container group), or {ways_out} (in AWX: a credential of the "
                "type OpenShift or Kubernetes API Bearer Token)"
            )
        return f"No connection to an API server: {missing}; {ways_out}"
    if not config.get("current-context") and not desired:
        return f"{where} has no current context: set `context` to one of {', '.join(names) or 'its contexts'}"
    return f"The kubeconfig {where} cannot be used: {error}"
