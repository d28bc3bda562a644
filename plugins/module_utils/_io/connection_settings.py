# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection settings by their source, and what contradicts what. Nothing is read here but the kubeconfig's existence.

kubernetes.core ignores what it does not need: with a host and a token it never looks at a kubeconfig. So a credential in
the environment of AWX would silently replace the cluster of an inventory. An option may replace the environment variable
of its own name, except `host`; everything else that would be ignored or mixed is an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import urlsplit

#: The environment variables of each option.
VARIABLES = {
    "kubeconfig": ("K8S_AUTH_KUBECONFIG",),
    "context": ("K8S_AUTH_CONTEXT",),
    "host": ("K8S_AUTH_HOST",),
    "api_key": ("K8S_AUTH_API_KEY",),
    "username": ("K8S_AUTH_USERNAME",),
    "password": ("K8S_AUTH_PASSWORD",),
    "client_cert": ("K8S_AUTH_CLIENT_CERT", "K8S_AUTH_CERT_FILE"),
    "client_key": ("K8S_AUTH_CLIENT_KEY", "K8S_AUTH_KEY_FILE"),
}
#: What identifies the user of a connection with a host; the first one is sent.
_LOGINS = (("api_key",), ("username", "password"), ("client_cert", "client_key"))
#: What identifies the user in a kubeconfig.
_KUBECONFIG_LOGINS = (
    "token",
    "tokenFile",
    "client-certificate",
    "client-certificate-data",
    "exec",
    "auth-provider",
    "username",
)
#: Where Kubernetes mounts the token of the service account of a pod.
POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class Setting(NamedTuple):
    """A value, and where it comes from: "`host`" or "K8S_AUTH_HOST"."""

    value: Any
    source: str
    is_option: bool

    def __str__(self) -> str:
        """Return the source and the value, for settings that are not secret."""
        shown = "inline" if isinstance(self.value, Mapping) else without_credentials(str(self.value))
        return f"{self.source} ({shown})"


class KubeconfigContext(NamedTuple):
    """The server of a context of a kubeconfig, and the fields of its user."""

    server: str
    user: Mapping[str, Any]


