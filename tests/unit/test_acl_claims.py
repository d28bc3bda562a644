"""Which shares are rejected, left out or reported because of their claims and the levels of their data."""

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.module_utils._core.access.baseline import baseline_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.granted_claims import (
    ObservedClaims,
    hold,
    obstacles,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import (
    ObservedAcl,
    PublishedAcl,
    publication_mark,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.copies import CopyProblem
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import LEVELS
from hypothesis import given
from hypothesis import strategies as st

from tests.support.acl_worlds import NAMESPACE, share

STATES = ("share", "none", "home", "block", "deleting", "other share", "copy", "unreadable", "spawner name")
_WRONG = ("home", "block", "deleting", "other share", "copy", "spawner name")


def claim_named(name, state, level):
    labels = {"odh.persistency/kind": "share", "odh.persistency/share": "other" if state == "other share" else "lab"}
    annotations = {} if level is None else {"odh.persistency/level": level}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    if state == "home":
        annotations["hub.jupyter.org/username"] = "bob"
    if state == "deleting":
        metadata["deletionTimestamp"] = "2026-11-24T08:00:00Z"
    return claim_from({"metadata": metadata, "spec": {"volumeMode": "Block" if state == "block" else "Filesystem"}})


@given(
    st.sampled_from(STATES),
    st.sampled_from([None, "odd", *LEVELS]),
    st.sampled_from(LEVELS),
    st.sampled_from([None, "", *LEVELS]),
    st.sampled_from([None, *LEVELS]),
    st.booleans(),
)
def test_each_share_with_an_obstacle_has_one_fate(state, mark, level, granted, published, consents):
    """`granted` is the level of what was granted before, `published` the level in the published ACL."""
    name = "claim-bob" if state == "spawner name" else "files"
    claims = {} if state == "unreadable" else {name: None if state == "none" else claim_named(name, state, mark)}
    observed = ObservedClaims(
        claims=claims,
        errors={name: "403"} if state == "unreadable" else {},
        copies={name: CopyProblem("is a copy of claim x, which is a home", True)} if state == "copy" else {},
    )
    new = compile_acl([share("lab", level, read=["ann"], claim=name)], {}, NAMESPACE)
    old = None if published is None else compile_acl([share("lab", published, claim=name)], {}, NAMESPACE)
    found = obstacles(new.by_name, observed)
    before = {} if granted is None else {name: granted}
    holdings = hold(found, new, before, old, ["lab"] if consents else [])
    fates = [holdings.rejected, holdings.left_out, holdings.reported]
    assert sum("lab" in fate for fate in fates) <= 1
    if state in _WRONG:
        assert "lab" in (holdings.rejected if granted is None else holdings.left_out)
    elif state == "unreadable":
        assert "lab" in (holdings.rejected if granted is None else holdings.reported if granted else holdings.left_out)
    elif state == "none" or mark not in LEVELS or LEVELS.index(level) >= LEVELS.index(mark) or consents:
        assert not any(fates)
    elif published is not None and LEVELS.index(published) > LEVELS.index(level):
        assert not any(fates), "the guards say so"
    elif granted and LEVELS.index(granted) <= LEVELS.index(level):
        assert "lab" in holdings.reported
    else:
        # Nothing that is lower than its data is granted anew without consent.
        assert "lab" in {**holdings.rejected, **holdings.left_out}
    moved = holdings.with_rejected_left_out()
    assert not moved.rejected
    assert moved.left_out.keys() == {*holdings.rejected, *holdings.left_out}


def test_marks_belong_to_a_namespace_and_no_index_is_no_baseline():
    assert publication_mark("a", "1" * 64) != publication_mark("b", "1" * 64)
    baseline = baseline_of(ObservedAcl(), PublishedAcl("", compile_acl([], {}, NAMESPACE)), NAMESPACE, [])
    assert baseline.acl is None
    assert not baseline.is_tampered


@given(st.sampled_from([None, "odd", *LEVELS]), st.sampled_from(["", *LEVELS]))
def test_the_stricter_level_counts(mark, earlier):
    observed = ObservedClaims({"files": claim_named("files", "share", mark)}, earlier={"files": earlier})
    known = [level for level in (mark, earlier) if level in LEVELS]
    assert observed.level("files") == max(known, key=LEVELS.index, default="")


def test_marks_on_a_copy_whose_source_is_unknown_prove_nothing():
    observed = ObservedClaims(
        {"files": claim_named("files", "share", "public")},
        copies={"files": CopyProblem("is a copy of claim x, and whether that is a home is unknown: gone", False)},
    )
    new = compile_acl([share("other", "public", claim="files")], {}, NAMESPACE)
    found = obstacles(new.by_name, observed)
    assert "other" in found
