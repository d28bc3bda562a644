"""The access rules, case by case: the table of levels, the texts for people, and the sentence for each error."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import pickle
import shutil
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.groups import parse_groups
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import undefined_groups
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from ansible_collections.odh.persistency.plugins.module_utils._hub import access, acl_format

from testbed.hub.pythons import find_python
from tests.support.access import HOME, TODAY, members_part, share, shares_part

OTHERS = "not mounted: it is granted to others only"
FOLDER = Path(access.__file__).parent


def decide(shares: Any, members: Any = None, person: Any = "ana", **more: Any) -> access.Decision:
    return access.decide(shares, members, access.SpawnRequest(person, **{"today": TODAY, "home": HOME, **more}))


def row(decision: access.Decision, name: str = "a") -> tuple[str, str, bool]:
    assert decision.errors == []
    (verdict,) = [verdict for verdict in decision.verdicts if verdict.share == name]
    mounted = [mount.mode for mount in decision.mounts if mount.share == name]
    assert mounted == ([verdict.outcome] if verdict.outcome in ("ro", "rw") else [])
    return verdict.outcome, verdict.rule, verdict.visible


def error(data: Any) -> str:
    (found,) = acl_format.shares_errors(data)
    assert decide(data) == access.Decision([], [], [found])
    with pytest.raises(acl_format.AccessError) as refused:
        access.load_shares(acl_format.canonical(data), acl_format.digest_of(acl_format.canonical(data)))
    assert refused.value.errors == (found,)
    assert str(refused.value) == found
    return found


# --- The table of levels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "named", "asked", "outcome", "rule", "visible"),
    [
        ("public", None, False, "ro", "read only, as everyone may", True),
        ("public", None, True, "ro", "read only, as everyone may", True),
        ("public", "read", False, "ro", "read only, named directly", True),
        ("public", "write", False, "rw", "read and write, named directly", True),
        ("private", None, False, "-", OTHERS, False),
        ("private", None, True, "-", OTHERS, False),
        ("private", "read", False, "ro", "read only, named directly", True),
        ("private", "write", False, "rw", "read and write, named directly", True),
        ("secret", None, False, "-", OTHERS, False),
        ("secret", None, True, "-", OTHERS, False),
        ("secret", "read", False, "ask", "mounted only when asked for: read only, named directly", True),
        ("secret", "read", True, "ro", "read only, named directly", True),
        ("secret", "write", False, "ask", "mounted only when asked for: read and write, named directly", True),
        ("secret", "write", True, "rw", "read and write, named directly", True),
    ],
)
def test_levels(level: str, named: Optional[str], asked: bool, outcome: str, rule: str, visible: bool) -> None:
    members = members_part(ana={named: ["a"]} if named else {}, bob={"write": ["a"]})
    decision = decide(shares_part(a=share(level, gid=5000)), members, requested=["a"] if asked else [])
    assert row(decision) == (outcome, rule, visible)
    if outcome in ("ro", "rw"):
        assert decision.mounts == [access.Mount("a", "a", f"{HOME}/a", outcome, 5000)]


@pytest.mark.parametrize(
    ("group", "member", "hub", "granted"),
    [
        ("analysts", "analysts", (), True),
        ("openshift:analysts", "openshift:analysts", (), True),
        ("hub:analysts", None, ("analysts",), True),
        ("hub:/a/x", None, ("/a/x",), True),
        # One word from two sources is two groups.
        ("analysts", "openshift:analysts", ("analysts",), False),
        ("openshift:analysts", "analysts", ("analysts", "openshift:analysts"), False),
        ("hub:analysts", "analysts", ("hub:analysts", "Analysts", "analysts "), False),
        ("hub:analysts", "openshift:analysts", (), False),
        ("hub:/a/x", "/a/x", ("/b/x", "x", "a/x"), False),
        ("ana", None, (), False),
        ("hub:hub:analysts", None, ("hub:analysts",), True),
    ],
)
def test_groups_have_a_source(group: str, member: Optional[str], hub: tuple[str, ...], granted: bool) -> None:
    members = members_part(ana={"groups": [member]} if member else {})
    decision = decide(shares_part(a=share(write=[group])), members, hub_groups=hub)
    assert row(decision) == (
        ("rw", f"read and write, as a member of group {group}", True) if granted else ("-", OTHERS, False)
    )


@pytest.mark.parametrize(
    ("record", "hub", "mode", "rule"),
    [
        ({}, (), "ro", "everyone"),
        ({"read": ["a"]}, (), "ro", "named"),
        ({"groups": ["r", "q"]}, (), "ro", "group q"),
        ({"groups": ["r"], "read": ["a"]}, (), "ro", "named"),
        ({"groups": ["r"]}, ("w",), "rw", "group hub:w"),
        ({"groups": ["w", "v", "r"]}, ("w",), "rw", "group hub:w"),
        ({"groups": ["w", "v"]}, (), "rw", "group v"),
        ({"groups": ["w"], "write": ["a"], "read": ["a"]}, (), "rw", "named"),
        ({"groups": ["w"], "read": ["a"]}, (), "rw", "group w"),
    ],
)
def test_the_widest_grant_wins(record: dict[str, list[str]], hub: tuple[str, ...], mode: str, rule: str) -> None:
    shares = shares_part(a=share("public", read=["r", "q"], write=["w", "v", "hub:w"]))
    assert access.grants_of(shares, record, hub, TODAY) == {"a": access.Grant(mode, rule)}
    assert row(decide(shares, members_part(ana=record), hub_groups=hub))[0] == mode


def test_a_user_and_a_group_of_one_name_are_two() -> None:
    shares = shares_part(a=share(read=["analysts", "hub:analysts"]))
    assert row(decide(shares, members_part(ana={"read": ["a"]}), "analysts")) == ("-", OTHERS, False)
    assert (
        row(decide(shares, members_part(analysts={"groups": ["others"]}), "analysts", hub_groups=["others"]))[0] == "-"
    )


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("Ana", "ana"),
        ("ana", "ana "),
        ("ana", "ana\n"),
        ("jos\u00e9", "jose\u0301"),
        ("ſ", "s"),
        ("ana", "ana@example.org"),
    ],
)
def test_names_are_taken_as_they_are(name: str, like: str) -> None:
    for one, other in ((name, like), (like, name)):
        named = {"schema": 1, "people": {one: {"read": ["a"], "groups": [one]}}}
        shares = shares_part(a=share(), b=share(read=[one]), c=share(read=["hub:" + one]))
        assert [mount.share for mount in decide(shares, named, one, hub_groups=[one]).mounts] == ["a", "b", "c"]
        assert decide(shares, named, other, hub_groups=[other]).mounts == []
        assert decide(shares, {"schema": 1, "people": {"x": {"groups": [other]}}}, "x").mounts == []


def test_nobody_named_is_nobody() -> None:
    for level in ("private", "secret"):
        shares = shares_part(a=share(level))
        for members in (
            None,
            members_part(),
            members_part(ana={}),
            members_part(ana={"groups": [], "read": [], "write": []}),
        ):
            assert row(decide(shares, members, requested=["a"], hub_groups=["", "everyone", "*"])) == (
                "-",
                OTHERS,
                False,
            )
            assert access.grants_of(shares, None, [], TODAY) == {}


@pytest.mark.parametrize(("days", "granted"), [(-1, True), (0, True), (1, False), (400, False)])
@pytest.mark.parametrize("level", acl_format.LEVELS)
def test_until_is_the_last_day(level: str, days: int, granted: bool) -> None:
    shares, members = shares_part(a=share(level, until="2027-03-31")), members_part(ana={"read": ["a"]})
    today = date(2027, 3, 31) + timedelta(days)
    decision = decide(shares, members, today=today, requested=["a"])
    reported = (
        ("ro", "read only, named directly", True)
        if granted
        else ("-", "not mounted: its last day was 2027-03-31", True)
    )
    assert row(decision) == reported
    assert bool(access.grants_of(shares, {"read": ["a"]}, [], today)) == granted
    # Nor does who was never named learn that there was such a share.
    assert row(decide(shares, None, today=today))[2] == (level == "public")


# --- Secret -------------------------------------------------------------------------------------------------------------

WRITER = members_part(ana={"write": ["pub", "priv", "one", "two", "three"]}, bob={"read": ["one"], "write": ["two"]})
ALL = shares_part(
    pub=share("public"), priv=share("private"), one=share("secret"), two=share("secret"), three=share("secret")
)


def outcomes(decision: access.Decision) -> dict[str, str]:
    return {verdict.share: verdict.outcome for verdict in decision.verdicts}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([], {"pub": "rw", "priv": "rw", "one": "ask", "two": "ask", "three": "ask"}),
        (["one"], {"pub": "ro", "priv": "ro", "one": "rw", "two": "ask", "three": "ask"}),
        (["one", "two"], {"pub": "ro", "priv": "ro", "one": "ro", "two": "ro", "three": "ask"}),
        (["one", "two", "three"], dict.fromkeys(("pub", "priv", "one", "two", "three"), "ro")),
        (["pub", "priv", "unknown"], {"pub": "rw", "priv": "rw", "one": "ask", "two": "ask", "three": "ask"}),
    ],
)
def test_no_write_down(asked: list[str], expected: dict[str, str]) -> None:
    assert outcomes(decide(ALL, WRITER, requested=asked)) == expected


def test_no_write_down_says_why() -> None:
    plain = "otherwise read and write, named directly"
    one = decide(ALL, WRITER, requested=["one"])
    assert row(one, "pub") == ("ro", f"read only while the secret share one is mounted, {plain}", True)
    assert row(one, "one") == ("rw", "read and write, named directly", True)
    two = decide(ALL, WRITER, requested=["two", "one"])
    assert row(two, "priv") == ("ro", f"read only while the secret shares one, two are mounted, {plain}", True)
    assert row(two, "two") == ("ro", f"read only while the secret share one is mounted, {plain}", True)
    # What is read only anyway needs no such reason.
    assert row(decide(ALL, WRITER, "bob", requested=["one", "two"]), "pub") == (
        "ro",
        "read only, as everyone may",
        True,
    )


def test_a_secret_share_that_is_not_mounted_restricts_nothing() -> None:
    expired = copy.deepcopy(ALL)
    expired["shares"]["one"]["until"] = "2027-03-30"
    misplaced = copy.deepcopy(ALL)
    misplaced["shares"]["one"]["mount_path"] = "/elsewhere/one"
    for shares in (expired, misplaced):
        assert outcomes(decide(shares, WRITER, requested=["one"]))["pub"] == "rw"
    assert outcomes(decide(ALL, WRITER, "carl", requested=["one", "two"])) == {
        **dict.fromkeys(("priv", "one", "two", "three"), "-"),
        "pub": "ro",
    }


# --- Where --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("home", [HOME, HOME + "/", "//opt/app-root//src", "/opt/./app-root/x/../src/"])
@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"{HOME}/a", ""),
        (f"{HOME}/x/y/a", ""),
        ("/data/a", ""),
        (HOME, f"{HOME} is the home"),
        ("/opt/app-root", f"/opt/app-root is above the home {HOME}"),
        ("/opt", f"/opt is above the home {HOME}"),
        ("/data", "/data is an allowed root itself, not below it"),
        ("/opt/app-root/src2", "/opt/app-root/src2 is not below the home or another root that this hub allows"),
        ("/data2/a", "/data2/a is not below the home or another root that this hub allows"),
        ("/etc", "/etc is not below the home or another root that this hub allows"),
    ],
)
def test_only_under_the_hubs_roots(home: str, path: str, says: str) -> None:
    shares = shares_part(a=share("public", path=path), b=share("public", path="/mnt/b"), c=share(path="/usr/c"))
    decision = decide(shares, None, home=home, roots=["/data/", "/mnt"])
    assert row(decision) == (
        ("-", f"not mounted: its mount path {says}", True) if says else ("ro", "read only, as everyone may", True)
    )
    # Only that share is out, and who is not granted it does not hear of it.
    assert row(decision, "b")[0] == "ro"
    assert row(decision, "c") == ("-", OTHERS, False)


def test_without_a_home_and_roots_nothing_has_a_place() -> None:
    shares = shares_part(a=share("public"), b=share("public", path="/b"))
    assert decide(shares, home="").mounts == []
    assert [mount.share for mount in decide(shares, home="", roots=["/"]).mounts] == ["a", "b"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"home": "home/ana"}, "the home 'home/ana' is not absolute"),
        ({"home": "/"}, "the home is the whole file system"),
        ({"home": "/a/.."}, "the home is the whole file system"),
        ({"home": "/a\x00"}, "the home '/a\\x00' contains a control character"),
        ({"home": None}, "the home is null, not a path"),
        ({"home": b"/a"}, "the home is a bytes, not a path"),
        ({"roots": ["data"]}, "the allowed root 'data' is not absolute"),
        ({"roots": [""]}, "the allowed root '.' is not absolute"),
        ({"roots": "/data"}, "the allowed roots: '/data' is not a list of names"),
        ({"roots": [1]}, "the allowed roots: a list is not a list of names"),
        ({"hub_groups": "analysts"}, "the hub's groups: 'analysts' is not a list of names"),
        ({"hub_groups": None}, "the hub's groups: null is not a list of names"),
        ({"hub_groups": [["a"]]}, "the hub's groups: a list is not a list of names"),
        ({"requested": {"a": True}}, "the requested shares: a mapping is not a list of names"),
        ({"requested": 5}, "the requested shares: 5 is not a list of names"),
        ({"today": None}, "today is null, not a date"),
        ({"today": "2027-03-31"}, "today is '2027-03-31', not a date"),
        ({"today": datetime(2027, 3, 31)}, "today is a datetime, not a date"),
        ({"person": ""}, "the person is '', which is not a user name"),
        ({"person": None}, "the person is null, which is not a user name"),
        ({"person": "\ud800"}, "the person is '\\ud800', which is not a user name"),
    ],
)
def test_an_invalid_request_grants_nothing(more: dict[str, Any], says: str) -> None:
    person = more.pop("person", "ana")
    assert decide(shares_part(a=share("public")), None, person, **more) == access.Decision([], [], [says])


def test_the_groups_of_a_hub_may_come_in_any_collection() -> None:
    shares = shares_part(a=share(read=["hub:x"]))
    for groups in (["x"], ("x", "x"), {"x"}, frozenset("x"), (name for name in ["x"]), {"x": 1}.keys()):
        assert row(decide(shares, hub_groups=groups))[0] == "ro"


# --- What is wrong with a document --------------------------------------------------------------------------------------

LONG = "a" * 254


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"level": "secrte"}, "share 'a': `level` is 'secrte', not one of public, private, secret"),
        ({"level": "Public"}, "share 'a': `level` is 'Public', not one of public, private, secret"),
        ({"level": []}, "share 'a': `level` is a list, not one of public, private, secret"),
        ({"claim": "A_b"}, "share 'a': `claim` is 'A_b', not a valid claim name"),
        ({"claim": ""}, "share 'a': `claim` is '', not a valid claim name"),
        ({"claim": "a\n"}, "share 'a': `claim` is 'a\\n', not a valid claim name"),
        ({"claim": LONG}, f"share 'a': `claim` is {'a' * 80!r}..., not a valid claim name"),
        ({"claim": "b"}, "share 'b': its claim b is also the claim of share 'a'"),
        ({"gid": -1}, "share 'a': `gid` is -1, not a number from 0 to 2147483647"),
        ({"gid": 2**31}, "share 'a': `gid` is 2147483648, not a number from 0 to 2147483647"),
        ({"gid": True}, "share 'a': `gid` is true, not a number from 0 to 2147483647"),
        ({"gid": 5000.0}, "share 'a': `gid` is 5000.0, not a number from 0 to 2147483647"),
        ({"gid": "5000"}, "share 'a': `gid` is '5000', not a number from 0 to 2147483647"),
        ({"gid": None}, "share 'a': `gid` is null, not a number from 0 to 2147483647"),
        ({"gid": 10**5000}, "share 'a': `gid` is a huge number, not a number from 0 to 2147483647"),
        ({"until": "2027-02-29"}, "share 'a': `until` is '2027-02-29', not a day such as 2027-03-31"),
        ({"until": "20270331"}, "share 'a': `until` is '20270331', not a day such as 2027-03-31"),
        ({"until": "2027-W13-3"}, "share 'a': `until` is '2027-W13-3', not a day such as 2027-03-31"),
        ({"until": "2027-03-31\n"}, "share 'a': `until` is '2027-03-31\\n', not a day such as 2027-03-31"),
        ({"until": "٢٠٢٧-03-31"}, "share 'a': `until` is '٢٠٢٧-03-31', not a day such as 2027-03-31"),
        ({"until": "0000-01-01"}, "share 'a': `until` is '0000-01-01', not a day such as 2027-03-31"),
        ({"until": None}, "share 'a': `until` is null, not a day such as 2027-03-31"),
        ({"until": 20270331}, "share 'a': `until` is 20270331, not a day such as 2027-03-31"),
        ({"everyone": True}, "share 'a' has the unknown key 'everyone'"),
        ({"Level": "public"}, "share 'a' has the unknown key 'Level'"),
        ({"users": []}, "share 'a' has the unknown key 'users'"),
        ({"write": {"groups": [], "everyone": True}}, "share 'a': `write` has `everyone`, which no level allows"),
        ({"write": {"groups": [], "everyone": False}}, "share 'a': `write` has `everyone`, which no level allows"),
        ({"write": {"groups": [], "users": ["ana"]}}, "share 'a': `write` has the unknown key 'users'"),
        ({"write": {}}, "share 'a': `write` lacks `groups`"),
        ({"write": []}, "share 'a': `write` is a list, not a mapping"),
        ({"write": {"groups": "analysts"}}, "share 'a': `write` has 'analysts', not a list of names"),
        ({"write": {"groups": [""]}}, "share 'a': `write` has '', not the name of a group"),
        ({"write": {"groups": [5]}}, "share 'a': `write` has 5, not the name of a group"),
        ({"write": {"groups": [["x"]]}}, "share 'a': `write` has a list, not the name of a group"),
        ({"write": {"groups": ["hub:"]}}, "share 'a': `write` has 'hub:', not the name of a group"),
        ({"write": {"groups": ["openshift:"]}}, "share 'a': `write` has 'openshift:', not the name of a group"),
        ({"write": {"groups": ["x\ud800"]}}, "share 'a': `write` has 'x\\ud800', not the name of a group"),
        ({"read": {"everyone": True, "groups": []}}, "share 'a': it is private, but everyone may read it"),
        (
            {"level": "secret", "read": {"everyone": True, "groups": []}},
            "share 'a': it is secret, but everyone may read it",
        ),
        ({"level": "public"}, "share 'a': it is public, but not everyone may read it"),
        ({"read": {"everyone": 1, "groups": []}}, "share 'a': `everyone` is 1, not true or false"),
        ({"read": {"everyone": "false", "groups": []}}, "share 'a': `everyone` is 'false', not true or false"),
        ({"read": {"groups": []}}, "share 'a': `read` lacks `everyone`"),
        ({"read": {"everyone": False}}, "share 'a': `read` lacks `groups`"),
        ({"read": None}, "share 'a': `read` is null, not a mapping"),
        ({"mount_path": None}, "share 'a': its mount path is null, not a path"),
        ({"mount_path": ""}, "share 'a': its mount path is '', not a path"),
        ({"mount_path": "a/b"}, "share 'a': its mount path 'a/b' is not absolute"),
        ({"mount_path": "~/a"}, "share 'a': its mount path '~/a' is not absolute"),
        ({"mount_path": "/a/"}, "share 'a': its mount path '/a/' is not in its shortest form, '/a'"),
        ({"mount_path": "//a"}, "share 'a': its mount path '//a' is not in its shortest form, '/a'"),
        ({"mount_path": "/a//b"}, "share 'a': its mount path '/a//b' is not in its shortest form, '/a/b'"),
        ({"mount_path": "/a/./b"}, "share 'a': its mount path '/a/./b' is not in its shortest form, '/a/b'"),
        ({"mount_path": "/a/../b"}, "share 'a': its mount path '/a/../b' is not in its shortest form, '/b'"),
        ({"mount_path": "/.."}, "share 'a': its mount path '/..' is not in its shortest form, '/'"),
        ({"mount_path": "/"}, "share 'a': its mount path is the whole file system"),
        ({"mount_path": "/a\x00"}, "share 'a': its mount path '/a\\x00' contains a control character"),
        ({"mount_path": "/a\n"}, "share 'a': its mount path '/a\\n' contains a control character"),
        ({"mount_path": "/a\x85"}, "share 'a': its mount path '/a\\x85' contains a control character"),
        ({"mount_path": "/a:b"}, "share 'a': its mount path '/a:b' contains a colon, which Kubernetes forbids"),
        ({"mount_path": "/a\udc00"}, "share 'a': its mount path is '/a\\udc00', not a path"),
        ({"mount_path": f"{HOME}/b"}, "share 'b': its mount path is that of share 'a'"),
        ({"mount_path": f"{HOME}/b/c"}, "share 'a': its mount path lies inside that of share 'b'"),
    ],
)
def test_what_is_wrong_with_a_share(change: dict[str, Any], says: str) -> None:
    part = shares_part(a=share(), b=share())
    part["shares"]["a"].update(change)
    (found,) = acl_format.shares_errors(part)
    assert found == says
    # One share that cannot be read, and the whole list grants nothing: who knows what was meant.
    assert decide(part, members_part(ana={"write": ["a", "b"]})) == access.Decision([], [], [says])


@pytest.mark.parametrize("key", ["level", "claim", "mount_path", "read", "write"])
def test_a_share_that_lacks_something(key: str) -> None:
    part = shares_part(a=share())
    del part["shares"]["a"][key]
    assert error(part) == f"share 'a' lacks `{key}`"


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (None, "the shares part is null, not a mapping"),
        ([], "the shares part is a list, not a mapping"),
        ("{}", "the shares part is '{}', not a mapping"),
        (
            {"schema": 2, "grants": {}},
            "the shares part has schema 2, newer than the supported schema 1",
        ),
        (
            {"schema": 0, "shares": {}},
            "the shares part has schema 0, older than the supported schema 1",
        ),
        ({"schema": "1", "shares": {}}, "the shares part: `schema` is '1', not a number"),
        ({"schema": True, "shares": {}}, "the shares part: `schema` is true, not a number"),
        ({"schema": 1.0, "shares": {}}, "the shares part: `schema` is 1.0, not a number"),
        ({"shares": {}}, "the shares part lacks `schema`"),
        ({"schema": 1}, "the shares part lacks `shares`"),
        ({"schema": 1, "shares": {}, "x": 1}, "the shares part has the unknown key 'x'"),
        ({"schema": 1, "shares": []}, "the shares part: `shares` is a list, not a mapping of names"),
        ({"schema": 1, "shares": {"a": 5}}, "share 'a' is 5, not a mapping"),
        (shares_part(**{"A b": share(claim="x")}), "share 'A b': this is not a valid share name"),
        (shares_part(**{"a\n": share(claim="x", path="/x")}), "share 'a\\n': this is not a valid share name"),
    ],
)
def test_what_is_wrong_with_a_shares_part(part: Any, says: str) -> None:
    assert error(part) == says


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ([], "the membership part is a list, not a mapping"),
        ({"schema": 1}, "the membership part lacks `people`"),
        (
            {"schema": 3, "people": {}},
            "the membership part has schema 3, newer than the supported schema 1",
        ),
        ({"schema": 1, "people": {}, "groups": {}}, "the membership part has the unknown key 'groups'"),
        ({"schema": 1, "people": ["ana"]}, "the membership part: `people` is a list, not a mapping of names"),
        ({"schema": 1, "people": {"ana": []}}, "person 'ana' is a list, not a mapping"),
        ({"schema": 1, "people": {"": {}}}, "the membership part: '' is not a user name"),
        ({"schema": 1, "people": {"\ud800": {}}}, "the membership part: '\\ud800' is not a user name"),
        ({"schema": 1, "people": {"ana": {"admin": True}}}, "person 'ana' has the unknown key 'admin'"),
        (
            members_part(ana={"groups": ["hub:x"]}),
            "person 'ana': `groups` has 'hub:x', not the name of a stored group",
        ),
        (
            members_part(ana={"groups": ["hub:"]}),
            "person 'ana': `groups` has 'hub:', not the name of a stored group",
        ),
        (
            members_part(ana={"groups": ["openshift:"]}),
            "person 'ana': `groups` has 'openshift:', not the name of a stored group",
        ),
        ({"schema": 1, "people": {"ana": {"groups": "x"}}}, "person 'ana': `groups` has 'x', not a list of names"),
        (
            {"schema": 1, "people": {"ana": {"read": {"a": 1}}}},
            "person 'ana': `read` has a mapping, not a list of names",
        ),
        ({"schema": 1, "people": {"ana": {"write": [None]}}}, "person 'ana': `write` has null, not a name"),
        ({"schema": 1, "people": {"ana": {"write": None}}}, "person 'ana': `write` has null, not a list of names"),
    ],
)
def test_what_is_wrong_with_a_membership_part(part: Any, says: str) -> None:
    assert acl_format.members_errors(part) == [says]
    # Also for those of whom nothing wrong is said.
    assert decide(shares_part(a=share("public")), part, "bob") == access.Decision([], [], [says])
    with pytest.raises(acl_format.AccessError) as refused:
        access.MembersPart(part)
    assert refused.value.errors == (says,)


DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 2}, "the index has schema 2, newer than the supported schema 1"),
        ({"digits": 5}, "the index: `digits` is 5, not a number from 0 to 4"),
        ({"digits": -1}, "the index: `digits` is -1, not a number from 0 to 4"),
        ({"digits": True}, "the index: `digits` is true, not a number from 0 to 4"),
        ({"shares": "0123"}, "the index: `shares` is '0123', not a digest"),
        ({"shares": DIGEST.upper()}, f"the index: `shares` is {DIGEST.upper()!r}, not a digest"),
        ({"shares": DIGEST + "\n"}, f"the index: `shares` is {DIGEST + chr(10)!r}, not a digest"),
        ({"members": []}, "the index: `members` is a list, not a mapping of names"),
        ({"members": {"0": DIGEST}}, "the index: the prefix '0' is not made of 2 hex digits"),
        ({"members": {"0A": DIGEST}}, "the index: the prefix '0A' is not made of 2 hex digits"),
        ({"members": {"00\n": DIGEST}}, "the index: the prefix '00\\n' is not made of 2 hex digits"),
        ({"members": {"00": None}}, "the index: the prefix '00' has null, not a digest"),
        ({"writer": "x"}, "the index has the unknown key 'writer'"),
    ],
)
def test_what_is_wrong_with_an_index(change: dict[str, Any], says: str) -> None:
    index = {"schema": 1, "digits": 2, "shares": DIGEST, "members": {"00": DIGEST}}
    assert acl_format.index_errors(index) == []
    index.update(change)
    assert acl_format.index_errors(index) == [says]
    with pytest.raises(acl_format.AccessError) as refused:
        access.load_index(acl_format.canonical(index), acl_format.digest_of(acl_format.canonical(index)))
    assert refused.value.errors == (says,)


@pytest.mark.parametrize("digits", range(5))
def test_an_index_by_any_number_of_digits(digits: int) -> None:
    prefix = acl_format.prefix_of("ana", digits)
    index = {"schema": 1, "digits": digits, "shares": DIGEST, "members": {prefix: DIGEST}}
    text = acl_format.canonical(index)
    assert access.load_index(text, acl_format.digest_of(text)) == index
    assert acl_format.index_errors({**index, "members": {}}) == []


def test_all_errors_of_a_request_are_reported_at_once() -> None:
    part = shares_part(a=share("top", path="a", gid=-1), B=share(until="soon"))
    decision = decide(part, {"schema": 1, "people": {"": {}}}, "", today=None)
    assert decision.errors == [
        "share 'B': this is not a valid share name",
        "share 'B': `claim` is 'B', not a valid claim name",
        "share 'B': `until` is 'soon', not a day such as 2027-03-31",
        "share 'a': `level` is 'top', not one of public, private, secret",
        "share 'a': its mount path 'a' is not absolute",
        "share 'a': `gid` is -1, not a number from 0 to 2147483647",
        "the membership part: '' is not a user name",
        "the person is '', which is not a user name",
        "today is null, not a date",
    ]


def test_grants_of_rejects_what_decide_rejects() -> None:
    for shares, record, groups in (
        ({"schema": 9}, None, []),
        (shares_part(), {"groups": ["hub:x"]}, []),
        (shares_part(), {}, "x"),
    ):
        with pytest.raises(acl_format.AccessError):
            access.grants_of(shares, record, groups, TODAY)


# --- Texts --------------------------------------------------------------------------------------------------------------


def test_texts_and_names() -> None:
    assert acl_format.canonical({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'
    assert acl_format.digest_of("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    assert acl_format.prefix_of("é", 3) == "4a9"
    assert acl_format.prefix_of("é", 0) == ""
    assert acl_format.shares_name(DIGEST) == "odh-persistency-acl-shares-0123456789abcdef"
    assert acl_format.members_name("4a", DIGEST) == "odh-persistency-acl-members-4a-0123456789abcdef"
    assert acl_format.members_name("", DIGEST) == "odh-persistency-acl-members-all-0123456789abcdef"
    with pytest.raises(ValueError, match="not JSON compliant"):
        acl_format.canonical(float("nan"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the shares part is not valid JSON: Expecting value"),
        ('{"schema":1,"shares":{}', "the shares part is not valid JSON: Expecting"),
        ("[" * 100_000, "the shares part is not valid JSON: "),
        ('{"schema":1,"shares":NaN}', "the shares part is not valid JSON: "),
        (
            '{"schema":1, "shares":{}}',
            "the shares part is not canonical JSON: something other than this collection wrote it",
        ),
        ('{"schema":1,"shares":{},"shares":{}}', "the shares part is not canonical JSON"),
        ('{"schema":1,"shares":[]}', "the shares part: `shares` is a list, not a mapping of names"),
        (b"{}", "the shares part is a bytes, not a text"),
        (None, "the shares part is null, not a text"),
    ],
)
def test_a_text_that_cannot_be_read(text: Any, says: str) -> None:
    digest = acl_format.digest_of(text) if isinstance(text, str) else ""
    with pytest.raises(acl_format.AccessError) as refused:
        access.load_shares(text, digest)
    assert str(refused.value).startswith(says)


def test_a_text_of_another_digest() -> None:
    text = acl_format.canonical(shares_part())
    assert access.load_shares(text, acl_format.digest_of(text)) == shares_part()
    for digest in (acl_format.digest_of(text).upper(), acl_format.digest_of(text)[:16], "", None, DIGEST):
        with pytest.raises(
            acl_format.AccessError, match=r"the shares part does not match the digest .*: it was modified or truncated"
        ):
            access.load_shares(text, digest)  # type: ignore[arg-type]


def test_a_part_is_a_dictionary_like_any_other() -> None:
    text = acl_format.canonical(shares_part(a=share()))
    part = access.load_shares(text, acl_format.digest_of(text))
    assert json.loads(json.dumps(part)) == shares_part(a=share())
    assert access.SharesPart(part) == part
    for other in (copy.copy(part), copy.deepcopy(part), pickle.loads(pickle.dumps(part)), part.copy(), dict(part)):
        assert type(other) is dict
        assert other == part


def test_one_person_is_decided_in_well_under_a_millisecond() -> None:
    """With 200 shares and parts that are loaded. The bound is wide, for machines are busy; benchmarks measure it."""
    groups = [f"group-{number}" for number in range(50)]
    part = access.SharesPart(
        shares_part(
            **{
                f"s{number}": share(
                    acl_format.LEVELS[number % 3], read=groups[number % 7 :: 7], write=groups[number % 9 :: 9]
                )
                for number in range(200)
            }
        )
    )
    members = access.MembersPart(members_part(ana={"groups": groups[:10]}))
    best = 1.0
    for _ in range(50):
        began = time.perf_counter()
        decision = decide(part, members)
        best = min(best, time.perf_counter() - began)
    assert len(decision.mounts) > 100
    assert best < 0.002


# --- What owners of data are told -----------------------------------------------------------------------------------------


def test_the_example_for_owners_of_data_is_true() -> None:
    page = (Path(__file__).parents[2] / "docs" / "levels.md").read_text(encoding="utf-8").split("## An example")[1]
    inventory = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    entries, refusals = parse_shares(inventory["shares"], "levels.md", HOME, [])
    groups, more = parse_groups(inventory["groups"], "levels.md")
    assert refusals + more + undefined_groups(entries, groups) == []
    acl = compile_acl(entries, groups, "hub")
    header, _line, *rows = [line for line in page.split("## ")[0].splitlines() if line.startswith("|")]
    names = [cell.strip() for cell in header.strip("|").split("|")][1:]
    assert len(rows) == 8
    for line in rows:
        who, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        person, _comma, more_of_it = who.partition(", ")
        day = date(2027, 4, 1) if more_of_it == "on 2027-04-01" else TODAY
        asked = ["cases"] if more_of_it == "who asked for cases" else []
        members = {"schema": 1, "people": acl.people}
        decision = decide(acl.shares, members, person, today=day, requested=asked)
        assert outcomes(decision) == dict(zip(names, cells)), line
    rules = {verdict.rule for verdict in decide(acl.shares, members, "ben").verdicts}
    assert "read and write, as a member of group teachers" in rules


# --- The package itself, which the hub runs -----------------------------------------------------------------------------

TRY = """
import sys, datetime
sys.path.insert(0, sys.argv[1])
from _hub import access, acl_format
share = {"level": "public", "claim": "a", "mount_path": "/h/a"}
share.update(read={"everyone": True, "groups": []}, write={"groups": ["w"]})
text = acl_format.canonical({"schema": 1, "shares": {"a": share}})
part = access.load_shares(text, acl_format.digest_of(text))
members = access.MembersPart({"schema": 1, "people": {"ana": {"groups": ["w"]}}})
request = access.SpawnRequest("ana", today=datetime.date(2027, 3, 31), home="/h")
decision = access.decide(part, members, request)
assert not decision.errors, decision.errors
assert access.decide([], None, request).errors
import copy
assert type(copy.deepcopy(part)) is dict
print(decision.mounts[0])
"""


def pythons() -> list[str]:
    """This Python, and the oldest that the package is for, if the machine has one."""
    oldest = find_python("3.8")
    return [sys.executable, *([str(oldest)] if oldest else [])]


@pytest.mark.parametrize("python", pythons())
def test_it_runs_alone(tmp_path: Path, python: str) -> None:
    shutil.copytree(FOLDER, tmp_path / "_hub", ignore=shutil.ignore_patterns("__pycache__"))
    ran = subprocess.run(
        [python, "-I", "-B", "-W", "error", "-c", TRY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (ran.stderr, ran.stdout) == ("", "Mount(share='a', claim='a', path='/h/a', mode='rw', gid=None)\n")


def test_it_is_python_3_8_and_needs_the_standard_library_only() -> None:
    files = sorted(FOLDER.glob("*.py"))
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))):
            if isinstance(node, ast.Import):
                modules.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(str(node.module).split(".")[0])
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, "an import from outside the package: it would not run alone"
    assert modules <= sys.stdlib_module_names
    ran = subprocess.run(
        [Path(sys.executable).parent / "vermin", "--target=3.8-", "--no-tips", "--violations", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_nested_paths_are_found_whatever_is_sorted_between() -> None:
    """As text `/home/a-b` sorts between `/home/a` and the paths inside it."""
    paths = {"one": f"{HOME}/a", "two": f"{HOME}/a-b", "three": f"{HOME}/a/c"}
    shares = {name: {**share(), "claim": name, "mount_path": path} for name, path in paths.items()}
    assert acl_format.shares_errors({"schema": 1, "shares": shares}) == [
        "share 'three': its mount path lies inside that of share 'one'"
    ]


def test_a_persons_part_is_where_it_always_was() -> None:
    """Stored ACLs outlive versions of the collection: another prefix would be another person's part, or nobody's."""
    assert acl_format.prefix_of("alice@example.org", 4) == hashlib.sha256(b"alice@example.org").hexdigest()[:4]
    assert acl_format.prefix_of("Alice@example.org", 64) != acl_format.prefix_of("alice@example.org", 64)
    assert acl_format.prefix_of("jos\u00e9", 64) == hashlib.sha256("jos\u00e9".encode()).hexdigest()
