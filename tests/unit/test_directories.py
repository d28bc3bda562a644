"""Directories of shares: where they lie, what becomes of them, and what never does."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.directories import model as m
from ansible_collections.odh.persistency.plugins.module_utils._core.directories import paths as p
from ansible_collections.odh.persistency.plugins.module_utils._core.directories import plan as pl
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import (
    ADOPT,
    CREATE,
    KEEP,
    REFUSE,
    UPDATE,
    Plan,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec, parse_shares
from hypothesis import given
from hypothesis import strategies as st

ROOT = p.Root("/exports")
ROOT_NODE = m.Node(m.DIRECTORY, mode=0o755)
SOMEBODY = m.Runner(501, 501, frozenset({501, 5000}), may_chown=False, may_chmod=False, keeps_setgid=False)


def entries(*shares):
    """Share entries from what an inventory says of them."""
    found, faults = parse_shares([{"level": "public", **share} for share in shares], "shares", "/home", [])
    assert not faults
    return found


def placed(*shares, root=ROOT):
    """The places of shares, none of them refused."""
    places = p.place_shares(entries(*shares), root)
    assert not places.errors
    return places


def refused(*shares, root=ROOT):
    """What is wrong with the places of shares."""
    return p.place_shares(entries(*shares), root).errors


def where(places):
    return ["/".join(item.parts) for item in places.desired if not item.way and not item.inside]


def nfs(name, path=None, server="nfs.example.org", **more):
    return {"name": name, "backend": {"type": "nfs", "server": server, "path": path or f"/exports/{name}"}, **more}


def directory(mode=0o2770, uid=0, gid=0, **more):
    return m.Node(m.DIRECTORY, uid, gid, mode, identity=(1, 2), **more)


def plan(places, live=None, contents=None, adopt=False, runner=None):
    known = {(): ROOT_NODE, **{tuple(key.split("/")): node for key, node in (live or {}).items()}}
    inside = {tuple(key.split("/")): names for key, names in (contents or {}).items()}
    for item in places.desired:
        inside.setdefault(item.parts, ())
    rules = pl.DirectorySettings("/exports", runner or m.Runner(), adopt)
    return pl.plan_directories(places.desired, places.left_out, known, inside, rules)


def actions(made: Plan):
    return {change.name: change.action for change in made.changes}


# --- where shares lie ---


def test_a_share_lies_under_its_name_or_its_directory() -> None:
    places = placed(nfs("a"), {"name": "b", "directory": "teams/b"})
    assert where(places) == ["a", "teams/b"]
    assert [item.parts for item in places.desired if item.way] == [("teams",)]


def test_with_an_export_a_share_lies_where_its_backend_says() -> None:
    csi = {
        "type": "csi",
        "driver": "nfs.csi.k8s.io",
        "volume_handle": "h",
        "attributes": {"server": "NFS.example.org.", "share": "/exports", "subDir": "d/e"},
    }
    places = placed(nfs("a", "/exports/teams/x"), {"name": "b", "backend": csi}, root=replace(ROOT, export="/exports"))
    assert where(places) == ["teams/x", "d/e"]
    local = {"name": "c", "backend": {"type": "host_path", "path": "/data/c"}}
    assert where(placed(local, root=replace(ROOT, export="/"))) == ["data/c"]


def test_shares_without_a_place_are_left_out_with_the_reason() -> None:
    places = placed(
        {"name": "dynamic"},
        {"name": "told", "directory": "told"},
        {"name": "theirs", "backend": {"type": "existing_claim", "claim": "x"}},
        {**nfs("gone"), "state": "retired"},
        nfs("other", server="other.example.org"),
        nfs("away"),
        root=p.Root("/exports", server="nfs.example.org", elsewhere=("away",)),
    )
    assert where(places) == ["told"]
    reasons = dict(places.left_out)
    assert "(storage_class) does not say where" in reasons["dynamic"]
    assert "(existing_claim) does not say where" in reasons["theirs"]
    assert "is retired" in reasons["gone"]
    assert "does not lie on the server nfs.example.org" in reasons["other"]
    assert "elsewhere" in reasons["away"]


def test_what_shares_that_left_share_among_themselves_holds_nobody_up() -> None:
    left = [
        {"name": "a", "directory": "d", "state": "retired"},
        {"name": "b", "directory": "d", "state": "absent"},
        # Where it lay is not said any more.
        {"name": "c", "state": "retired"},
    ]
    assert where(placed(*left, {"name": "e", "directory": "e"})) == ["e"]


def test_the_directories_of_a_share_come_with_those_above_them() -> None:
    places = placed(
        {"name": "s", "directory": "s", "directories": ["a/b/c", "a", "d"], "gid": 7, "owner": 8, "mode": "0750"}
    )
    assert [item.inside for item in places.desired] == ["", "a", "a/b", "a/b/c", "d"]
    assert {(item.uid, item.gid, item.mode) for item in places.desired} == {(8, 7, 0o750)}


@pytest.mark.parametrize(
    ("shares", "root", "says"),
    [
        ([nfs("a", "/other/a")], replace(ROOT, export="/exports"), "lies outside of the export /exports"),
        ([nfs("a", "/exports2/a")], replace(ROOT, export="/exports"), "lies outside of the export /exports"),
        ([nfs("a", "/exports")], replace(ROOT, export="/exports"), "is the export itself"),
        ([nfs("a", directory="b")], replace(ROOT, export="/exports"), "is not where its backend has its data, a in the export"),
        ([nfs("a", "/exports/b")], ROOT, "does not end in its name"),
        ([nfs("a", "/x/a"), nfs("b", "/y/b")], ROOT, "the shares lie in /x (a) and /y (b), and /exports can stand for one"),
        ([nfs("a"), nfs("b", server="c")], ROOT, "the NFS server nfs.example.org (a) and the NFS server c (b)"),
        ([nfs("a"), {"name": "b", "directory": "a"}], ROOT, "its directory /exports/a is that of a (shares[0])"),
        ([nfs("a"), {"name": "b", "directory": "a/b"}], ROOT, "its directory /exports/a/b lies in that of a (shares[0])"),
        # Who gets a new share would find there what a retired one left.
        (
            [{"name": "a", "directory": "d", "state": "retired"}, {"name": "b", "directory": "d"}],
            ROOT,
            "shares[1] (b): its directory /exports/d is that of a (retired, shares[0])",
        ),
        (
            [{"name": "a", "directory": "d/e", "state": "absent"}, {"name": "b", "directory": "d"}],
            ROOT,
            "shares[0] (a): its directory /exports/d/e lies in that of b (shares[1])",
        ),
        ([{"name": "b", "directory": "x" * 256}], ROOT, "names no directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(shares, root, says) -> None:
    faults = refused(*shares, root=root)
    assert any(says in fault for fault in faults), faults
    assert not any(fault.endswith(".") for fault in faults)


@pytest.mark.parametrize(
    ("root", "says"),
    [
        (p.Root("exports"), "path: 'exports' is not absolute"),
        (p.Root("/"), "path: / is the root of the file system"),
        (p.Root("/a/../b"), "contains `..`"),
        (p.Root("/a", export="b"), "export: 'b' is not absolute"),
        (p.Root("/a", elsewhere=("shred",)), "'shred' is the name of no share (did you mean `shared`?)"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(root, says) -> None:
    assert [fault for fault in p.root_errors(root, entries({"name": "shared"})) if says in fault]


# --- what becomes of them ---


def test_what_is_missing_is_made_closed_and_opened_when_it_is_somebodys() -> None:
    made = plan(placed({"name": "s", "directory": "t/s", "gid": 5000}))
    way, top = made.changes
    assert way.operations == (m.Mkdir(("t",), 0o755), m.Strip(("t",)), m.Chmod(("t",), 0o755))
    here = ("t", "s")
    assert top.operations == (m.Mkdir(here, 0o700), m.Strip(here), m.Chown(here, None, 5000), m.Chmod(here, 0o2770))
    assert (way.after, top.after) == ("/exports/t: 0755 0:0", "/exports/t/s: 2770 0:5000")
    assert way.before is top.before is None


def test_a_setgid_parent_gives_its_group_and_the_bit() -> None:
    places = placed({"name": "s", "directory": "t/s"})
    known = {(): directory(0o2775, 0, 77)}
    made = pl.plan_directories(places.desired, [], known, {}, pl.DirectorySettings("/exports"))
    assert [change.after for change in made.changes] == ["/exports/t: 2755 0:77", "/exports/t/s: 2770 0:77"]


def test_one_that_is_right_is_kept_whatever_is_in_it() -> None:
    places = placed({"name": "s", "directory": "s", "gid": 5000})
    made = plan(places, {"s": directory(gid=5000, uid=12)}, {"s": ("data",)})
    assert actions(made) == {"/exports/s": KEEP}
    assert not made.changed


def test_an_empty_one_is_corrected() -> None:
    made = plan(placed({"name": "s", "directory": "s", "gid": 5000}), {"s": directory(0o755)})
    (change,) = made.changes
    assert change.action == UPDATE
    # Neither the old group nor the new one ever has what only one of the two modes gives.
    assert change.operations[1:] == (m.Chmod(("s",), 0o750), m.Chown(("s",), None, 5000), m.Chmod(("s",), 0o2770))
    assert (change.before, change.after) == ("/exports/s: 0755 0:0", "/exports/s: 2770 0:5000")
    assert change.operations[0].empty


@pytest.mark.parametrize("names", [("data.csv",), None])
def test_one_with_content_is_refused_unless_it_is_adopted(names) -> None:
    places = placed({"name": "s", "directory": "s", "gid": 5000})
    live, contents = {"s": directory(0o755)}, {"s": names}
    (change,) = plan(places, live, contents).changes
    assert change.action == REFUSE
    for part in ("/exports/s (share s)", "0755 0:0, not 2770 0:5000", "adopt: true"):
        assert part in change.reason
    assert ("'data.csv'" in change.reason) == (names is not None)
    (change,) = plan(places, live, contents, adopt=True).changes
    assert change.action == ADOPT
    assert "stays as it is" in change.reason
    assert not change.operations[0].empty


def test_what_nobody_looked_into_counts_as_content() -> None:
    places = placed({"name": "s", "directory": "s"})
    known = {(): ROOT_NODE, ("s",): directory(0o755)}
    (change,) = pl.plan_directories(places.desired, [], known, {}, pl.DirectorySettings("/exports")).changes
    assert change.action == REFUSE


def test_a_directory_on_the_way_stays_as_it_is() -> None:
    made = plan(placed({"name": "s", "directory": "t/s"}), {"t": directory(0o700, 9, 9)}, {"t": ("x",)})
    assert actions(made) == {"/exports/t": KEEP, "/exports/t/s": CREATE}


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (m.Node("a symbolic link"), "links are never followed"),
        (m.Node("a file"), "is a file, not a directory"),
        (m.Node("a device"), "is a device, not a directory"),
        (m.Node(m.DIRECTORY, problem="Permission denied"), "cannot be looked at (Permission denied)"),
    ],
)
@pytest.mark.parametrize("at", ["t", "t/s", "t/s/d"])
def test_what_is_no_directory_is_refused_wherever_it_is(node, says, at) -> None:
    live = {above: directory() for above in ("t", "t/s") if above != at and at.startswith(above)}
    made = plan(placed({"name": "s", "directory": "t/s", "directories": ["d"]}), {**live, at: node}, adopt=True)
    (refusal,) = made.refusals
    assert refusal.name == f"/exports/{at}"
    assert says in refusal.reason
    assert not made.changed


def test_what_not_even_root_can_write_in_may_be_immutable() -> None:
    made = plan(placed({"name": "s", "directory": "s", "directories": ["d"]}), {"s": directory(writable=False)})
    (refusal,) = made.refusals
    assert "it may be immutable (`lsattr -d` shows that, `chattr -i` ends it)" in refusal.reason


@pytest.mark.parametrize(
    ("share", "live", "says"),
    [
        ({"owner": 1}, {}, ["cannot be given the owner 1 by 501: run it as root"]),
        ({"gid": 6000}, {}, ["the group 6000"]),
        ({"gid": 6000, "mode": "0770"}, {}, ["the group 6000"]),
        ({"gid": 5000}, {}, []),
        ({}, {}, []),
        ({"gid": 5000}, {"s": directory(0o755, 501, 501)}, []),
        ({"gid": 5000}, {"s": directory(0o755, 0, 5000)}, ["the mode 2770"]),
        ({"gid": 5000}, {"s": directory(0o2770, 0, 501)}, ["the group 5000"]),
        ({"gid": 6000}, {"s": directory(0o770, 501, 6000)}, ["the setgid bit"]),
        ({"gid": 6000}, {"s": directory(0o2770, 501, 6000)}, []),
        ({}, {"s": directory(0o755, 501, 501, read_only=True)}, ["mounted read-only"]),
        ({"directories": ["d"]}, {"s": directory(writable=False)}, ["may not write in /exports/s"]),
        ({"directories": ["d"]}, {"s": directory(read_only=True)}, ["mounted read-only"]),
    ],
)
def test_what_the_runner_may_not_do_is_known_beforehand(share, live, says) -> None:
    made = plan(placed({"name": "s", "directory": "s", **share}), live, runner=SOMEBODY)
    reasons = [refusal.reason for refusal in made.refusals]
    assert len(reasons) == len(says), reasons
    for reason, part in zip(reasons, says):
        assert part in reason


def test_content_and_a_missing_right_are_told_together() -> None:
    live, contents = {"s": directory(0o755)}, {"s": ("x",)}
    made = plan(placed({"name": "s", "directory": "s", "owner": 7}), live, contents, runner=SOMEBODY)
    assert [change.action for change in made.changes] == [REFUSE] * 2
    assert "adopt: true" in made.refusals[0].reason


# --- properties ---

MODES = (0o700, 0o755, 0o770, 0o2770, 0o2775)
# Drawn from lists made beforehand: many small draws would take most of the time of these tests.
PATHS = ["/".join(path) for length in (1, 2, 3) for path in product("abc", repeat=length)]
INSIDES = [(), (), ("a",), ("a", "b"), ("a/b",), ("a/b", "a"), ("b/c/a", "b"), ("c", "a/b/c"), ("b/a", "b/c")]
SETTINGS = list(product((None, 0, 501, 5000), (None, 0, 501, 5000), MODES))
NODES = [m.Node(m.DIRECTORY, uid, gid, mode) for uid, gid, mode in product((0, 501), (0, 501, 5000), MODES)]
NODES += [replace(node, writable=False) for node in NODES[::5]] + [replace(node, read_only=True) for node in NODES[::9]]
NODES += [replace(node, acl=True) for node in NODES[::4]]
OTHERS = [m.Node("a file"), m.Node("a symbolic link"), m.Node(m.DIRECTORY, problem="Permission denied")]


@st.composite
def lists_of_shares(draw, clashing=False):
    """Shares in up to three levels of directories; only where they may be `clashing`, one may lie in another's."""
    shares = []
    for name in draw(st.lists(st.sampled_from(["s1", "s2", "s3", "s4"]), unique=True, max_size=3)):
        owner, gid, mode = draw(st.sampled_from(SETTINGS))
        directory = draw(st.sampled_from(PATHS)) if clashing else draw(st.sampled_from(["", "a/", "a/b/"])) + name
        shares.append(
            ShareSpec(
                name=name,
                level="public",
                directory=directory,
                directories=draw(st.sampled_from(INSIDES)),
                owner=owner,
                gid=gid,
                mode=f"{mode:04o}",
                position=f"shares[{len(shares)}]",
            )
        )
    return shares


