"""The users that a real JupyterHub returns: all of them, their servers, and their last activity."""

from __future__ import annotations

import math
import urllib.error
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.spec import (
    parse_users,
    specs_of_hub,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub_activity import (
    UNKNOWN,
    UNUSED,
    USED,
    HubUsers,
    use_since,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.hub.client import (
    SCOPES,
    HubClient,
    HubError,
)

from testbed.faults import Rule, call
from tests.hub.rig import NEWEST, PAGE, RealHub, now, numbered, proxied

SECOND = timedelta(seconds=1)


def ask(hub: RealHub, service: str = "full") -> HubUsers:
    return HubClient(hub.url, hub.tokens[service]).listing()


def test_all_users_over_all_pages(hub: RealHub) -> None:
    # A hundred and more on one of them; making and removing so many takes each hub many seconds.
    names = [
        *numbered("user", 120 if hub.version == NEWEST else 25),
        "josé",
        "王小明",
        "a b",
        "user{0}",
        "bob.smith@example.org",
    ]
    hub.add(*names)
    # What a client gets that does not know of pages: the first one, without a word.
    assert len(hub.api("GET", "/users")) == PAGE

    with proxied(hub) as proxy:
        client = HubClient(proxy.url, hub.tokens["full"], ca_cert=proxy.authority)
        users = client.users()
        requests = proxy.seen()
    assert [user.name for user in users] == names
    assert all(request.user_agent.startswith("odh.persistency/") for request in requests)
    # Each page begins with the last user of the one before; and one request for the token's scopes.
    assert len(requests) == 1 + math.ceil((len(names) - 1) / (PAGE - 1))
    assert proxy.connections == 1


def test_a_hub_without_users(hub: RealHub) -> None:
    listing = ask(hub)
    assert dict(listing.users) == {}
    assert listing.complete
    assert use_since(listing, "ann", "", now()).state == UNKNOWN


def test_users_are_added_and_removed_while_the_list_is_read(hub: RealHub) -> None:
    names = numbered("user", 35)
    hub.add(*names)

    def change(_request: object) -> None:
        hub.remove("user002", "user003")
        hub.add("late")

    second_page = Rule(call(change), path="/users$", query="offset=[1-9]", nth=1)
    with proxied(hub, second_page) as proxy:
        users = HubClient(proxy.url, hub.tokens["full"], ca_cert=proxy.authority).users()
        offsets = [request.query["offset"] for request in proxy.seen(path="/users$")]
    assert second_page.fired == 1
    assert [user.name for user in users] == [name for name in names if name not in ("user002", "user003")] + ["late"]
    assert offsets == ["0", "9", "0", "9", "18", "27"]


def test_users_added_meanwhile_take_no_second_reading(hub: RealHub) -> None:
    hub.add(*numbered("user", 20))
    last_page = Rule(call(lambda _request: hub.add(*numbered("late", 15))), path="/users$", query="offset=18", nth=1)
    with proxied(hub, last_page) as proxy:
        users = HubClient(proxy.url, hub.tokens["full"], ca_cert=proxy.authority).users()
        assert proxy.count(path="/users$") == 4
    assert [user.name for user in users] == numbered("user", 20) + numbered("late", 15)


def test_a_list_that_keeps_changing_is_given_up(hub: RealHub) -> None:
    names = numbered("user", 30)
    hub.add(*names)
    removing = Rule(call(lambda _request: hub.remove(names.pop(0))), path="/users$", query="offset=[1-9]")
    with proxied(hub, removing) as proxy:
        with pytest.raises(HubError, match="lost users 5 times") as caught:
            HubClient(proxy.url, hub.tokens["full"], ca_cert=proxy.authority).users()
        assert proxy.count(path="/users$") == 10
    assert caught.value.retryable


def test_activity_is_what_the_hub_recorded(hub: RealHub) -> None:
    hub.add("ann", "bob")
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
    hub.active_at("ann", moment)
    listing = ask(hub)
    ann, bob = listing.users["ann"], listing.users["bob"]
    assert ann.last_activity == moment
    assert bob.last_activity is None
    assert bob.activity_known
    assert use_since(listing, "ann", "", moment).state == USED
    assert use_since(listing, "ann", "", moment + timedelta(microseconds=1)).state == UNUSED
    assert use_since(listing, "bob", "", moment).state == UNUSED


def test_a_server_that_runs_and_one_that_ran(hub: RealHub) -> None:
    hub.add("ann", "bob")
    before = now() - SECOND
    hub.start_server("ann")
    running = ask(hub)
    assert running.users["ann"].active == {""}
    # However long ago it was started, and whatever it reported since.
    assert use_since(running, "ann", "", now() + SECOND).state == USED

    between = now()
    hub.stop_server("ann")
    stopped = ask(hub)
    ann = stopped.users["ann"]
    assert ann.active == frozenset()
    assert ann.servers == ("",)
    # Stopping counts as use: a server that ran past the mark shows, even if it never reported.
    assert ann.last_activity is not None
    assert between <= ann.last_activity <= now()
    assert use_since(stopped, "ann", "", before).state == USED
    assert use_since(stopped, "ann", "", between).state == USED
    assert use_since(stopped, "ann", "", now() + SECOND).state == UNUSED
    assert use_since(stopped, "bob", "", before).state == UNUSED


def test_named_servers_are_known_when_stopped_and_forgotten_when_removed(hub: RealHub) -> None:
    hub.add("ann")
    hub.start_server("ann", "lab")
    hub.stop_server("ann", "lab")
    mark = now()
    hub.start_server("ann")
    hub.start_server("ann", "gpu")
    hub.stop_server("ann", "gpu")

    listing = ask(hub)
    ann = listing.users["ann"]
    assert set(ann.servers) == {"", "lab", "gpu"}
    assert ann.active == {""}
    assert {server for server, moment in ann.server_activity.items() if moment is not None} == {"", "lab", "gpu"}
    assert use_since(listing, "ann", "lab", mark).state == UNUSED
    assert use_since(listing, "ann", "gpu", mark).state == USED
    assert use_since(listing, "ann", "", mark).state == USED
    assert use_since(listing, "ann", None, mark).state == USED  # one home for all servers

    entries = specs_of_hub(((user.name, user.servers) for user in listing.users.values()), "hub")
    assert {(entry.name, entry.server) for entry in entries} == {("ann", ""), ("ann", "lab"), ("ann", "gpu")}

    hub.stop_server("ann")
    hub.stop_server("ann", "gpu", remove=True)
    listing = ask(hub)
    assert set(listing.users["ann"].servers) == {"", "lab"}
    # The server's own time is gone with it; the user's is not.
    assert use_since(listing, "ann", "gpu", mark).state == USED
    assert use_since(listing, "ann", "gpu", now() + SECOND).state == UNUSED


def test_a_user_who_was_removed_is_unknown_to_the_hub(hub: RealHub) -> None:
    hub.add("ann", "bob")
    hub.remove("ann")
    listing = ask(hub)
    assert list(listing.users) == ["bob"]
    assert use_since(listing, "ann", "", now()).state == UNKNOWN
    assert use_since(listing, "Bob", "", now()).state == UNKNOWN
    assert listing.knows_any(["ann", "bob"])
    assert not listing.knows_any(["ann"])


@pytest.mark.parametrize(
    ("service", "lacking"),
    [
        ("full", None),
        ("broad", None),  # admin:users and servers contain what is needed
        ("partial", None),
        ("some", None),
        ("names", "the scopes `read:users:activity` and `read:servers`"),
        ("no-activity", "the scope `read:users:activity`:"),
        ("no-servers", "the scope `read:servers`:"),
        ("other", "the scopes `list:users`, `read:users:activity` and `read:servers`"),
        ("nothing", "the scopes `list:users`, `read:users:activity` and `read:servers`"),
    ],
)
def test_scopes(hub: RealHub, service: str, lacking: str | None) -> None:
    hub.add("first", "second")
    client = HubClient(hub.url, hub.tokens[service])
    if lacking is None:
        assert "first" in client.listing().users
        return
    with pytest.raises(HubError) as caught:
        client.listing()
    assert lacking in str(caught.value)
    assert f"`scopes: [{', '.join(SCOPES)}]`" in str(caught.value)
    assert hub.tokens[service] not in str(caught.value)
    assert not caught.value.retryable


def test_hidden_activity_is_not_taken_for_none(hub: RealHub) -> None:
    hub.add("first", "second")
    for name in ("first", "second"):
        hub.active_at(name, now())
    mark = now() - timedelta(days=1)

    names = HubClient(hub.url, hub.tokens["names"])
    assert [user.name for user in names.users()] == ["first", "second"]
    for service, hidden in [("names", (False, False)), ("no-activity", (False, True)), ("no-servers", (True, False))]:
        users = {user.name: user for user in HubClient(hub.url, hub.tokens[service]).users()}
        assert [(user.activity_known, user.servers_known) for user in users.values()] == [hidden, hidden]
        assert use_since(HubUsers(users), "first", "", mark).state == UNKNOWN

    partial = ask(hub, "partial")
    assert partial.complete
    assert use_since(partial, "first", "", mark).state == USED
    assert use_since(partial, "second", "", mark).state == UNKNOWN
    assert use_since(partial, "gone", "", mark).state == UNKNOWN

    some = ask(hub, "some")
    assert list(some.users) == ["first"]
    assert not some.complete
    assert use_since(some, "second", "", mark).state == UNKNOWN


def test_every_name_that_the_hub_accepts_is_a_valid_entry(hub: RealHub) -> None:
    for name in ["ann", "josé", "王小明", "a b", "-x-", "a--b", "user{0}", "x" * 250, "a@b.c", "corp\\ann", "%2e%2e", "...",
                 "ann ", " ann", "\u00a0ann", "corp/ann", " "]:  # fmt: skip
        try:
            hub.api("POST", "/users", {"usernames": [name]})
        except urllib.error.HTTPError:
            continue  # which names these are is seen below
        entries, refusals = parse_users([name], "users")
        assert refusals == []
        assert entries[0].name in ask(hub).users
    accepted = set(ask(hub).users)
    assert accepted >= {"ann", "josé", "王小明", "a b", "corp\\ann", "x" * 250}
    assert not accepted & {"ann ", " ann", "\u00a0ann", "corp/ann", " "}
