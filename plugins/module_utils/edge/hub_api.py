# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of a JupyterHub, from its REST API: who there is, which servers they have, when each was last used.

Read in JupyterHub 4.1, 5.5 and 6.1, and tested against 4.1 and 6.1: the three do the same here.
"""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
import warnings
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..pure.homes.activity import HubUser, HubUsers
from ..pure.homes.entries import shown
from ..pure.text import quote_list
from ..pure.times import parse_time
from .errors import EdgeError
from .version import USER_AGENT

try:
    import urllib3
    from urllib3 import exceptions as errors

    IMPORT_ERROR: Exception | None = None
except ImportError as error:  # told when a client is made
    IMPORT_ERROR = error

LIST_USERS = "list:users"
READ_SERVERS = "read:servers"
READ_ACTIVITY = "read:users:activity"
#: The scopes that tell whether a home was used; the names of the users alone take LIST_USERS.
SCOPES = (LIST_USERS, READ_ACTIVITY, READ_SERVERS)

#: Users asked for in one page. The hub cuts this to its own `api_page_max_limit` (200 unless configured).
PAGE = 1000
#: How often a list is begun anew when users were removed while it was read.
LIST_RESTARTS = 5
#: Tries of one request in all, and how long to wait before the second (seconds, doubled each time).
TRIES = 5
BACKOFF = 0.25
#: A hub that asks to be left alone for longer than this (seconds) is not waited for.
LONGEST_RETRY_AFTER = 60.0

# Without it the hub answers with one bare list, cut at its page limit without a word.
_ACCEPT = "application/jupyterhub-pagination+json"


class HubError(EdgeError):
    """The hub cannot be asked: one sentence, without a full stop, with the way out and never with the token."""


class HubClient:
    """A JupyterHub. Making one sends nothing.

    ``url`` is the hub's address as people use it (``https://hub.example.org/jupyter``), with or without ``/hub`` or
    ``/hub/api``; ``token`` that of a service (or of an admin). ``ca_cert`` is the path of a PEM file of authorities,
    for a hub that the system's own do not vouch for. ``timeout`` is in seconds, for each answer. A proxy is taken
    from the environment (``https_proxy``, ``no_proxy``), as Ansible's own modules do.
    """

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

            raise HubError(missing_required_lib("urllib3").rstrip("."), mends=False)
        self.api = api_address(url)
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            # Said here, for the HTTP library would put the whole header into its message.
            what = "is empty" if not token else "contains white space, a line break or a character that no token has"
            raise HubError(f"The token for the hub at {self.api} {what}: give it as the hub knows it", mends=False)
        self._headers = {"Authorization": f"token {token}", "Accept": _ACCEPT, "User-Agent": USER_AGENT}
        self._quiet = not validate_certs
        self._timeout = urllib3.Timeout(connect=min(timeout, 5.0), read=timeout)
        self._sleep = sleep
        self._pool = _pool(self.api, _tls(validate_certs, ca_cert))
        self._answered = False

    def users(self) -> list[HubUser]:
        """All users that the token sees, in the order in which the hub came to know them.

        Takes the scope LIST_USERS alone; what the token may not see is marked so in each user. Raises HubError.
        """
        return list(self.listing(need=(LIST_USERS,)).users.values())

    def listing(self, need: Collection[str] = SCOPES) -> HubUsers:
        """All users that the token sees, and whether these are all there are; one request, and one for each page.

        Raises HubError, also when the token lacks a scope of ``need``.
        """
        held = self._scopes()
        lacking = [scope for scope in need if scope not in held]
        if lacking:
            raise HubError(
                f"The token for the hub at {self.api} lacks the scope{'s' if len(lacking) > 1 else ''} "
                f"{quote_list([f'`{scope}`' for scope in lacking])}: give its service a role with "
                f"`scopes: [{', '.join(need)}]` in `c.JupyterHub.load_roles`",
                mends=False,
            )
        for _restart in range(LIST_RESTARTS):
            found = self._read_all()
            if found is not None:
                return HubUsers(found, complete=held[LIST_USERS])
        raise HubError(
            f"The list of users of the hub at {self.api} lost users {LIST_RESTARTS} times while it was read: run again "
            "when nobody removes users"
        )

    def _scopes(self) -> dict[str, bool]:
        """The scopes that the token has, each with whether it holds for everybody (no `!user=` behind it)."""
        answer = self._get("/user", {})
        scopes = answer.get("scopes") if isinstance(answer, dict) else None
        if not isinstance(scopes, list):
            raise HubError(
                f"The answer of {self.api}/user names no scopes: is it a JupyterHub, of version 4 or newer?",
                mends=False,
            )
        held: dict[str, bool] = {}
        for scope in scopes:
            name, restricted, _to = str(scope).partition("!")
            held[name] = held.get(name, False) or not restricted
        return held

    def _read_all(self) -> dict[str, HubUser] | None:
        """All pages, by name; None when a user was removed meanwhile, so that another may have been skipped.

        The hub counts from the start for each page, in the order in which the users were made: a user made meanwhile
        comes last, and one removed moves all behind it up by one. So each page begins with the last user of the page
        before. The addresses that the hub gives for next pages are not used: behind a proxy they are often wrong.
        """
        found: dict[str, HubUser] = {}
        offset = 0
        last: str | None = None
        while True:
            # A stopped server has a home all the same, and its time of last activity.
            answer = self._get("/users", {"include_stopped_servers": "1", "limit": str(PAGE), "offset": str(offset)})
            users, limit, more = self._page(answer)
            if last is not None and (not users or users[0].name != last):
                return None
            found.update((user.name, user) for user in users)
            if not more:
                return found
            if len(users) < limit:
                return None
            # With pages of a single user there is nothing to hold on to.
            last = users[-1].name if limit > 1 else None
            offset += limit - 1 if limit > 1 else 1

    def _page(self, answer: Any) -> tuple[list[HubUser], int, bool]:
        if isinstance(answer, list):
            raise HubError(
                f"The hub at {self.api} answers with a list without pages: a proxy before it drops the Accept header, or "
                "it is older than JupyterHub 2",
                mends=False,
            )
        try:
            pagination = answer["_pagination"]
            limit, more = int(pagination["limit"]), pagination["next"] is not None
            return [_user(item) for item in answer["items"]], max(limit, 1), more
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise HubError(
                f"The hub at {self.api} answers with users in a form that is unknown ({failure!r}): "
                "JupyterHub 4 to 6 are known",
                mends=False,
            ) from None

    def _get(self, path: str, query: dict[str, str]) -> Any:
        response = self._send(path + (f"?{urlencode(query)}" if query else ""))
        if 300 <= response.status < 400:
            raise self._redirected(response.headers.get("Location") or "")
        if response.status >= 400:
            raise self._refused(path, response)
        try:
            return json.loads(response.data)
        except ValueError:
            html = "html" in response.headers.get("Content-Type", "") or response.data.lstrip()[:1] == b"<"
            raise HubError(
                f"{self.api}{path} answers with {'a web page, as of a login,' if html else 'something'} where JSON "
                "should be: give the address of the hub itself, past any login proxy (in the cluster: http://hub:8081)",
                mends=False,
            ) from None

    def _send(self, target: str) -> Any:
        """One answer, whatever its status, after a bounded number of tries."""
        tries = 0
        while True:
            tries += 1
            wait = BACKOFF * 2 ** (tries - 1)
            try:
                with warnings.catch_warnings():
                    if self._quiet:
                        warnings.simplefilter("ignore", errors.InsecureRequestWarning)
                    response = self._pool.request(
                        "GET",
                        self.api + target,
                        headers=self._headers,
                        timeout=self._timeout,
                        retries=False,
                        redirect=False,
                    )
            except errors.HTTPError as failure:
                # Who never answered yet is told about at once; who did may be restarting. Waiting long twice is enough.
                lasting = isinstance(failure, (errors.SSLError, errors.ProxyError)) or not self._answered
                if isinstance(failure, errors.TimeoutError):
                    tries += 2
                if lasting or tries >= TRIES:
                    raise self._no_answer(failure) from None
            else:
                self._answered = True
                if response.status != 429 and response.status < 500:
                    return response
                asked = _retry_after(response)
                if tries >= TRIES or asked > LONGEST_RETRY_AFTER:
                    return response
                wait = max(wait, asked)
            self._sleep(wait)

    def _refused(self, path: str, response: Any) -> HubError:
        """What a status of 400 and above means, by what JupyterHub answers to what."""
        status = response.status
        said = _message(response)
        if status in (401, 403) and path == "/user":
            return HubError(
                f"The hub at {self.api} does not accept the token ({status}): it is wrong, expired or another hub's; take "
                "the api_token of a service in the hub's configuration, or make one on the page /hub/token",
                mends=False,
            )
        if status in (401, 403):
            return HubError(
                f"The hub at {self.api} does not let the token list its users ({status}{said}): give its service a role "
                f"with `scopes: [{', '.join(SCOPES)}]` in `c.JupyterHub.load_roles`",
                mends=False,
            )
        if status == 404:
            return HubError(
                f"There is no JupyterHub API at {self.api} (404): give the hub's address with its base URL, as in "
                "https://hub.example.org/jupyter or https://hub.example.org/jupyter/hub/api",
                mends=False,
            )
        if status == 429:
            return HubError(f"The hub at {self.api} is asked too much (429{said}): run again later")
        if status >= 500:
            return HubError(
                f"The hub at {self.api} fails to answer ({status}{said}): see to the hub, its log says why, and run again"
            )
        return HubError(f"The hub at {self.api} refuses {path} ({status}{said}): see the hub's log", mends=False)

    def _redirected(self, location: str) -> HubError:
        to = urlsplit(location)
        ours = urlsplit(self.api)
        if to.scheme == "https" and ours.scheme == "http" and to.hostname == ours.hostname:
            return HubError(f"The hub at {self.api} wants https: give its address as https://{to.netloc}", mends=False)
        # No query: that of a login page may hold something secret.
        shorn = to._replace(query="", fragment="").geturl()
        return HubError(
            f"The hub at {self.api} sends elsewhere, to {shown(shorn)}, as a login page before it would: give the address "
            "of the hub itself (in the cluster: http://hub:8081)",
            mends=False,
        )

    def _no_answer(self, failure: Exception) -> HubError:
        text = str(failure)
        if isinstance(failure, errors.SSLError):
            if "CERTIFICATE_VERIFY_FAILED" in text:
                return HubError(
                    f"The certificate of the hub at {self.api} is not accepted ({_core(text)}): give the file of its "
                    "authority as `ca_cert`",
                    mends=False,
                )
            return HubError(
                f"TLS with the hub at {self.api} failed ({_core(text)}): is it https that is spoken there?", mends=False
            )
        if isinstance(failure, errors.ProxyError):
            return HubError(
                f"The proxy on the way to the hub at {self.api} failed ({_core(text)}): correct https_proxy or no_proxy",
            )
        if "Connection refused" in text:
            return HubError(
                f"Nothing answers at the hub's address {self.api} (connection refused): is the hub up, the port right?"
            )
        if any(part in text for part in ("resolve", "Name or service not known", "name resolution")):
            return HubError(f"The name in the hub's address {self.api} cannot be resolved: correct the address")
        if isinstance(failure, errors.TimeoutError):
            return HubError(
                f"The hub at {self.api} did not answer in time: can this host reach it? It may need a longer `timeout`"
            )
        return HubError(f"The connection to the hub at {self.api} broke ({_core(text)}): run again")


def api_address(url: str) -> str:
    """The address of a hub's API, from the hub's address with or without `/hub` or `/hub/api`. Raises HubError."""
    try:
        parts = urlsplit(url.strip())
        sound = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or parts.scheme not in ("http", "https"):
        raise HubError(
            f"The hub's address {shown(_without_login(url))} is none: write it as https://hub.example.org", mends=False
        )
    if parts.username is not None or parts.password is not None:
        raise HubError(
            f"The hub's address for {parts.hostname} holds a user or password: remove it, the token says who asks",
            mends=False,
        )
    if parts.query or parts.fragment:
        raise HubError(f"The hub's address for {parts.hostname} goes on behind `?` or `#`: leave that out", mends=False)
    path = parts.path.rstrip("/")
    for ending in ("/hub/api", "/hub"):
        if path.endswith(ending):
            path = path[: -len(ending)]
            break
    return f"{parts.scheme}://{parts.netloc}{path}/hub/api"


def _without_login(url: str) -> str:
    before, at, after = url.rpartition("@")
    return after if at else before + after


def _tls(validate_certs: bool, ca_cert: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_cert or None)
    except FileNotFoundError:
        raise HubError(f"The file {ca_cert} of the hub's `ca_cert` does not exist: correct the path", False) from None
    except (OSError, ValueError) as failure:
        raise HubError(
            f"The file {ca_cert} of the hub's `ca_cert` cannot be used ({failure}): it takes certificates in PEM",
            mends=False,
        ) from None
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _pool(api: str, context: ssl.SSLContext) -> Any:
    """Connections to the hub, through the environment's proxy where there is one for it."""
    parts = urlsplit(api)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        address = proxy if "://" in proxy else f"http://{proxy}"
        login = urlsplit(address)
        headers = None
        if login.username:
            headers = urllib3.make_headers(proxy_basic_auth=f"{login.username}:{login.password or ''}")
            address = login._replace(netloc=login.netloc.rpartition("@")[2]).geturl()
        return urllib3.ProxyManager(address, proxy_headers=headers, ssl_context=context)
    return urllib3.PoolManager(ssl_context=context)


