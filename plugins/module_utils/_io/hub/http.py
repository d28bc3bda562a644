# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a JupyterHub: its address, TLS, bounded retries, and a sentence for each way in which it can fail."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from ..._core.validation import shown
from ..errors import ExternalError
from ..http import Retrier, root_cause
from ..version import USER_AGENT

try:
    import urllib3
    from urllib3 import exceptions as errors

    IMPORT_ERROR: Exception | None = None
except ImportError as error:  # told when a client is made
    IMPORT_ERROR = error

# Without it the hub answers with one bare list, cut at its page limit without a word.
_ACCEPT = "application/jupyterhub-pagination+json"


class HubError(ExternalError):
    """The hub cannot be asked: one sentence, without a full stop, with the way out and never with the token."""


class HubHttp:
    """Requests to the API of one hub; the options are those of HubClient. ``api`` is the API's address."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        validate_certs: bool = True,
        ca_cert: str | None = None,
        timeout: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if IMPORT_ERROR is not None:
            from ansible.module_utils.basic import missing_required_lib

            raise HubError(missing_required_lib("urllib3").rstrip("."), retryable=False)
        self.api = api_address(url)
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            # Said here, for the HTTP library would put the whole header into its message.
            what = "is empty" if not token else "contains white space, a line break or a character that no token has"
            raise HubError(f"The token for the hub at {self.api} {what}: give it as the hub knows it", retryable=False)
        self._headers = {"Authorization": f"token {token}", "Accept": _ACCEPT, "User-Agent": USER_AGENT}
        self._quiet = not validate_certs
        self._timeout = urllib3.Timeout(connect=min(timeout, 5.0), read=timeout)
        self._retrier = Retrier(sleep)
        self._pool = _pool(self.api, _tls(validate_certs, ca_cert))

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The JSON that the API answers with, retried within bounds. Raises HubError."""
        response = self._send(path + (f"?{urlencode(query)}" if query else ""))
        if 300 <= response.status < 400:
            raise self._redirected(path, response.headers.get("Location") or "")
        if response.status >= 400:
            raise self._refused(path, response)
        try:
            return json.loads(response.data)
        except ValueError:
            html = "html" in response.headers.get("Content-Type", "") or response.data.lstrip()[:1] == b"<"
            raise HubError(
                f"{self.api}{path} answers with {'a web page, as of a login,' if html else 'something'} where JSON "
                "should be: give the address of the hub itself, past any login proxy (in the cluster: http://hub:8081)",
                retryable=False,
            ) from None

    def _send(self, target: str) -> Any:
        """Return the last answer, whatever its status."""

        def request() -> Any:
            with warnings.catch_warnings():
                if self._quiet:
                    warnings.simplefilter("ignore", errors.InsecureRequestWarning)
                return self._pool.request(
                    "GET",
                    self.api + target,
                    headers=self._headers,
                    timeout=self._timeout,
                    retries=False,
                    redirect=False,
                )

        try:
            return self._retrier.send(request).response
        except errors.HTTPError as failure:
            raise self._no_answer(failure) from None

    def _refused(self, path: str, response: Any) -> HubError:
        """What a status of 400 and above means, by what JupyterHub answers to what."""
        status = response.status
        said = _message(response)
        if status in (401, 403) and path == "/user":
            return HubError(
                f"The hub at {self.api} does not accept the token ({status}): it is wrong, expired or another hub's; take "
                "the api_token of a service in the hub's configuration, or make one on the page /hub/token",
                retryable=False,
            )
        if status in (401, 403):
            return HubError(
                f"The hub at {self.api} does not let the token list its users ({status}{said}): give its service a role "
                "with `scopes: [list:users, ...]` in `c.JupyterHub.load_roles`",
                retryable=False,
            )
        if status == 404:
            return HubError(
                f"There is no JupyterHub API at {self.api} (404): give the hub's address with its base URL, as in "
                "https://hub.example.org/jupyter or https://hub.example.org/jupyter/hub/api",
                retryable=False,
            )
        if status == 429:
            return HubError(f"The hub at {self.api} is asked too much (429{said}): run again later")
        if status >= 500:
            return HubError(
                f"The hub at {self.api} fails to answer ({status}{said}): see to the hub, its log says why, and run again"
            )
        return HubError(f"The hub at {self.api} refuses {path} ({status}{said}): see the hub's log", retryable=False)

    def _redirected(self, path: str, location: str) -> HubError:
        to = urlsplit(location)
        ours = urlsplit(self.api)
        if to.scheme == "https" and ours.scheme == "http" and to.hostname == ours.hostname:
            return HubError(
                f"The hub at {self.api} wants https: give its address as https://{to.netloc}", retryable=False
            )
        if to.hostname in (None, ours.hostname) and to.path.endswith(f"/hub{ours.path}{path}"):
            # So a hub treats what lies outside its base URL.
            base = to.path[: -len(f"/hub{ours.path}{path}")]
            return HubError(
                f"There is no JupyterHub API at {self.api}, for the hub's base URL is {base}/: "
                f"give its address as {ours.scheme}://{ours.netloc}{base}",
                retryable=False,
            )
        # No query: that of a login page may hold something secret.
        shorn = to._replace(query="", fragment="").geturl()
        return HubError(
            f"The hub at {self.api} sends elsewhere, to {shown(shorn)}, as a login page before it would: give the address "
            "of the hub itself (in the cluster: http://hub:8081)",
            retryable=False,
        )

    def _no_answer(self, failure: Exception) -> HubError:
        text = str(failure)
        if isinstance(failure, errors.SSLError):
            mismatch = "mismatch" in text or "doesn't match" in text
            if mismatch or "CERTIFICATE_VERIFY_FAILED" in text:
                way_out = "give the file of its authority as `ca_cert`"
                if mismatch:
                    way_out = "give the address under the name that the certificate has"
                elif "expired" in text:
                    way_out = "have it renewed"
                return HubError(
                    f"The certificate of the hub at {self.api} is not accepted ({root_cause(failure)}): {way_out}",
                    retryable=False,
                )
            return HubError(
                f"TLS with the hub at {self.api} failed ({root_cause(failure)}): see that https, not http, is spoken there",
                retryable=False,
            )
        if isinstance(failure, errors.ProxyError):
            return HubError(
                f"The proxy on the way to the hub at {self.api} failed ({root_cause(failure)}): correct https_proxy or no_proxy",
            )
        if "Connection refused" in text:
            return HubError(
                f"Nothing answers at the hub's address {self.api} (connection refused): start the hub or correct the "
                "address"
            )
        if any(part in text for part in ("resolve", "Name or service not known", "name resolution")):
            return HubError(f"The name in the hub's address {self.api} cannot be resolved: correct the address")
        # A server that speaks the other of http and https hangs up, or keeps silent.
        secure = self.api.startswith("https:")
        doubt = (
            ""
            if self._retrier.answered
            else f", and that {'https, not http,' if secure else 'http, not https,'} is spoken there"
        )
        if isinstance(failure, errors.TimeoutError):
            return HubError(
                f"The hub at {self.api} did not answer in time: see that this host can reach it{doubt}, or raise `timeout`"
            )
        return HubError(
            f"The connection to the hub at {self.api} broke ({root_cause(failure)}): see that it is up{doubt}"
        )


