# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests to the API of a JupyterHub: address, TLS, retries and errors."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from ..._core.validation import quoted
from ..errors import ExternalError
from ..http import Retrier, root_cause
from ..version import USER_AGENT

try:
    import urllib3
    from urllib3 import exceptions as errors

    IMPORT_ERROR: Exception | None = None
except ImportError as error:  # reported when a client is created
    IMPORT_ERROR = error

# Without it the hub answers with a plain list, silently cut at its page limit.
_ACCEPT = "application/jupyterhub-pagination+json"


class HubError(ExternalError):
    """A request to the hub failed. The message never contains the token."""


@dataclass(frozen=True)
class HubOptions:
    """Options of the connection to a hub; see HubClient."""

    validate_certs: bool = True
    ca_cert: str | None = None
    timeout: float = 10.0


class HubHttp:
    """Requests to the API of one hub. ``api`` is the API's address."""

    def __init__(self, url: str, token: str, options: HubOptions, sleep: Callable[[float], None] = time.sleep) -> None:
        if IMPORT_ERROR is not None:
            from ansible.module_utils.basic import missing_required_lib

            raise HubError(missing_required_lib("urllib3").rstrip("."), retryable=False)
        self.api = api_address(url)
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            # Checked here, because the HTTP library would put the whole header into its message.
            what = (
                "is empty" if not token else "contains white space, a line break or a character that tokens do not have"
            )
            raise HubError(
                f"The token for the hub at {self.api} {what}: set the token that the hub has", retryable=False
            )
        self._headers = {"Authorization": f"token {token}", "Accept": _ACCEPT, "User-Agent": USER_AGENT}
        self._ignores_certificates = not options.validate_certs
        self._timeout = urllib3.Timeout(connect=min(options.timeout, 5.0), read=options.timeout)
        self._timeout_of_writes = urllib3.Timeout(connect=min(options.timeout, 5.0), read=3 * options.timeout)
        self._retrier = Retrier(sleep)
        self._pool = _pool(self.api, _tls(options.validate_certs, options.ca_cert))

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """Return the JSON of an answer. Raises HubError."""
        response = self._send(path + (f"?{urlencode(query)}" if query else ""))
        if 300 <= response.status < 400:
            raise self._redirect_error(path, response.headers.get("Location") or "")
        if response.status >= 400:
            raise self._status_error(path, response)
        try:
            return json.loads(response.data)
        except ValueError:
            html = "html" in response.headers.get("Content-Type", "") or response.data.lstrip()[:1] == b"<"
            raise HubError(
                f"{self.api}{path} answers with {'a web page, perhaps a login page' if html else 'something'}, not with "
                "JSON: set the address of the hub itself, not of a login proxy (in the cluster: http://hub:8081)",
                retryable=False,
            ) from None

    def delete(self, path: str) -> None:
        """Delete something, or nothing if it does not exist. Raises HubError."""
        # The hub answers when a server has stopped, or after its own limit of ten seconds.
        response = self._send(path, "DELETE", self._timeout_of_writes)
        if 300 <= response.status < 400:
            raise self._redirect_error(path, response.headers.get("Location") or "")
        if response.status in (401, 403):
            raise HubError(
                f"The hub at {self.api} does not allow the token to stop servers ({response.status}{_message(response)}): give "
                "its service a role with the scope `delete:servers` in `c.JupyterHub.load_roles`",
                retryable=False,
            )
        if response.status == 400:
            raise HubError(f"The hub at {self.api} cannot do this now (400{_message(response)}): run again later")
        if response.status >= 400 and response.status != 404:
            raise self._status_error(path, response)

    def _send(self, target: str, method: str = "GET", timeout: Any = None) -> Any:
        """Return the last answer, whatever its status."""

        def request() -> Any:
            with warnings.catch_warnings():
                if self._ignores_certificates:
                    warnings.simplefilter("ignore", errors.InsecureRequestWarning)
                return self._pool.request(
                    method,
                    self.api + target,
                    headers=self._headers,
                    timeout=timeout or self._timeout,
                    retries=False,
                    redirect=False,
                )

        try:
            return self._retrier.send(request).response
        except errors.HTTPError as failure:
            raise self._connection_error(failure) from None

    def _status_error(self, path: str, response: Any) -> HubError:
        """Return the error for a status of 400 and above."""
        status = response.status
        said = _message(response)
        if status in (401, 403) and path == "/user":
            return HubError(
                f"The hub at {self.api} does not accept the token ({status}): it is wrong, expired or another hub's; use "
                "the api_token of a service in the hub's configuration, or create one on the page /hub/token",
                retryable=False,
            )
        if status in (401, 403):
            return HubError(
                f"The hub at {self.api} does not allow the token to list its users ({status}{said}): give its service a role "
                "with `scopes: [list:users, ...]` in `c.JupyterHub.load_roles`",
                retryable=False,
            )
        if status == 404:
            return HubError(
                f"There is no JupyterHub API at {self.api} (404): set the hub's address with its base URL, such as "
                "https://hub.example.org/jupyter or https://hub.example.org/jupyter/hub/api",
                retryable=False,
            )
        if status == 429:
            return HubError(f"The hub at {self.api} limits the rate of requests (429{said}): run again later")
        if status >= 500:
            return HubError(
                f"The hub at {self.api} has an internal error ({status}{said}): check the log of the hub, and run again"
            )
        return HubError(
            f"The hub at {self.api} rejects {path} ({status}{said}): check the log of the hub", retryable=False
        )

    def _redirect_error(self, path: str, location: str) -> HubError:
        to = urlsplit(location)
        ours = urlsplit(self.api)
        if to.scheme == "https" and ours.scheme == "http" and to.hostname == ours.hostname:
            return HubError(
                f"The hub at {self.api} requires https: set its address to https://{to.netloc}", retryable=False
            )
        if to.hostname in (None, ours.hostname) and to.path.endswith(f"/hub{ours.path}{path}"):
            # The hub redirects like this from outside of its base URL.
            base = to.path[: -len(f"/hub{ours.path}{path}")]
            return HubError(
                f"There is no JupyterHub API at {self.api}, because the hub's base URL is {base}/: "
                f"set its address to {ours.scheme}://{ours.netloc}{base}",
                retryable=False,
            )
        # Without the query, because that of a login page may contain a secret.
        target = to._replace(query="", fragment="").geturl()
        return HubError(
            f"The hub at {self.api} redirects to {quoted(target)}, as a login proxy does: set the address of the hub itself "
            "(in the cluster: http://hub:8081)",
            retryable=False,
        )

    def _connection_error(self, failure: Exception) -> HubError:
        text = str(failure)
        if isinstance(failure, errors.SSLError):
            mismatch = "mismatch" in text or "doesn't match" in text
            if mismatch or "CERTIFICATE_VERIFY_FAILED" in text:
                way_out = "set `ca_cert` to the file of its CA"
                if mismatch:
                    way_out = "set an address with the name in the certificate"
                elif "expired" in text:
                    way_out = "renew it"
                return HubError(
                    f"The certificate of the hub at {self.api} is not accepted ({root_cause(failure)}): {way_out}",
                    retryable=False,
                )
            return HubError(
                f"TLS with the hub at {self.api} failed ({root_cause(failure)}): check that it serves https, not http",
                retryable=False,
            )
        if isinstance(failure, errors.ProxyError):
            return HubError(
                f"The proxy to the hub at {self.api} failed ({root_cause(failure)}): correct https_proxy or no_proxy",
            )
        if "Connection refused" in text:
            return HubError(
                f"Nothing answers at the hub's address {self.api} (connection refused): start the hub, or correct "
                "the address"
            )
        if any(part in text for part in ("resolve", "Name or service not known", "name resolution")):
            return HubError(f"The name in the hub's address {self.api} cannot be resolved: correct the address")
        # A server that serves http instead of https, or the reverse, hangs up or does not answer.
        secure = self.api.startswith("https:")
        scheme = (
            ""
            if self._retrier.answered
            else f", and that it serves {'https, not http' if secure else 'http, not https'}"
        )
        if isinstance(failure, errors.TimeoutError):
            return HubError(
                f"The hub at {self.api} did not answer in time: check that this host can reach it{scheme}, or raise `timeout`"
            )
        return HubError(
            f"The connection to the hub at {self.api} broke ({root_cause(failure)}): check that it is up{scheme}"
        )