#: What a place has: nothing, what is wanted (None), another directory, or something in the way.
there = st.sampled_from(["nothing"] * 15 + [None] * 25 + NODES + OTHERS)
inside = st.sampled_from([(), (), (), ("data",), None])
runners = st.sampled_from([m.Runner(), m.Runner(), SOMEBODY])


@st.composite
def cases(draw):
    """Shares, and a file system in which some of what they want is there, be it as wanted, wrong or in the way."""
    shares = draw(lists_of_shares())
    places = p.place_shares(shares, ROOT)
    assert not places.errors
    live = {(): draw(st.sampled_from(NODES))}
    contents = {}
    for item in places.desired:
        above = live.get(item.parts[:-1])
        node = draw(there) if above is not None and above.is_directory else "nothing"
        if node != "nothing":
            live[item.parts] = node or m.Node(m.DIRECTORY, item.uid or 0, item.gid or 0, item.mode)
            contents[item.parts] = draw(inside)
    for parts in live:
        if parts and parts[:-1]:
            # Whatever has a wanted directory in it is not empty.
            contents[parts[:-1]] = contents.get(parts[:-1]) or (parts[-1],)
    return shares, places, live, contents, draw(runners), draw(st.booleans())


def carried_out(made: Plan, live, runner):
    """The file system after the plan, as Linux would have it; written with no look at how plans are made."""
    after = dict(live)
    for change in made.changes:
        for step in change.operations:
            parts = step.parts
            if isinstance(step, m.Mkdir):
                above = after[parts[:-1]]
                assert above.kind == m.DIRECTORY
                assert parts not in after
                setgid = above.mode & 0o2000
                gid = above.gid if setgid else runner.gid
                after[parts] = m.Node(m.DIRECTORY, runner.uid, gid, step.mode | setgid, acl=above.acl)
            elif isinstance(step, m.Precondition):
                assert after[parts] == step.node
            elif isinstance(step, m.Chown):
                now = after[parts]
                uid, gid = now.uid if step.uid is None else step.uid, now.gid if step.gid is None else step.gid
                assert runner.may_chown or uid == now.uid
                assert runner.may_chown or gid == now.gid or (now.uid == runner.uid and runner.is_in(gid))
                after[parts] = replace(now, uid=uid, gid=gid)
            elif isinstance(step, m.Strip):
                now = after[parts]
                if now.acl:
                    assert runner.may_chmod or now.uid == runner.uid
                    after[parts] = replace(now, acl=False, mode=now.mode & ~0o077)
            elif step.mode != after[parts].mode:
                now = after[parts]
                assert runner.may_chmod or now.uid == runner.uid
                kept = runner.keeps_setgid or runner.is_in(now.gid)
                after[parts] = replace(now, mode=step.mode if kept else step.mode & ~0o2000)
    return after


