"""Shares and groups of an inventory: parsed, or rejected with one sentence each."""

from __future__ import annotations

import datetime
from itertools import combinations
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.backend_spec import Backend
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.groups import parse_groups, source_of
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.overlaps import nested_mounts, shared_data
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.paths import (
    is_inside,
    mount_path_error,
    normalised,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import (
    ShareSpec,
    named_groups,
    undefined_groups,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from ansible_collections.odh.persistency.plugins.module_utils._core.validation import PlacedList
from hypothesis import given
from hypothesis import strategies as st

HOME = "/opt/app-root/src"


def csi(driver: str, **attributes: str) -> dict[str, Any]:
    return {"type": "csi", "driver": driver, "attributes": attributes}


def one(**item: Any) -> ShareSpec:
    """The spec of a valid share."""
    entries, errors = parse_shares([{"name": "data", "level": "private", **item}], "shares", HOME)
    assert errors == []
    return entries[0]


def errors_of(*items: Any) -> list[str]:
    return parse_shares(list(items), "shares", HOME, ["/mnt/shares"])[1]


def error_of(**item: Any) -> str:
    errors = errors_of({"name": "data", "level": "private", **item})
    assert len(errors) == 1, errors
    return errors[0]


def test_defaults() -> None:
    entry = one()
    assert entry.mount_path == f"{HOME}/data"
    assert entry.claim == "data"
    assert entry.mode == "2770"
    assert entry.backend == Backend()
    assert (entry.size, entry.gid, entry.until, entry.namespaces) == (None, None, None, ())
    assert entry.position == "shares[0]"


def test_every_key_of_a_share() -> None:
    entry = one(
        size="100Gi",
        mount_path="/opt/app-root/src/a/b",
        gid="5000",
        until=datetime.date(2027, 3, 31),
        backend={"type": "nfs", "server": "nfs.example.org", "path": "/exports/x", "mount_options": ["nfsvers=4.1"]},
        namespaces=["a", "b"],
        read={"users": ["ann", "ann", "Ann"], "groups": ["/x/staff", "hub:staff"]},
        write={"groups": ["staff"]},
        directories=["one", "two/three"],
        directory="somewhere/else",
        owner=0,
        mode="0750",
        labels={"team": "x"},
        annotations={"openshift.io/display-name": "Data"},
    )
    assert entry.size == 100 * 2**30
    assert entry.gid == 5000
    assert entry.until == "2027-03-31"
    assert entry.backend.server == "nfs.example.org"
    assert entry.read.users == ("Ann", "ann")
    assert entry.read.groups == ("/x/staff", "hub:staff")
    assert entry.owner == 0
    assert entry.mode == "0750"
    assert named_groups([entry]) == ["/x/staff", "hub:staff", "staff"]


def test_everyone_reads_a_public_share_with_or_without_a_grant() -> None:
    assert one(level="public").read.everyone
    assert one(level="public", read={"everyone": True}).read.everyone
    assert one(level="public", read={"groups": ["staff"]}).read.everyone
    assert not one(level="public").write.everyone
    assert not one(level="private", read={"users": []}).read.everyone


def test_an_existing_claim_keeps_its_name() -> None:
    entry = one(backend={"type": "existing_claim", "claim": "old-data"})
    assert (entry.name, entry.claim) == ("data", "old-data")


def test_a_retired_share_needs_only_its_name_and_frees_its_mount_path() -> None:
    entries, errors = parse_shares(
        [
            {"name": "old", "state": "absent"},
            {"name": "gone", "state": "retired", "mount_path": f"{HOME}/new"},
            {"name": "new", "level": "public"},
        ],
        "shares",
        HOME,
    )
    assert errors == []
    assert [entry.mount_path for entry in entries] == ["", "", f"{HOME}/new"]


@pytest.mark.parametrize(
    ("item", "parts"),
    [
        ({"levle": "x"}, ["unknown key 'levle' (did you mean `level`?): the known keys are name"]),
        ({"level": "Private"}, ["level 'Private' (did you mean `private`?)"]),
        ({"level": None}, ["`level` is missing"]),
        ({"level": True}, ["boolean `true`"]),
        ({"read": ["ann"]}, ["`read` must be a mapping, not a list", "users: [...]"]),
        ({"read": {"users": "ann"}}, ["`read.users` must be a list, not the text 'ann'"]),
        ({"read": {"users": [True]}}, ["boolean `true`", "quotes"]),
        ({"read": {"users": ["*"]}}, ["`*`, which matches nobody"]),
        ({"read": {"users": ["ann "]}}, ["so it differs from 'ann'"]),
        ({"read": {"group": []}}, ["'group' (did you mean `groups`?)"]),
        ({"read": {"groups": ["hub:"]}}, ["write `hub:NAME`"]),
        ({"read": {"groups": ["hub: x"]}}, ["white space"]),
        ({"read": {"everyone": True}}, ["`read.everyone` is only for public shares, and this one is private"]),
        ({"level": "secret", "read": {"everyone": True}}, ["this one is secret"]),
        ({"level": "public", "write": {"everyone": True}}, ["`write.everyone`", "no level allows"]),
        ({"level": "public", "read": {"everyone": False}}, ["make the share private"]),
        ({"read": {"everyone": "yes"}}, ["`read.everyone` is the text 'yes'"]),
        ({"mount_path": "data"}, ["not absolute"]),
        ({"mount_path": f"{HOME}/data/"}, [f"write {HOME}/data"]),
        ({"mount_path": f"{HOME}//data"}, ["shortest form"]),
        ({"mount_path": f"{HOME}/../x"}, ["`..`"]),
        ({"mount_path": HOME}, ["is the home itself"]),
        ({"mount_path": "/opt"}, ["is above the home"]),
        ({"mount_path": "/"}, ["is above the home"]),
        ({"mount_path": "/opt/app-root/srcs"}, ["under none of the allowed roots"]),
        ({"mount_path": "/mnt/shares"}, ["is a mount root itself"]),
        ({"mount_path": f"{HOME}/a\x00b"}, ["control character"]),
        ({"mount_path": f"{HOME}/a:b"}, ["colon"]),
        ({"backend": "nfs"}, ["`backend` must be a mapping, not the text 'nfs'"]),
        ({"backend": {"server": "x"}}, ["no `type`"]),
        ({"backend": {"type": "NFS"}}, ["backend 'NFS' is unknown (did you mean `nfs`?)"]),
        ({"backend": {"type": "nfs", "server": "s"}}, ["needs `path`"]),
        ({"backend": {"type": "nfs", "server": "s", "path": "/a/../b"}}, ["`backend.path`", "`..`"]),
        ({"backend": {"type": "nfs", "server": "s", "path": "a"}}, ["`backend.path`", "not absolute"]),
        ({"backend": {"type": "nfs", "server": "s:/x", "path": "/a"}}, ["`backend.server`"]),
        ({"backend": {"type": "nfs", "server": "s", "path": "/a", "option": 1}}, ["no key 'option'"]),
        ({"backend": {"type": "storage_class", "storage_class": ""}}, ["no class would create a volume"]),
        ({"backend": {"type": "csi", "driver": "d.io", "volume_handles": {"a": "h", "b": "h"}}}, ["one handle twice"]),
        ({"backend": {"type": "csi", "driver": "d.io", "node_stage_secret": {"name": "x"}}}, ["must name a Secret"]),
        ({"backend": {"type": "existing_claim"}}, ["needs `claim`"]),
        ({"size": "10"}, ["less than 1Mi"]),
        ({"size": "10 GB"}, ["`size`"]),
        ({"until": "31.3.2027"}, ["`until` is '31.3.2027'", "such as 2027-03-31"]),
        ({"until": "2027-02-29"}, ["is not a day"]),
        ({"until": 20270331}, ["the number 20270331"]),
        ({"until": datetime.datetime(2027, 3, 31, 12)}, ["is not a day"]),
        ({"gid": -1}, ["`gid`"]),
        ({"gid": 2**31}, ["`gid`"]),
        ({"mount_path": f"{HOME}/a\x85b"}, ["control character"]),
        ({"gid": True}, ["`gid`"]),
        ({"owner": 2**32 - 1}, ["`owner`"]),
        ({"mode": 2770}, ["in quotes"]),
        ({"mode": "rwx"}, ["octal"]),
        ({"mode": "4770"}, ["set-user-id bit"]),
        ({"mode": "0000"}, ["locks out the owner"]),
        ({"mode": "2775"}, ["lets in everyone who can reach the server"]),
        ({"backend": {"type": "nfs", "server": "s", "path": "/a", "mount_options": ["a,b"]}}, ["as a separate item"]),
        ({"backend": {"type": "host_path", "path": "/"}}, ["belongs to the node"]),
        ({"backend": {"type": "host_path", "path": "/var/lib/kubelet/pods"}}, ["lies in /var/lib/kubelet"]),
        ({"backend": {"type": "host_path", "path": "/var"}}, ["contains /var/lib/containerd"]),
        ({"backend": csi("nfs.csi.k8s.io", server="s", share="/a/../b")}, ["`share`", "`..`"]),
        ({"backend": csi("nfs.csi.k8s.io", Server="s", share="/a", subDir="x/../y")}, ["`subDir`", "`..`"]),
        ({"backend": csi("nfs.csi.k8s.io", server="s", Server="t", share="/a")}, ["server twice"]),
        ({"backend": csi("cephfs.csi.ceph.com", clusterID="c", rootPath="/v/x/../p")}, ["`rootPath`", "`..`"]),
        ({"backend": csi("rook-ceph.cephfs.csi.ceph.com", clusterID="c", rootPath="v/p")}, ["not absolute"]),
        ({"namespaces": []}, ["`namespaces` is empty"]),
        ({"namespaces": ["A"]}, ["is not a namespace name"]),
        ({"namespaces": ["a", "a"]}, ["twice"]),
        ({"directories": ["/a"]}, ["absolute"]),
        ({"directories": ["a/../../b"]}, ["`..`"]),
        ({"directories": ["."]}, ["'.' names no directory"]),
        ({"directories": ["a/"]}, ["write a"]),
        ({"directories": ["a", "a"]}, ["twice"]),
        ({"directory": "../x"}, ["`..`"]),
        ({"labels": {"odh.persistency/kind": "home"}}, ["only the collection and the hub set it"]),
        ({"labels": {"component": "x"}}, ["only the collection and the hub set it"]),
        ({"labels": {"a": "b c"}}, ["is not a valid label value"]),
        ({"annotations": {"hub.jupyter.org/username": "ann"}}, ["only the collection and the hub set it"]),
        ({"state": "gone"}, ["`state`", "present, retired, absent"]),
    ],
)
def test_an_invalid_share_is_rejected_in_one_sentence(item: dict[str, Any], parts: list[str]) -> None:
    sentence = error_of(**item)
    assert sentence.startswith("shares[0] (data): ")
    for part in parts:
        assert part in sentence
    assert not sentence.endswith(".")


@pytest.mark.parametrize(
    ("item", "part"),
    [
        ("data", "a share must be a mapping with `name` and `level`, not the text 'data'"),
        ({}, "`name` is missing"),
        ({"name": 7, "level": "public"}, "the number 7"),
        ({"name": "Data", "level": "public"}, "lower-case"),
        ({"name": "a" * 254, "level": "public"}, "254 characters"),
    ],
)
def test_a_share_without_a_name_that_the_api_carries(item: Any, part: str) -> None:
    (sentence,) = errors_of(item)
    assert part in sentence


def test_all_errors_at_once_and_with_their_lines() -> None:
    raw = PlacedList([{"name": "a"}, {"name": "b", "level": "top"}], [3, 9])
    assert [error.partition(":")[0] for error in parse_shares(raw, "shares.yml", HOME)[1]] == [
        "shares.yml line 3 (a)",
        "shares.yml line 9 (b)",
    ]


def test_two_shares_of_one_name() -> None:
    (sentence,) = errors_of({"name": "a", "level": "public"}, {"name": "a", "level": "private"})
    assert "already listed at shares[0]" in sentence


def backend(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


NFS = {"server": "nfs.example.org"}


@pytest.mark.parametrize(
    ("first", "second", "part"),
    [
        (backend("nfs", path="/e/a", **NFS), backend("nfs", path="/e/a", **NFS), "is that of"),
        (backend("nfs", path="/e/a/b", **NFS), backend("nfs", path="/e/a", **NFS), "lies inside that of"),
        (backend("nfs", path="/", **NFS), backend("nfs", path="/e/a", **NFS), "lies inside that of"),
        (backend("nfs", path="/e", **NFS), backend("nfs", path="/e", server="NFS.example.org."), "is that of"),
        (backend("host_path", path="/d/a"), backend("host_path", path="/d"), "lies inside that of"),
        (
            backend("nfs", path="/e", **NFS),
            backend("csi", driver="nfs.csi.k8s.io", attributes={**NFS, "share": "/e", "subdir": "x"}),
            "lies inside that of",
        ),
        (
            backend("csi", driver="cephfs.csi.ceph.com", attributes={"clusterID": "c", "rootPath": "/v/a"}),
            backend("csi", driver="cephfs.csi.ceph.com", attributes={"clusterID": "c", "rootPath": "/v/a/b"}),
            "lies inside that of",
        ),
        (
            backend("nfs", path="/e", **NFS),
            backend(
                "csi", driver="nfs.csi.k8s.io", attributes={"Server": "nfs.example.org", "Share": "e", "subDIR": "x"}
            ),
            "lies inside that of",
        ),
        (
            backend(
                "csi", driver="cephfs.csi.ceph.com", attributes={"clusterID": "c", "fsName": "f", "rootPath": "/v/a"}
            ),
            backend("csi", driver="x.cephfs.csi.ceph.com", attributes={"clusterID": "c", "rootPath": "/v/a"}),
            "is that of",
        ),
        (
            backend("csi", driver="d.io", volume_handle="h"),
            backend("csi", driver="d.io", volume_handles={"ns": "h"}),
            "would share volume h",
        ),
        (
            backend("csi", driver="d.io", volume_handle="h"),
            backend("csi", driver="D.io", volume_handle="h"),
            "would share volume h",
        ),
        (backend("existing_claim", claim="x"), backend("existing_claim", claim="x"), "would share claim x"),
        (backend("existing_claim", claim="b"), backend("storage_class"), "would share claim b"),
    ],
)
def test_the_data_of_one_share_is_not_anothers(first: dict[str, Any], second: dict[str, Any], part: str) -> None:
    shares = [{"name": "a", "level": "private", "backend": first}, {"name": "b", "level": "public", "backend": second}]
    (sentence,) = errors_of(*shares)
    assert part in sentence
    (sentence,) = errors_of(*reversed(shares))
    assert part in sentence


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (backend("nfs", path="/e/a", **NFS), backend("nfs", path="/e/ab", **NFS)),
        (backend("nfs", path="/e/a", **NFS), backend("nfs", path="/e/a", server="other.example.org")),
        (backend("nfs", path="/e/a", **NFS), backend("host_path", path="/e/a")),
        (backend("csi", driver="d.io", volume_handle="h"), backend("csi", driver="e.io", volume_handle="h")),
        (backend("storage_class"), backend("storage_class")),
    ],
)
def test_separate_data(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert errors_of(*({"name": n, "level": "public", "backend": b} for n, b in (("a", first), ("b", second)))) == []


def test_mounts_may_overlap_in_different_namespaces() -> None:
    inner = {"name": "a", "level": "public", "mount_path": f"{HOME}/x/y"}
    outer = {"name": "b", "level": "public", "mount_path": f"{HOME}/x"}
    assert len(errors_of(inner, outer)) == 1
    assert len(errors_of({**inner, "namespaces": ["n"]}, outer)) == 1
    assert len(errors_of({**inner, "namespaces": ["n"]}, {**outer, "namespaces": ["m", "n"]})) == 1
    assert errors_of({**inner, "namespaces": ["n"]}, {**outer, "namespaces": ["m"]}) == []


def test_homes_and_roots_are_paths_and_hide_nothing_else() -> None:
    assert "home_path" in parse_shares([], "shares", "home")[1][0]
    assert "home_path" in parse_shares([], "shares", "/")[1][0]
    assert "mount_roots" in parse_shares([], "shares", HOME, ["mnt"])[1][0]
    errors = parse_shares([{"name": "a", "level": "top"}], "shares", "home", ["mnt"])[1]
    assert [error.partition(":")[0] for error in errors] == ["home_path", "mount_roots", "shares[0] (a)"]
    assert parse_shares([{"name": "a", "level": "public", "mount_path": "/mnt/x/a"}], "s", HOME, ["/mnt/x"])[1] == []


def test_one_faulty_share_hides_nothing_of_the_others() -> None:
    errors = errors_of(
        {"name": "bad", "level": "private", "lvel": "x"},
        {"name": "a", "level": "private", "mount_path": f"{HOME}/q", "backend": backend("nfs", path="/x", **NFS)},
        {"name": "b", "level": "private", "mount_path": f"{HOME}/q/r", "backend": backend("nfs", path="/x/y", **NFS)},
    )
    assert len(errors) == 3, errors


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("fd00::1", "[fd00::1]"),
        ("fd00::1", "fd00:0::0:1"),
        ("FD00::A", "fd00::a"),
        ("NFS.example.org.", "nfs.example.org"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_one_server_is_one_however_it_is_written(here: str, there: str) -> None:
    shares = [
        {"name": name, "level": level, "backend": {"type": "nfs", "server": server, "path": "/e/a"}}
        for name, level, server in (("one", "secret", here), ("two", "public", there))
    ]
    (error,) = errors_of(*shares)
    assert "the data of two" in error


@pytest.mark.parametrize(
    ("here", "there", "separate"),
    [("hr", "public", True), ("hr", "hr", False), ("hr", None, False), (None, None, False)],
)
def test_file_systems_of_cephfs_that_are_both_named_are_two_places(here: Any, there: Any, separate: bool) -> None:
    driver = "rook-ceph.cephfs.csi.ceph.com"

    def backend(name: str, file_system: Any) -> dict[str, Any]:
        named = {"fsName": file_system} if file_system else {}
        attributes = {"clusterID": "c", "rootPath": "/volumes/a", "staticVolume": "true", **named}
        secret = {"name": "ceph", "namespace": "rook-ceph"}
        return {
            "type": "csi",
            "driver": driver,
            "volume_handle": name,
            "attributes": attributes,
            "node_stage_secret": secret,
        }

    errors = errors_of(
        {"name": "one", "level": "secret", "backend": backend("one", here)},
        {"name": "two", "level": "public", "backend": backend("two", there)},
    )
    assert len(errors) == (not separate), errors


def test_an_error_of_a_share_hides_no_other() -> None:
    errors = errors_of(
        {"name": "one", "level": "public", "until": "soon", "mount_path": f"{HOME}/q"},
        {"name": "two", "level": "public", "mount_path": f"{HOME}/q/r", "size": "1G1"},
        {"name": "three", "level": "pubic", "backend": {"type": "nfs", "server": "a", "path": "/e"}},
        {"name": "four", "level": "public", "backend": {"type": "nfs", "server": "a", "path": "/e/f"}},
        {"name": "five", "level": "public", "backend": {"type": "nfs", "server": "a", "path": "/e/../f"}},
    )
    for words in ("`until`", "1G1", "inside", "pubic", "the data of four", "five"):
        assert any(words in error for error in errors), words
    # Of what is not known to be right nothing is said that would be wrong.
    assert not any("the data of five" in error for error in errors)


# --- paths, at large ---

PARTS = st.lists(st.sampled_from(["a", "b", "ab", "a.b"]), min_size=1, max_size=4)
PATHS = PARTS.map(lambda parts: "/" + "/".join(parts))


@given(st.lists(PATHS, min_size=2, max_size=8))
def test_every_overlapping_pair_is_reported_and_no_other(paths: list[str]) -> None:
    shares = [
        ShareSpec(f"s{n}", "public", f"s{n}", mount_path=path, backend=Backend("host_path", path=path), position=str(n))
        for n, path in enumerate(paths)
    ]
    overlapping = {
        frozenset((f"s{i}", f"s{j}"))
        for (i, one), (j, other) in combinations(enumerate(p.split("/") for p in paths), 2)
        if one[: len(other)] == other or other[: len(one)] == one
    }
    for sentences in (nested_mounts(shares), shared_data(shares)):
        reported = [
            frozenset(w.strip("(),:") for w in sentence.split() if w.startswith("s") and w[1:2].isdigit())
            for sentence in sentences
        ]
        assert set(reported) == overlapping
        assert len(reported) == len(overlapping)


@given(st.text(alphabet="/.ab", max_size=8), PATHS, st.sampled_from(["{home}/{noise}", "{home}{noise}", "{noise}"]))
def test_accepted_mount_paths_are_below_the_home_and_in_their_shortest_form(noise: str, home: str, form: str) -> None:
    path = form.format(home=home, noise=noise)
    # Whatever lies below the home and is written without detours is taken.
    if form == "{home}/{noise}" and noise and normalised(path) == path != home and is_inside(path, home):
        assert mount_path_error(path, home, []) is None
    if mount_path_error(path, home, []) is None:
        parts = path.split("/")
        assert parts[0] == ""
        assert all(part not in ("", ".", "..") for part in parts[1:])
        assert parts[: len(home.split("/"))] == home.split("/")
        assert path != home
        assert normalised(path) == path
        assert is_inside(path, home)


# --- groups ---


def test_groups_as_a_mapping_and_as_a_list() -> None:
    desired = {"staff": ("Ann", "ann", "bob"), "/a/x": (), "x": ("ann",)}
    assert parse_groups({"staff": ["bob", "ann", "Ann", "bob"], "/a/x": [], "x": ["ann"]}, "groups") == (desired, [])
    listed = [
        {"name": "staff", "users": ["bob", "ann", "Ann"]},
        {"name": "/a/x", "users": []},
        {"name": "x", "users": ["ann"]},
    ]
    assert parse_groups(listed, "groups") == (desired, [])


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        ("staff", "groups must be a mapping, not the text 'staff'"),
        ({"staff": "ann"}, "list of names"),
        ({"staff": None}, "write `[]`"),
        ({"staff": [True]}, "boolean `true`"),
        ({"staff": ["ann\n"]}, "'ann'"),
        ({"staff": ["*"]}, "matches nobody"),
        ({"hub:staff": []}, "belongs to the hub by its name"),
        ({"openshift:staff": []}, "belongs to OpenShift by its name"),
        ({"": []}, "empty"),
        ({" staff": []}, "white space"),
        ({7: []}, "the number 7"),
        ([{"name": "a", "users": []}, {"name": "a", "users": []}], "defined twice"),
        ([{"name": "a", "user": []}], "did you mean `users`?"),
        (["a"], "mapping with `name` and `users`"),
    ],
)
def test_invalid_groups_are_rejected(raw: Any, part: str) -> None:
    assert any(part in error for error in parse_groups(raw, "groups")[1])


def test_an_undefined_group_is_reported_with_the_nearest_name() -> None:
    shares = [one(read={"groups": ["analyst", "hub:any", "openshift:any"]}, write={"groups": ["staff"]})]
    (sentence,) = undefined_groups(shares, {"analysts": (), "staff": ()})
    assert "shares[0] (data): `read` names the group 'analyst'" in sentence
    assert "did you mean `analysts`?" in sentence


def test_the_source_of_a_group_is_in_its_name() -> None:
    assert [source_of(name) for name in ("a", "hub:a", "openshift:a", "HUB:a", "hub")] == [
        "inventory",
        "hub",
        "openshift",
        "inventory",
        "inventory",
    ]
