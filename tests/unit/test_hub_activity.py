"""Whether a home was used since it was retired: what counts as use, and what as unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub_activity import (
    UNKNOWN,
    UNUSED,
    USED,
    HubUser,
    HubUsers,
    use_since,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.hub import client

MARK = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
BEFORE = MARK - timedelta(microseconds=1)
AFTER = MARK + timedelta(days=2)


def hub_of(*users: HubUser, complete: bool = True) -> HubUsers:
    return HubUsers({user.name: user for user in users}, complete)


def ann(last: datetime | None = None, *, active: str | None = None, **servers: datetime | None) -> HubUser:
    """`default=` is the time of the default server."""
    activity = {("" if name == "default" else name): time for name, time in servers.items()}
    running = frozenset() if active is None else frozenset([active])
    return HubUser("ann", (*activity,), running, last, activity)


@pytest.mark.parametrize(
    ("user", "server", "state", "words"),
    [
        (replace(ann(), created=BEFORE), "", UNUSED, "never active"),
        (ann(), "", UNUSED, "never active"),
        (replace(ann(), created=MARK), "", UNKNOWN, "created at 2026-03-01T12:00:00Z, after"),
        (replace(ann(AFTER), created=MARK), "", USED, "was active"),
        (ann(BEFORE), "", UNUSED, "last active at 2026-03-01T11:59:59Z"),
        (ann(MARK), "", USED, "active at 2026-03-01T12:00:00Z"),
        (ann(AFTER), "", USED, "active at 2026-03-03T12:00:00Z"),
        (ann(BEFORE, active="", default=BEFORE), "", USED, "the server of 'ann' is running"),
        (ann(BEFORE, active="", default=BEFORE), None, USED, "is running"),
        # A server's own record decides for its home...
        (ann(AFTER, default=AFTER, lab=BEFORE), "lab", UNUSED, "the server 'lab' of 'ann' was last active"),
        (ann(AFTER, default=BEFORE, lab=AFTER), "lab", USED, "the server 'lab' of 'ann' was active"),
        (ann(AFTER, active="", default=AFTER, lab=BEFORE), "lab", UNUSED, "last active"),
        (ann(BEFORE, active="lab", lab=BEFORE), "lab", USED, "the server 'lab' of 'ann' is running"),
        # ... unless there is none: it may have been used and then deleted.
        (ann(AFTER, default=AFTER), "lab", USED, "'ann' was active"),
        (ann(AFTER, lab=None), "lab", USED, "'ann' was active"),
        (ann(BEFORE, default=BEFORE), "lab", UNUSED, "'ann' was last active"),
        # A home of all servers was used when any of them was.
        (ann(BEFORE, default=BEFORE, lab=MARK), None, USED, "active"),
        (ann(AFTER, default=BEFORE, lab=BEFORE), None, USED, "active"),
        (ann(BEFORE, default=BEFORE, lab=BEFORE), None, UNUSED, "last active"),
        (ann(None, lab=BEFORE), None, UNUSED, "last active"),
    ],
)
def test_use(user: HubUser, server: str | None, state: str, words: str) -> None:
    use = use_since(hub_of(user, HubUser("zoe")), "ann", server, MARK)
    assert use.state == state
    assert words in use.reason


def test_an_annotation_in_another_time_zone_is_the_same_time() -> None:
    mark = MARK.astimezone(timezone(timedelta(hours=5)))
    assert use_since(hub_of(ann(BEFORE)), "ann", "", mark).state == UNUSED
    assert use_since(hub_of(ann(MARK)), "ann", "", mark).state == USED


def test_a_user_whom_the_hub_does_not_know() -> None:
    for hub, words in [
        (None, "no hub"),
        (hub_of(), "the hub has no users, so it may be"),
        (hub_of(HubUser("zoe")), "the hub has no user 'ann', who may have another name there now"),
        (hub_of(HubUser("zoe"), complete=False), "only some"),
        (hub_of(HubUser("Ann")), "'Ann', which may be 'ann'"),
    ]:
        use = use_since(hub, "ann", "", MARK)
        assert use.state == UNKNOWN
        assert words in use.reason


def test_what_the_token_may_not_see_is_not_known() -> None:
    hidden = hub_of(HubUser("ann", activity_known=False))
    assert use_since(hidden, "ann", "", MARK).state == UNKNOWN
    assert "read:users:activity" in use_since(hidden, "ann", None, MARK).reason
    without_servers = hub_of(HubUser("ann", last_activity=BEFORE, servers_known=False))
    assert use_since(without_servers, "ann", "", MARK).state == UNKNOWN
    own_record = hub_of(HubUser("ann", ("",), server_activity={"": BEFORE}, activity_known=False))
    assert use_since(own_record, "ann", "", MARK).state == UNUSED


def test_a_hub_that_knows_nobody_of_a_namespace_shows() -> None:
    hub = hub_of(HubUser("ann"), HubUser("bob"))
    assert hub.knows_any(["zoe", "bob"])
    assert not hub.knows_any(["zoe"])


def test_a_hub_that_knows_no_owner_of_the_homes_proves_nothing():
    other = HubUsers({"zed": HubUser("zed", last_activity=None)}, foreign=True)
    found = use_since(other, "ann", "", MARK)
    assert found.state == UNKNOWN
    assert "another namespace" in found.reason


def test_the_client_reads_when_the_hub_created_a_user() -> None:
    seen = {"name": "ann", "servers": {}, "last_activity": None, "created": "2026-03-01T11:59:59.999999Z"}
    found = client._user(seen)
    assert found.created == BEFORE
    assert use_since(hub_of(found, HubUser("zoe")), "ann", "", MARK).state == UNUSED
    hidden = client._user({key: value for key, value in seen.items() if key != "created"})
    assert hidden.created is None
