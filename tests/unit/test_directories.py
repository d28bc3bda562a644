"""Directories of shares: where they are, how they change, and what never changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.directories import desired as d
from ansible_collections.odh.persistency.plugins.module_utils._core.directories import model as m
from ansible_collections.odh.persistency.plugins.module_utils._core.directories import plan as pl
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import (
    ADOPT,
    CREATE,
    KEEP,
    REFUSE,
    UPDATE,
    Plan,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from hypothesis import given
from hypothesis import strategies as st

ROOT = d.RootDirectory("/exports")
ROOT_NODE = m.Node(m.DIRECTORY, mode=0o755)
SOMEBODY = m.Credentials(501, 501, frozenset({501, 5000}), may_chown=False, may_chmod=False, keeps_setgid=False)


def entries(*shares):
    """Share specs, parsed from entries of an inventory."""
    found, errors = parse_shares([{"level": "public", **share} for share in shares], "shares", "/home", [])
    assert not errors
    return found


def needed(*shares, root=ROOT):
    """The directories of shares, without errors."""
    desired = d.desired_directories(entries(*shares), root)
    assert not desired.errors
    return desired


def refused(*shares, root=ROOT):
    """What is wrong with the directories of shares."""
    return d.desired_directories(entries(*shares), root).errors


def where(desired):
    return ["/".join(item.parts) for item in desired.directories if not item.is_parent and not item.subdirectory]


def nfs(name, path=None, server="nfs.example.org", **more):
    return {"name": name, "backend": {"type": "nfs", "server": server, "path": path or f"/exports/{name}"}, **more}


def directory(mode=0o2770, uid=0, gid=0, **more):
    return m.Node(m.DIRECTORY, uid, gid, mode, identity=(1, 2), **more)


def plan(desired, observed=None, contents=None, adopt=False, credentials=None):
    known = {(): ROOT_NODE, **{tuple(key.split("/")): node for key, node in (observed or {}).items()}}
    inside = {tuple(key.split("/")): names for key, names in (contents or {}).items()}
    for item in desired.directories:
        inside.setdefault(item.parts, ())
    rules = m.DirectorySettings("/exports", credentials or m.Credentials(), adopt)
    return pl.plan_directories(desired, known, inside, rules)


def actions(made: Plan):
    return {change.name: change.action for change in made.changes}


# --- where the directories are ---


def test_the_directory_of_a_share_is_its_name_or_its_option() -> None:
    desired = needed(nfs("a"), {"name": "b", "directory": "teams/b"})
    assert where(desired) == ["a", "teams/b"]
    assert [item.parts for item in desired.directories if item.is_parent] == [("teams",)]


def test_with_an_export_the_directory_is_that_of_the_backend() -> None:
    csi = {
        "type": "csi",
        "driver": "nfs.csi.k8s.io",
        "volume_handle": "h",
        "attributes": {"server": "NFS.example.org.", "share": "/exports", "subDir": "d/e"},
    }
    desired = needed(nfs("a", "/exports/teams/x"), {"name": "b", "backend": csi}, root=replace(ROOT, export="/exports"))
    assert where(desired) == ["teams/x", "d/e"]
    local = {"name": "c", "backend": {"type": "host_path", "path": "/data/c"}}
    assert where(needed(local, root=replace(ROOT, export="/"))) == ["data/c"]


def test_shares_without_a_known_directory_are_skipped_with_the_reason() -> None:
    desired = needed(
        {"name": "dynamic"},
        {"name": "told", "directory": "told"},
        {"name": "theirs", "backend": {"type": "existing_claim", "claim": "x"}},
        {**nfs("gone"), "state": "retired"},
        nfs("other", server="other.example.org"),
        nfs("away"),
        root=d.RootDirectory("/exports", server="nfs.example.org", elsewhere=("away",)),
    )
    assert where(desired) == ["told"]
    reasons = dict(desired.skipped)
    assert "(storage_class) has no path" in reasons["dynamic"]
    assert "(existing_claim) has no path" in reasons["theirs"]
    assert "is retired" in reasons["gone"]
    assert "is not on the server nfs.example.org" in reasons["other"]
    assert "elsewhere" in reasons["away"]


def test_overlaps_of_retired_or_absent_shares_are_ignored() -> None:
    gone = [
        {"name": "a", "directory": "d", "state": "retired"},
        {"name": "b", "directory": "d", "state": "absent"},
        # Its directory is not known any more.
        {"name": "c", "state": "retired"},
    ]
    assert where(needed(*gone, {"name": "e", "directory": "e"})) == ["e"]


def test_the_directories_of_a_share_come_with_their_parents() -> None:
    desired = needed(
        {"name": "s", "directory": "s", "directories": ["a/b/c", "a", "d"], "gid": 7, "owner": 8, "mode": "0750"}
    )
    assert [item.subdirectory for item in desired.directories] == ["", "a", "a/b", "a/b/c", "d"]
    assert {(item.uid, item.gid, item.mode) for item in desired.directories} == {(8, 7, 0o750)}


@pytest.mark.parametrize(
    ("shares", "root", "says"),
    [
        ([nfs("a", "/other/a")], replace(ROOT, export="/exports"), "is outside of the export /exports"),
        ([nfs("a", "/exports2/a")], replace(ROOT, export="/exports"), "is outside of the export /exports"),
        ([nfs("a", "/exports")], replace(ROOT, export="/exports"), "is the export itself"),
        ([nfs("a", directory="b")], replace(ROOT, export="/exports"), "differs from its path in the export, a: remove"),
        ([nfs("a", "/exports/b")], ROOT, "does not end in its name"),
        ([nfs("a", "/x/a"), nfs("b", "/y/b")], ROOT, "the shares are in /x (a) and /y (b), and /exports can stand for one"),
        ([nfs("a"), nfs("b", server="c")], ROOT, "the NFS server nfs.example.org (a) and the NFS server c (b)"),
        ([nfs("a"), {"name": "b", "directory": "a"}], ROOT, "its directory /exports/a is that of a (shares[0])"),
        ([nfs("a"), {"name": "b", "directory": "a/b"}], ROOT, "its directory /exports/a/b is inside that of a (shares[0])"),
        # Users of a new share would find the data of a retired one.
        (
            [{"name": "a", "directory": "d", "state": "retired"}, {"name": "b", "directory": "d"}],
            ROOT,
            "shares[1] (b): its directory /exports/d is that of a (retired, shares[0])",
        ),
        (
            [{"name": "a", "directory": "d/e", "state": "absent"}, {"name": "b", "directory": "d"}],
            ROOT,
            "shares[0] (a): its directory /exports/d/e is inside that of b (shares[1])",
        ),
        ([{"name": "b", "directory": "x" * 256}], ROOT, "is not a valid directory name"),
    ],
)  # fmt: skip
def test_impossible_directories_are_rejected(shares, root, says) -> None:
    errors = refused(*shares, root=root)
    assert any(says in error for error in errors), errors
    assert not any(error.endswith(".") for error in errors)


@pytest.mark.parametrize(
    ("root", "says"),
    [
        (d.RootDirectory("exports"), "path: 'exports' is not absolute"),
        (d.RootDirectory("/"), "path: / is the root of the file system"),
        (d.RootDirectory("/a/../b"), "contains `..`"),
        (d.RootDirectory("/a", export="b"), "export: 'b' is not absolute"),
        (d.RootDirectory("/a", elsewhere=("shred",)), "elsewhere: there is no share 'shred' (did you mean `shared`?)"),
    ],
)
def test_impossible_options_are_rejected(root, says) -> None:
    assert [error for error in d.root_errors(root, entries({"name": "shared"})) if says in error]


# --- how they change ---


def test_a_new_directory_is_closed_until_it_has_its_owners() -> None:
    made = plan(needed({"name": "s", "directory": "t/s", "gid": 5000}))
    parent, own = made.changes
    assert parent.operations == (m.Mkdir(("t",), 0o755), m.RemoveAcl(("t",)), m.Chmod(("t",), 0o755))
    here = ("t", "s")
    assert own.operations == (m.Mkdir(here, 0o700), m.RemoveAcl(here), m.Chown(here, None, 5000), m.Chmod(here, 0o2770))
    assert (parent.after, own.after) == ("/exports/t: 0755 0:0", "/exports/t/s: 2770 0:5000")
    assert parent.before is own.before is None


def test_a_setgid_parent_passes_on_its_group_and_the_bit() -> None:
    desired = needed({"name": "s", "directory": "t/s"})
    known = {(): directory(0o2775, 0, 77)}
    made = pl.plan_directories(desired, known, {}, m.DirectorySettings("/exports"))
    assert [change.after for change in made.changes] == ["/exports/t: 2755 0:77", "/exports/t/s: 2770 0:77"]


def test_a_directory_that_is_up_to_date_is_kept_whatever_its_content() -> None:
    desired = needed({"name": "s", "directory": "s", "gid": 5000})
    made = plan(desired, {"s": directory(gid=5000, uid=12)}, {"s": ("data",)})
    assert actions(made) == {"/exports/s": KEEP}
    assert not made.changed


def test_an_empty_directory_is_updated() -> None:
    made = plan(needed({"name": "s", "directory": "s", "gid": 5000}), {"s": directory(0o755)})
    (change,) = made.changes
    assert change.action == UPDATE
    # Neither the old group nor the new one ever has what only one of the two modes gives.
    assert change.operations[1:] == (m.Chmod(("s",), 0o750), m.Chown(("s",), None, 5000), m.Chmod(("s",), 0o2770))
    assert (change.before, change.after) == ("/exports/s: 0755 0:0", "/exports/s: 2770 0:5000")
    assert change.operations[0].empty


@pytest.mark.parametrize("names", [("data.csv",), None])
def test_a_directory_with_content_is_rejected_unless_it_is_adopted(names) -> None:
    desired = needed({"name": "s", "directory": "s", "gid": 5000})
    observed, contents = {"s": directory(0o755)}, {"s": names}
    (change,) = plan(desired, observed, contents).changes
    assert change.action == REFUSE
    for part in ("/exports/s (share s)", "0755 0:0, not 2770 0:5000", "adopt: true"):
        assert part in change.reason
    assert ("'data.csv'" in change.reason) == (names is not None)
    (change,) = plan(desired, observed, contents, adopt=True).changes
    assert change.action == ADOPT
    assert "which does not change" in change.reason
    assert not change.operations[0].empty


def test_a_directory_that_was_not_read_counts_as_one_with_content() -> None:
    desired = needed({"name": "s", "directory": "s"})
    known = {(): ROOT_NODE, ("s",): directory(0o755)}
    (change,) = pl.plan_directories(desired, known, {}, m.DirectorySettings("/exports")).changes
    assert change.action == REFUSE


def test_an_existing_parent_directory_never_changes() -> None:
    made = plan(needed({"name": "s", "directory": "t/s"}), {"t": directory(0o700, 9, 9)}, {"t": ("x",)})
    assert actions(made) == {"/exports/t": KEEP, "/exports/t/s": CREATE}


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (m.Node("a symbolic link"), "links are never followed"),
        (m.Node("a file"), "is a file, not a directory"),
        (m.Node("a device"), "is a device, not a directory"),
        (m.Node(m.DIRECTORY, problem="Permission denied"), "cannot be examined (Permission denied)"),
    ],
)
@pytest.mark.parametrize("at", ["t", "t/s", "t/s/d"])
def test_anything_but_a_directory_is_rejected_wherever_it_is(node, says, at) -> None:
    observed = {above: directory() for above in ("t", "t/s") if above != at and at.startswith(above)}
    made = plan(needed({"name": "s", "directory": "t/s", "directories": ["d"]}), {**observed, at: node}, adopt=True)
    # What is inside a share is its members': it is reported and rejects nothing.
    (reported,) = made.unreconcilable if at == "t/s/d" else made.refusals
    assert len(made.refusals) + len(made.unreconcilable) == 1
    assert reported.name == f"/exports/{at}"
    assert says in reported.reason
    assert not made.changed


def test_a_directory_that_root_cannot_write_in_may_be_immutable() -> None:
    made = plan(needed({"name": "s", "directory": "s", "directories": ["d"]}), {"s": directory(writable=False)})
    assert not made.refusals
    (refusal,) = made.unreconcilable
    assert "it may be immutable (`lsattr -d` shows this, `chattr -i` clears it)" in refusal.reason


@pytest.mark.parametrize(
    ("share", "observed", "says"),
    [
        ({"owner": 1}, {}, ["cannot be given the owner 1 by 501: run as root"]),
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
def test_missing_permissions_are_rejected_before_the_first_write(share, observed, says) -> None:
    made = plan(needed({"name": "s", "directory": "s", **share}), observed, credentials=SOMEBODY)
    reasons = [reported.reason for reported in (*made.refusals, *made.unreconcilable)]
    assert len(reasons) == len(says), reasons
    for reason, part in zip(reasons, says):
        assert part in reason


def test_content_and_a_missing_permission_are_reported_together() -> None:
    observed, contents = {"s": directory(0o755)}, {"s": ("x",)}
    made = plan(needed({"name": "s", "directory": "s", "owner": 7}), observed, contents, credentials=SOMEBODY)
    assert [change.action for change in made.changes] == [REFUSE] * 2
    assert "adopt: true" in made.refusals[0].reason


# --- properties ---

MODES = (0o700, 0o755, 0o770, 0o2770, 0o2775)
# Drawn from prepared lists: many small draws would take most of the time of these tests.
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


#: What is at a path: nothing, what is desired (None), another directory, or something else.
there = st.sampled_from(["nothing"] * 15 + [None] * 25 + NODES + OTHERS)
inside = st.sampled_from([(), (), (), ("data",), None])
all_credentials = st.sampled_from([m.Credentials(), m.Credentials(), SOMEBODY])


@st.composite
def cases(draw):
    """Shares, and a file system in which some of their directories exist, up to date or not, or are something else."""
    shares = draw(lists_of_shares())
    desired = d.desired_directories(shares, ROOT)
    assert not desired.errors
    observed = {(): draw(st.sampled_from(NODES))}
    contents = {}
    for item in desired.directories:
        above = observed.get(item.parts[:-1])
        node = draw(there) if above is not None and above.is_directory else "nothing"
        if node != "nothing":
            observed[item.parts] = node or m.Node(m.DIRECTORY, item.uid or 0, item.gid or 0, item.mode)
            contents[item.parts] = draw(inside)
    for parts in observed:
        if parts and parts[:-1]:
            # A directory with a desired directory in it is not empty.
            contents[parts[:-1]] = contents.get(parts[:-1]) or (parts[-1],)
    return shares, desired, observed, contents, draw(all_credentials), draw(st.booleans())


def applied(made: Plan, observed, credentials):
    """The file system after the plan, as Linux would have it; written independently of the planner."""
    after = dict(observed)
    for change in made.changes:
        for operation in change.operations:
            parts = operation.parts
            if isinstance(operation, m.Mkdir):
                above = after[parts[:-1]]
                assert above.kind == m.DIRECTORY
                assert parts not in after
                setgid = above.mode & 0o2000
                gid = above.gid if setgid else credentials.gid
                after[parts] = m.Node(m.DIRECTORY, credentials.uid, gid, operation.mode | setgid, acl=above.acl)
            elif isinstance(operation, m.Precondition):
                assert after[parts] == operation.node
            elif isinstance(operation, m.Chown):
                now = after[parts]
                uid, gid = (
                    now.uid if operation.uid is None else operation.uid,
                    now.gid if operation.gid is None else operation.gid,
                )
                assert credentials.may_chown or uid == now.uid
                assert (
                    credentials.may_chown or gid == now.gid or (now.uid == credentials.uid and credentials.is_in(gid))
                )
                after[parts] = replace(now, uid=uid, gid=gid)
            elif isinstance(operation, m.RemoveAcl):
                now = after[parts]
                if now.acl:
                    assert credentials.may_chmod or now.uid == credentials.uid
                    after[parts] = replace(now, acl=False, mode=now.mode & ~0o077)
            elif operation.mode != after[parts].mode:
                now = after[parts]
                assert credentials.may_chmod or now.uid == credentials.uid
                kept = credentials.keeps_setgid or credentials.is_in(now.gid)
                after[parts] = replace(now, mode=operation.mode if kept else operation.mode & ~0o2000)
    return after


def is_blocked(item, observed, after, contents, credentials, adopt) -> bool:
    """Whether a directory cannot be as desired; written independently of the planner."""
    node, above = observed.get(item.parts), observed.get(item.parts[:-1])
    if node is None:
        setgid_parent = after[item.parts[:-1]].mode & 0o2000
        uid, gid = credentials.uid, after[item.parts[:-1]].gid if setgid_parent else credentials.gid
        is_stuck = above is not None and not above.writable
    else:
        uid, gid = node.uid, node.gid
        is_full = contents[item.parts] != () and not adopt
        is_stuck = not node.is_directory or bool(node.problem) or node.read_only or is_full
    gid = gid if item.gid is None else item.gid
    is_own = uid == credentials.uid and item.uid in (None, uid) and credentials.is_in(gid)
    return is_stuck or not (credentials.may_chown or is_own)


@given(cases())
def test_a_plan_does_only_what_is_desired(case) -> None:
    _shares, desired, observed, contents, credentials, adopt = case
    rules = m.DirectorySettings("/exports", credentials, adopt)
    made = pl.plan_directories(desired, observed, contents, rules)
    by_path = {item.parts: item for item in desired.directories}
    for change in made.changes:
        item = change.subject
        for operation in change.operations:
            assert operation.parts == item.parts, "touches another directory than its own"
            assert operation.parts in by_path
            assert operation.parts, "touches the root"
            assert all(
                observed[operation.parts[:n]].is_directory
                for n in range(len(operation.parts))
                if operation.parts[:n] in observed
            )
            if isinstance(operation, (m.Chown, m.Chmod, m.RemoveAcl)):
                assert not item.is_parent or item.parts not in observed, "changes a parent directory that exists"
                assert operation.parts not in observed or contents[operation.parts] == () or adopt, (
                    "changes what has content"
                )
    if made.refusals:
        return
    after = applied(made, observed, credentials)
    # What lies inside a share blocks nothing: it is reported and left as it is, with what is below it.
    by_name = {"/exports/" + "/".join(item.parts): item for item in desired.directories}
    left = {by_name[reported.name].parts for reported in made.unreconcilable}
    below = {parts for parts in by_path if any(parts[:n] in left for n in range(len(parts)))}
    assert not left & below, "reports what is below a directory that it leaves out"
    assert not below & {change.subject.parts for change in made.changes}
    assert not left & {change.subject.parts for change in made.pending}
    for parts in left:
        assert by_path[parts].subdirectory, "leaves out what is not inside a share"
        assert is_blocked(by_path[parts], observed, after, contents, credentials, adopt), "leaves out what it could do"
    for parts, node in observed.items():
        if parts not in by_path or by_path[parts].is_parent:
            assert after[parts] == node
    for parts, item in by_path.items():
        if parts in left or parts in below:
            assert after.get(parts) == observed.get(parts)
            continue
        now = after[parts]
        assert now.is_directory
        if not item.is_parent:
            assert now.mode == item.mode
            assert item.uid in (None, now.uid)
            assert item.gid in (None, now.gid)
        assert not now.acl or (item.is_parent and parts in observed), "admits users that nobody named"
    # The diff shows the result.
    for change in made.pending:
        now = after[change.subject.parts]
        assert change.after == f"{change.name}: {now.mode:04o} {now.uid}:{now.gid}"
    full = {parts: contents.get(parts, ()) for parts in after}
    again = pl.plan_directories(desired, after, full, rules)
    assert not again.changed
    assert not again.refusals
    assert {reported.name for reported in again.unreconcilable} == {reported.name for reported in made.unreconcilable}
    assert set(pl.drifted(desired.directories, after)) <= left | below


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_shares_does_not_matter(case, random) -> None:
    shares, desired, observed, contents, credentials, adopt = case
    mixed = list(shares)
    random.shuffle(mixed)
    other = d.desired_directories(mixed, ROOT)
    assert not other.errors
    rules = m.DirectorySettings("/exports", credentials, adopt)
    one = pl.plan_directories(desired, observed, contents, rules)
    two = pl.plan_directories(other, observed, contents, rules)

    def comparable(made: Plan):
        return {(change.action, change.name, change.before, change.after, change.operations) for change in made.changes}

    assert comparable(one) == comparable(two)


@given(lists_of_shares(clashing=True))
def test_no_two_shares_get_directories_in_one_another(shares) -> None:
    desired = d.desired_directories(shares, ROOT)
    if desired.errors:
        return
    own = {item.parts: item.share for item in desired.directories if not item.is_parent and not item.subdirectory}
    assert len(own) == len(shares)
    for item in desired.directories:
        above = [own[item.parts[:n]] for n in range(1, len(item.parts) + 1) if item.parts[:n] in own]
        assert above == ([] if item.is_parent else [item.share])