def _user(item: dict[str, Any]) -> HubUser:
    """One user as the API shows it. A field that is missing is one that the token may not see, and is not "never"."""
    servers = item.get("servers")
    activity_known = "last_activity" in item
    return HubUser(
        name=_text(item["name"]),
        servers=tuple(servers or ()),
        # Without the word that it is stopped, a server runs.
        active=frozenset(name for name, server in (servers or {}).items() if server.get("stopped") is not True),
        last_activity=_moment(item["last_activity"]) if activity_known else None,
        server_activity={name: _moment(server.get("last_activity")) for name, server in (servers or {}).items()},
        activity_known=activity_known,
        servers_known=servers is not None,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name that is no text: {value!r}")
    return value


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    moment = parse_time(_text(value))
    if moment is None:
        raise ValueError(f"a time that is none: {value!r}")
    return moment


def _message(response: Any) -> str:
    """What the hub says besides the status, `: ...`, or nothing."""
    try:
        message = json.loads(response.data).get("message", "")
    except (ValueError, AttributeError):
        return ""
    return f": {' '.join(str(message).split())[:200]}".rstrip(". ") if message else ""


def _retry_after(response: Any) -> float:
    """The seconds of Retry-After, which may be a number or a date; 0 where there is none."""
    try:
        return float(urllib3.util.Retry().parse_retry_after(response.headers["Retry-After"]))
    except (KeyError, errors.InvalidHeader):
        return 0.0


def _core(text: str) -> str:
    """The part of a urllib3 message that a person can use."""
    return text.rsplit(": ", 1)[-1].strip(" ')\"") if len(text) > 120 else text