class Settings:
    """The connection settings in effect: an option, or else its environment variable."""

    def __init__(self, params: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._by_name = {
            name: setting
            for name in VARIABLES
            if (setting := _option(params, name) or self._variable(name)) is not None and setting.value
        }

    def get(self, name: str) -> Optional[Setting]:
        """Return a setting, None if neither the option nor its variable has a value."""
        return self._by_name.get(name)

    @property
    def kubeconfig_or_context(self) -> Optional[Setting]:
        """The setting that names a kubeconfig, an option first."""
        found = [setting for name in ("kubeconfig", "context") if (setting := self.get(name)) is not None]
        return next((setting for setting in found if setting.is_option), found[0] if found else None)

    def login(self) -> list[Setting]:
        """Return the settings that identify the user, without a kubeconfig; [] if there are none or not all of them."""
        for names in _LOGINS:
            found = [setting for name in names if (setting := self.get(name)) is not None]
            if len(found) == len(names):
                return found
        return []

    def describe(self, default: str) -> str:
        """Return where the address of the API server comes from."""
        host = self.get("host")
        if host is not None:
            return host.source
        found = [str(setting) for name in ("kubeconfig", "context") if (setting := self.get(name)) is not None]
        if not found:
            return "the service account of this pod" if self.is_in_pod else default
        return " and ".join(found)

    @property
    def is_in_pod(self) -> bool:
        """Whether a connection without settings uses the service account of this pod."""
        return bool(self._environment.get("KUBERNETES_SERVICE_HOST")) and os.path.isfile(POD_TOKEN)

    def contradiction(self, read_context: Callable[[], Optional[KubeconfigContext]]) -> str:
        """Return what contradicts what, with the way out, or "".

        `read_context` returns the context of the kubeconfig in use, None if it cannot be read.
        """
        return self._missing_kubeconfig() or self._two_clusters(read_context) or self._two_logins(read_context)

    def _missing_kubeconfig(self) -> str:
        kubeconfig = self.get("kubeconfig")
        if kubeconfig is None or not isinstance(kubeconfig.value, str):
            return ""
        if _exists(kubeconfig.value):
            return ""
        return (
            f"The kubeconfig {kubeconfig.value} does not exist ({kubeconfig.source}): correct `kubeconfig` or "
            "K8S_AUTH_KUBECONFIG"
        )

    def _two_clusters(self, read_context: Callable[[], Optional[KubeconfigContext]]) -> str:
        host, named = self.get("host"), self.kubeconfig_or_context
        if host is None:
            path = self._environment.get("KUBECONFIG")
            if named is None and path and self.is_in_pod and _exists(path):
                return (
                    f"KUBECONFIG ({path}) would be ignored, because the service account of this pod comes first: set "
                    "`kubeconfig` or K8S_AUTH_KUBECONFIG, or unset KUBECONFIG"
                )
            return ""
        variable = self._variable("host")
        if host.is_option and variable is not None and not is_same_server(host.value, variable.value):
            return f"{host} and {variable} name two API servers: remove one of them"
        if named is not None and named.is_option and not host.is_option:
            return (
                f"{named} would be ignored, because {host} names the API server: remove {named.source}, or unset "
                f"{host.source} (a credential of AWX sets it)"
            )
        login = self.login()
        is_complete = bool(login) and all(setting.is_option for setting in login)
        if (named is None and (login or self.is_in_pod)) or (named is not None and not named.is_option and is_complete):
            return ""
        context = read_context()
        if context is None and named is not None:
            return f"{named} would be ignored, because {host} names the API server: remove one of them"
        if context is None or is_same_server(str(host.value), context.server):
            return ""
        if named is None:
            return (
                f"{host} has no login of its own, and the kubeconfig in use is for {without_credentials(context.server)}: "
                "set `api_key` or K8S_AUTH_API_KEY for this host, or remove it"
            )
        return (
            f"{host} and {named}, which is for {without_credentials(context.server)}, name two API servers: remove one of "
            "them"
        )

    def _two_logins(self, read_context: Callable[[], Optional[KubeconfigContext]]) -> str:
        used = self.login()
        if not used or used[0].is_option:
            return ""
        ignored = [
            setting
            for names in _LOGINS
            for name in names
            if (setting := self.get(name)) is not None and setting.is_option
        ]
        if ignored:
            return f"{ignored[0].source} and {used[0].source} are two logins: remove one of them"
        named = self.kubeconfig_or_context
        if self.get("host") is None and named is not None and named.is_option:
            context = read_context()
            if context is not None and any(context.user.get(key) for key in _KUBECONFIG_LOGINS):
                return (
                    f"The user of {named} and {used[0].source} are two logins: remove {named.source}, or unset "
                    f"{used[0].source}"
                )
        return ""

    def _variable(self, name: str) -> Optional[Setting]:
        for variable in VARIABLES[name]:
            if self._environment.get(variable):
                return Setting(self._environment[variable], variable, is_option=False)
        return None


def _exists(kubeconfig: str) -> bool:
    """Return whether one of the files exists that a kubeconfig names, separated by colons."""
    return any(os.path.isfile(os.path.expanduser(path)) for path in kubeconfig.split(os.pathsep))


def _option(params: Mapping[str, Any], name: str) -> Optional[Setting]:
    value = params.get(name)
    return Setting(value, f"`{name}`", is_option=True) if value is not None else None


def without_credentials(server: str) -> str:
    """Return a server's URL without user name and password."""
    scheme, separator, rest = server.partition("://")
    return scheme + separator + rest.rpartition("@")[2] if separator else server


def is_same_server(one: str, other: str) -> bool:
    """Return whether two URLs are the same API server: case, default port and trailing slashes do not matter."""
    return _normalized(one) == _normalized(other)


def _normalized(server: str) -> tuple[str, str, str]:
    text = str(server).strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        return ("", text, "")
    default = 80 if parts.scheme.lower() == "http" else 443
    return (parts.scheme.lower(), f"{(parts.hostname or '').rstrip('.')}:{port or default}", parts.path.rstrip("/"))