def api_address(url: str) -> str:
    """Return the address of a hub's API, given its address with or without `/hub` or `/hub/api`. Raises HubError."""
    try:
        parts = urlsplit(url.strip())
        is_valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_valid = False
    if not is_valid or parts.scheme not in ("http", "https"):
        raise HubError(
            f"The hub's address {quoted(_without_login(url))} is not a URL: write it like https://hub.example.org",
            retryable=False,
        )
    if parts.username is not None or parts.password is not None:
        raise HubError(
            f"The hub's address for {parts.hostname} contains a user or password: remove it, the token is the login",
            retryable=False,
        )
    if parts.query or parts.fragment:
        raise HubError(f"The hub's address for {parts.hostname} has a `?` or `#`: remove that part", retryable=False)
    path = parts.path.rstrip("/")
    for ending in ("/hub/api", "/hub"):
        if path.endswith(ending):
            path = path[: -len(ending)]
            break
    return f"{parts.scheme}://{parts.netloc}{path}/hub/api"


def _without_login(url: str) -> str:
    before, at, after = url.rpartition("@")
    return after if at else before + after


def _tls(validate_certs: bool, ca_cert: str | None) -> dict[str, str | None]:
    """Return the TLS options of urllib3, which creates the context itself: version 1 cannot use a given one for IPs."""
    try:
        ssl.create_default_context(cafile=ca_cert or None)
    except FileNotFoundError:
        raise HubError(f"The file {ca_cert} of the hub's `ca_cert` does not exist: correct the path", False) from None
    except (OSError, ValueError) as failure:
        raise HubError(
            f"The file {ca_cert} of the hub's `ca_cert` cannot be used ({failure}): it must have certificates in PEM",
            retryable=False,
        ) from None
    return {"cert_reqs": "CERT_REQUIRED" if validate_certs else "CERT_NONE", "ca_certs": ca_cert or None}


def _pool(api: str, tls: Mapping[str, Any]) -> Any:
    """Return the connection pool, through the proxy of the environment if there is one for the hub."""
    parts = urlsplit(api)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        address = proxy if "://" in proxy else f"http://{proxy}"
        login = urlsplit(address)
        headers = None
        if login.username:
            headers = urllib3.util.make_headers(
                proxy_basic_auth=f"{unquote(login.username)}:{unquote(login.password or '')}"
            )
            address = login._replace(netloc=login.netloc.rpartition("@")[2]).geturl()
        return urllib3.ProxyManager(address, proxy_headers=headers, **tls)
    return urllib3.PoolManager(**tls)


def _message(response: Any) -> str:
    """Return the message of the hub as `: ...`, or nothing."""
    try:
        message = json.loads(response.data).get("message", "")
    except (ValueError, AttributeError):
        return ""
    return f": {' '.join(str(message).split())[:200]}".rstrip(". ") if message else ""
