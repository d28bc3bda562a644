"""Secret shares through the pages of a real hub: the form, a link, remembered options, and a start on somebody's behalf."""

from __future__ import annotations

import contextlib
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from urllib.parse import quote

import pytest

from tests.e2e.rig import Site

MEMBER, STRANGER = "katarzyna.nowak@example.org", "quinn@example.org"
SECRET = "shared-data-secret"
FIELD = "odh-persistency-secret-share"


class Visitor:
    """Somebody who has logged in to the hub with a browser, as far as cookies and forms matter."""

    def __init__(self, hub, user):
        self._root = hub.url
        self._cookies = http.cookiejar.CookieJar()
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies))
        self._opener = urllib.request.build_opener(*handlers)
        self.open("/hub/login")
        self.open("/hub/login", {"username": user, "password": "x"})

    def open(self, path, fields=None):
        """Open a page, or send a form to it; return the HTML."""
        body = None
        if fields is not None:
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode({"_xsrf": self._xsrf()})
            body = urllib.parse.urlencode(fields, doseq=True).encode()
        with self._opener.open(self._root + path, body, timeout=60) as answer:
            return answer.read().decode()

    def _xsrf(self):
        # JupyterHub has one cookie for each path; the longest path is that of the hub.
        found = [cookie for cookie in self._cookies if cookie.name == "_xsrf"]
        return max(found, key=lambda cookie: len(cookie.path)).value


@pytest.fixture
def people(hub):
    """Users of the hub, without servers."""
    for user in (MEMBER, STRANGER):
        with contextlib.suppress(urllib.error.HTTPError):  # the user exists
            hub.api("POST", f"/users/{quote(user, safe='')}")
    hub.stop(MEMBER, STRANGER)
    yield
    hub.stop(MEMBER, STRANGER)


def boxes(page):
    return re.findall(rf'name="{FIELD}" value="([^"]*)"', page)


def shares(site, hub, user):
    hub.wait_until_ready([user])
    return site.granted(user)["shares"]


def test_a_request_counts_for_one_start(site, hub, people):
    member = Visitor(hub, MEMBER)
    page = member.open("/hub/spawn")
    assert boxes(page) == [SECRET]
    assert "Extra configuration" in page  # the profiles of the hub are in the same form
    member.open("/hub/spawn", {"profile": ["volumes"], FIELD: [SECRET]})
    assert shares(site, hub, MEMBER)[SECRET] == "ro"
    pod = site.pod_of(MEMBER)
    assert {"name": "FROM_PROFILE", "value": "yes"} in pod["spec"]["containers"][0]["env"]

    # A start without a body reuses the options that the hub remembers.
    hub.stop(MEMBER)
    hub.api("POST", f"/users/{quote(MEMBER, safe='')}/server")
    assert SECRET not in shares(site, hub, MEMBER)
    assert {"name": "FROM_PROFILE", "value": "yes"} in site.pod_of(MEMBER)["spec"]["containers"][0]["env"]

    # A link with a query starts a server.
    hub.stop(MEMBER)
    member.open(f"/hub/spawn?profile=standard&{FIELD}={SECRET}&secret_shares={SECRET}")
    assert SECRET not in shares(site, hub, MEMBER)


def test_on_somebodys_behalf_the_membership_of_the_owner_counts(site, hub, people):
    assert boxes(Visitor(hub, STRANGER).open("/hub/spawn")) == []
    admin = Visitor(hub, Site.admin)
    assert boxes(admin.open("/hub/spawn")) == []
    assert boxes(admin.open(f"/hub/spawn/{quote(MEMBER)}")) == [SECRET]
    for user in (MEMBER, STRANGER):
        admin.open(f"/hub/spawn/{quote(user)}", {"profile": ["standard"], FIELD: [SECRET]})
    assert shares(site, hub, MEMBER)[SECRET] == "ro"
    assert SECRET not in shares(site, hub, STRANGER)
    assert f'"requester":"{Site.admin}"' in hub.log()
    events = site.cluster.list("events", site.namespace)
    recorded = [event["involvedObject"]["name"] for event in events if event["reason"] == "SecretShareMounted"]
    assert site.pod_of(MEMBER)["metadata"]["name"] in recorded
    assert site.pod_of(STRANGER)["metadata"]["name"] not in recorded