def api_address(url: str) -> str:
    """The address of a hub's API, from the hub's address with or without `/hub` or `/hub/api`. Raises HubError."""
    try:
        parts = urlsplit(url.strip())
        sound = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or parts.scheme not in ("http", "https"):
        raise HubError(
            f"The hub's address {shown(_without_login(url))} is none: write it as https://hub.example.org",
            retryable=False,
        )
    if parts.username is not None or parts.password is not None:
        raise HubError(
            f"The hub's address for {parts.hostname} holds a user or password: remove it, the token says who asks",
            retryable=False,
        )
    if parts.query or parts.fragment:
        raise HubError(
            f"The hub's address for {parts.hostname} goes on behind `?` or `#`: leave that out", retryable=False
        )
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
    """The TLS options of the connections. urllib3 makes the context: its version 1 cannot use another's for IPs."""
    try:
        ssl.create_default_context(cafile=ca_cert or None)
    except FileNotFoundError:
        raise HubError(f"The file {ca_cert} of the hub's `ca_cert` does not exist: correct the path", False) from None
    except (OSError, ValueError) as failure:
        raise HubError(
            f"The file {ca_cert} of the hub's `ca_cert` cannot be used ({failure}): it takes certificates in PEM",
            retryable=False,
        ) from None
    return {"cert_reqs": "CERT_REQUIRED" if validate_certs else "CERT_NONE", "ca_certs": ca_cert or None}


def _pool(api: str, tls: Mapping[str, Any]) -> Any:
    """Connections to the hub, through the environment's proxy where there is one for it."""
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
    """What the hub says besides the status, `: ...`, or nothing."""
    try:
        message = json.loads(response.data).get("message", "")
    except (ValueError, AttributeError):
        return ""
    return f": {' '.join(str(message).split())[:200]}".rstrip(". ") if message else ""