@given(cases())
def test_a_plan_does_what_is_wanted_and_nothing_else(case) -> None:
    _shares, places, live, contents, runner, adopt = case
    rules = pl.DirectorySettings("/exports", runner, adopt)
    made = pl.plan_directories(places.desired, places.left_out, live, contents, rules)
    wanted = {item.parts: item for item in places.desired}
    for change in made.changes:
        item = change.subject
        for step in change.operations:
            assert step.parts == item.parts, "touches another directory than its own"
            assert step.parts in wanted
            assert step.parts, "touches the root"
            assert all(live[step.parts[:n]].is_directory for n in range(len(step.parts)) if step.parts[:n] in live)
            if isinstance(step, (m.Chown, m.Chmod, m.Strip)):
                assert not item.way or item.parts not in live, "changes what is only on the way"
                assert step.parts not in live or contents[step.parts] == () or adopt, "changes what has content"
    if made.refusals:
        return
    after = carried_out(made, live, runner)
    for parts, node in live.items():
        if parts not in wanted or wanted[parts].way:
            assert after[parts] == node
    for parts, item in wanted.items():
        now = after[parts]
        assert now.is_directory
        if not item.way:
            assert now.mode == item.mode
            assert item.uid in (None, now.uid)
            assert item.gid in (None, now.gid)
        assert not now.acl or (item.way and parts in live), "somebody may who is not named"
    # What the diff says is what came of it.
    for change in made.pending:
        now = after[change.subject.parts]
        assert change.after == f"{change.name}: {now.mode:04o} {now.uid}:{now.gid}"
    full = {parts: contents.get(parts) or () for parts in after}
    again = pl.plan_directories(places.desired, places.left_out, after, full, rules)
    assert not again.changed
    assert not again.refusals
    assert not pl.differing(places.desired, after)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_shares_means_nothing(case, random) -> None:
    shares, places, live, contents, runner, adopt = case
    mixed = list(shares)
    random.shuffle(mixed)
    other = p.place_shares(mixed, ROOT)
    assert not other.errors
    rules = pl.DirectorySettings("/exports", runner, adopt)
    one = pl.plan_directories(places.desired, places.left_out, live, contents, rules)
    two = pl.plan_directories(other.desired, other.left_out, live, contents, rules)

    def told(made: Plan):
        return {(change.action, change.name, change.before, change.after, change.operations) for change in made.changes}

    assert told(one) == told(two)


@given(lists_of_shares(clashing=True))
def test_no_two_shares_get_directories_in_one_another(shares) -> None:
    places = p.place_shares(shares, ROOT)
    if places.errors:
        return
    tops = {item.parts: item.share for item in places.desired if not item.way and not item.inside}
    assert len(tops) == len(shares)
    for item in places.desired:
        above = [tops[item.parts[:n]] for n in range(1, len(item.parts) + 1) if item.parts[:n] in tops]
        assert above == ([] if item.way else [item.share])
