"""The order of a publication, over generated ACLs: readers see one complete ACL after each write, whoever else writes."""

from __future__ import annotations

import copy
import itertools
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.baseline import baseline_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl, document_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.diff import compare
from ansible_collections.odh.persistency.plugins.module_utils._core.access.jsp_profiles import profiles_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import EMPTY
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import (
    DIGEST_ANNOTATION,
    PUBLICATION_ANNOTATION,
    PUBLISHED_ANNOTATION,
    ObservedAcl,
    acl_from,
    config_map_from,
    observed_acl_from,
    publication_mark,
    published_acl,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.publish import (
    PublishSettings,
    effects_of,
    has_text,
    is_published,
    plan_deletion,
    plan_publication,
    quota_warnings,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.published_profiles import acl_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.repair import damage_note, schema_error
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.quota import Quota
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import KEEP
from ansible_collections.odh.persistency.plugins.module_utils._core.requests import CREATE, DELETE
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import (
    INDEX_KEY,
    INDEX_NAME,
    PART_KEY,
    AccessError,
    digest_of,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.acl_worlds import NAMESPACE, PEOPLE, TODAY, share, worlds

START = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
HOME = "/home"


class Conflict(Exception):
    """Somebody else wrote."""


class Store:
    """ConfigMaps under the rules that matter here: names are taken once, and pins are kept."""

    def __init__(self):
        self.now = START
        self.objects = {}
        self._numbers = itertools.count(1)

    def observed(self) -> ObservedAcl:
        return observed_acl_from(config_map_from(item) for item in self.objects.values())

    def settings(self) -> PublishSettings:
        return PublishSettings(NAMESPACE, "odh.persistency test", self.now)

    def apply(self, step) -> None:
        found = self.objects.get(step.name)
        if step.verb == CREATE:
            if found is not None:
                raise Conflict
            made = copy.deepcopy(step.body)
            made["metadata"] |= {
                "uid": f"u{next(self._numbers)}",
                "creationTimestamp": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            self._put(made)
            return
        pins = step.body["preconditions"] if step.verb == DELETE else step.body["metadata"]
        if found is None or any(found["metadata"][key] != pins[key] for key in ("uid", "resourceVersion")):
            raise Conflict
        if step.verb == DELETE:
            del self.objects[step.name]
            return
        assert not found.get("immutable") or "data" not in step.body, "the API server refuses that"
        self._put(_merged(found, step.body))

    def _put(self, item) -> None:
        item["metadata"]["resourceVersion"] = f"r{next(self._numbers)}"
        self.objects[item["metadata"]["name"]] = item

    def seen(self):
        """What a reader sees: the digest of the index, None without one. Raises AccessError."""
        index = self.objects.get(INDEX_NAME)
        if index is None:
            return None
        digest = index["metadata"]["annotations"][DIGEST_ANNOTATION]
        texts = {name: item["data"].get(PART_KEY, "") for name, item in self.objects.items() if name != INDEX_NAME}
        acl_from(index["data"][INDEX_KEY], digest, texts)
        return digest

    def publish(self, desired) -> None:
        for step in steps_of(plan_publication(self.observed(), desired, self.settings())):
            self.apply(step)


def _merged(old, changes):
    if not isinstance(changes, dict):
        return changes
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def steps_of(publication):
    return [step for change in publication.plan.changes for step in change.operations]


def documents(*shares_of_each):
    """Documents that differ: each with these shares."""
    return [
        document_of(compile_acl([share(*each)], {"analysts": ["ann", "bob"]}, NAMESPACE)) for each in shares_of_each
    ]


ONE, TWO, THREE = documents(("data", "private", ["ann"]), ("data", "private", ["bob"]), ("lab", "public"))
SHARED = document_of(  # has TWO's membership part, and a shares part of its own
    compile_acl([share("data", "secret", ["bob"])], {"analysts": ["ann", "bob"]}, NAMESPACE)
)


@given(worlds(), worlds(), st.randoms(use_true_random=False))
def test_readers_see_one_of_two_complete_acls_after_each_operation(before, after, random):
    old, new = (document_of(compile_acl(*world, NAMESPACE)) for world in (before, after))
    store = Store()
    store.publish(old)
    assert store.seen() == old.digest
    publication = plan_publication(store.observed(), new, store.settings())
    parts = [step for change in publication.parts for step in change.operations]
    random.shuffle(parts)  # they are written side by side
    for step in parts:
        store.apply(step)
        assert store.seen() == old.digest
    for step in publication.index.operations:
        store.apply(step)
        assert store.seen() == new.digest
    assert publication.unused_parts == (), "nothing is an hour old"
    assert is_published(store.observed(), new)
    again = plan_publication(store.observed(), new, store.settings())
    assert not again.plan.changed
    store.now += timedelta(hours=1, seconds=1)
    for change in plan_publication(store.observed(), new, store.settings()).unused_parts:
        for step in change.operations:
            store.apply(step)
        assert store.seen() == new.digest
    assert set(store.objects) == {INDEX_NAME, *new.parts}


# -- runs beside each other ----------------------------------------------------------------------------------------------


def run(store, desired):
    """A run as the edge does it; yields after each request, where another may come between or it may be killed."""
    for _round in range(10):
        observed, now = store.observed(), store.settings()
        publication = plan_publication(observed, desired, now) if desired else plan_deletion(observed, now)
        yield
        try:
            for change in publication.parts:
                for step in change.operations:
                    store.apply(step)
                    yield
            if desired and any(change.operations for change in publication.parts):
                observed = store.observed()
                yield
                if not all(has_text(observed.parts.get(name), part) for name, part in desired.parts.items()):
                    continue
            for step in publication.index.operations if publication.index else ():
                store.apply(step)
                yield
        except Conflict:
            continue
        for change in publication.unused_parts:
            try:
                for step in change.operations:
                    store.apply(step)
            except Conflict:
                pass
            yield
        if not desired or is_published(store.observed(), desired) or store.observed().index is None:
            return


_SPANS = [timedelta(minutes=1), timedelta(minutes=20), timedelta(minutes=40), timedelta(minutes=61), timedelta(hours=3)]
_RUNS = st.lists(
    st.tuples(
        st.lists(st.sampled_from([ONE, TWO, THREE, SHARED]), min_size=1, max_size=3),
        st.lists(st.integers(0, 5), max_size=16),
        st.sampled_from(_SPANS),
    ),
    min_size=2,
    max_size=3,
)


@given(_RUNS)
def test_runs_beside_each_other_and_killed_anywhere(epochs):
    """Each epoch some runs go on in any order, some are killed, and time passes. Readers never see anything broken."""
    store = Store()
    seen = {None}
    for desired, order, span in epochs:
        runs = [run(store, each) for each in desired]
        for number in order:
            # A number beyond the runs is a kill of the first.
            if number >= len(runs) and len(runs) > 1:
                runs.pop(0)
            elif runs:
                try:
                    next(runs[number % len(runs)])
                except StopIteration:
                    runs.pop(number % len(runs))
            digest = store.seen()
            assert digest in {*seen, *(each.digest for each in desired)}
        seen = {store.seen()}
        # Whoever lived runs to its end; what then stands is whole.
        for each in runs:
            for _step in each:
                assert store.seen() in {*seen, *(document.digest for document in desired)}
        seen = {store.seen()}
        store.now += span
    store.publish(ONE)
    assert store.seen() == ONE.digest
    store.now += timedelta(hours=2)
    store.publish(ONE)
    assert set(store.objects) == {INDEX_NAME, *ONE.parts}


@given(st.sampled_from([ONE, TWO, SHARED]), st.lists(st.integers(0, 1), max_size=16), st.booleans())
def test_a_deletion_during_a_publication_leaves_a_complete_state(desired, order, marked):
    store = Store()
    store.publish(TWO)
    store.now += timedelta(hours=2) if marked else timedelta(minutes=1)
    runs = [run(store, desired), run(store, None)]
    for number in order:
        next(runs[number], None)
    for each in reversed(runs):
        for _step in each:
            pass
    assert store.seen() in (None, desired.digest)


# -- plans -------------------------------------------------------------------------------------------------------------


def test_a_deletion_deletes_the_index_first():
    store = Store()
    store.publish(ONE)
    store.publish(TWO)
    publication = plan_deletion(store.observed(), store.settings())
    steps = steps_of(publication)
    assert steps[0].name == INDEX_NAME
    assert {step.name for step in steps} == set(store.objects)
    for step in steps:
        store.apply(step)
        assert store.seen() is None
    assert store.objects == {}


@pytest.mark.parametrize(
    ("minutes", "gone"),
    [((0, 59), False), ((0, 61), True), ((90, 59), False), ((90, 61), True)],
)
def test_the_hour_counts_from_the_index_that_may_have_named_it_last(minutes, gone):
    store = Store()
    store.publish(ONE)
    store.now += timedelta(minutes=minutes[0])
    store.publish(TWO)
    store.now += timedelta(minutes=minutes[1])
    unused = plan_publication(store.observed(), TWO, store.settings()).unused_parts
    assert bool(unused) == gone
    # A run that publishes another one leaves the parts of the one it replaces alone, however old they are.
    store.now += timedelta(days=1)
    names = {change.name for change in plan_publication(store.observed(), THREE, store.settings()).unused_parts}
    assert names.isdisjoint(TWO.parts)


def test_invalid_annotations_delete_nothing():
    store = Store()
    store.publish(ONE)
    store.publish(TWO)
    store.now += timedelta(days=1)
    assert plan_publication(store.observed(), TWO, store.settings()).unused_parts
    store.objects[INDEX_NAME]["metadata"]["annotations"][PUBLISHED_ANNOTATION] = "soon"
    publication = plan_publication(store.observed(), TWO, store.settings())
    assert not publication.unused_parts
    assert publication.index.operations, "and the mark is written anew, so that a later run can count"


@pytest.mark.parametrize(("minutes", "written"), [(0, False), (9, False), (11, True), (60 * 24 * 365, True)])
def test_an_index_that_was_published_in_the_future_is_annotated_again(minutes, written):
    """Clean-up counts from that mark, and would wait for the year after next."""
    store = Store()
    store.publish(ONE)
    marks = store.objects[INDEX_NAME]["metadata"]["annotations"]
    marks[PUBLISHED_ANNOTATION] = (store.now + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    index = plan_publication(store.observed(), ONE, store.settings()).index
    assert bool(index.operations) == written
    store.publish(ONE)
    assert not plan_publication(store.observed(), ONE, store.settings()).plan.changed


def test_a_part_of_unknown_age_is_kept():
    store = Store()
    store.publish(ONE)
    store.publish(TWO)
    for name in ONE.parts:
        del store.objects[name]["metadata"]["creationTimestamp"]
    store.now += timedelta(days=1)
    assert not {change.name for change in plan_publication(store.observed(), TWO, store.settings()).unused_parts} & (
        ONE.parts.keys() - TWO.parts.keys()
    )


@pytest.mark.parametrize(
    ("left", "warned"),
    [
        ({"configmaps": 2}, True),
        ({"count/configmaps": 2}, True),
        ({"configmaps": -1}, True),
        ({"configmaps": 3, "count/configmaps": 3}, False),
        ({"persistentvolumeclaims": 0, "count/secrets": 0}, False),
    ],
)
def test_the_sum_of_new_config_maps_is_compared_with_quotas(left, warned):
    publication = plan_publication(ObservedAcl(), ONE, Store().settings())
    assert len(ONE.parts) == 2, "and the index"
    warnings = quota_warnings(publication, [Quota("few", left)])
    assert len(warnings) == warned
    for warning in warnings:
        assert (
            f"ResourceQuota few has {max(*left.values(), 0)} of {next(iter(left))} left, but the plan needs 3"
            in warning
        )
    store = Store()
    store.publish(ONE)
    assert quota_warnings(plan_publication(store.observed(), ONE, store.settings()), [Quota("few", left)]) == []


def test_parts_of_a_newer_schema_are_left_to_whoever_wrote_them():
    store = Store()
    store.publish(ONE)
    store.publish(TWO)
    for name in ONE.parts:
        store.objects[name]["metadata"]["annotations"]["odh.persistency/schema"] = "2"
    store.now += timedelta(days=1)
    assert not {change.name for change in plan_publication(store.observed(), TWO, store.settings()).unused_parts} & set(
        ONE.parts
    )


def test_recent_parts_are_reused_and_old_ones_are_annotated_first():
    store = Store()
    store.publish(ONE)
    store.publish(TWO)
    young = plan_publication(store.observed(), ONE, store.settings())
    assert {change.action for change in young.parts} == {KEEP}
    store.now += timedelta(hours=2)
    old = plan_publication(store.observed(), ONE, store.settings())
    marked = [change for change in old.parts if change.operations]
    assert {change.name for change in marked} == set(ONE.parts) - set(TWO.parts)
    for change in marked:
        assert PUBLISHED_ANNOTATION in change.operations[0].body["metadata"]["annotations"]


# -- what stands ---------------------------------------------------------------------------------------------------------


@given(worlds())
def test_what_is_published_is_read_back(world):
    acl = compile_acl(*world, NAMESPACE)
    store = Store()
    store.publish(document_of(acl))
    published = published_acl(store.observed())
    assert published.acl == acl
    assert published.errors == ()
    assert compare(published.acl, acl, TODAY).descriptions == ()


@given(worlds(), st.data())
def test_whatever_is_broken_the_rest_is_known_and_nothing_is_made_up(world, data):
    acl = compile_acl(*world, NAMESPACE)
    document = document_of(acl)
    store = Store()
    store.publish(document)
    name = data.draw(st.sampled_from(sorted(store.objects)))
    how = data.draw(st.sampled_from(["gone", "empty", "cut", "other", "mark"]))
    item = store.objects[name]
    key = INDEX_KEY if name == INDEX_NAME else PART_KEY
    if how == "gone":
        if name == INDEX_NAME:
            how = "empty"
        else:
            del store.objects[name]
    if how == "mark":
        item["metadata"]["annotations"][DIGEST_ANNOTATION] = "0" * 64
    elif how != "gone":
        text = item["data"][key]
        item["data"][key] = {"empty": "", "cut": text[: len(text) // 2], "other": THREE.index}[how]
    observed = store.observed()
    published = published_acl(observed)
    for person, record in published.acl.people.items():
        assert acl.people[person] == record
    for shared, reported in published.acl.by_name.items():
        assert acl.by_name[shared] == reported
    try:
        store.seen()
    except AccessError:
        assert published.errors
        # What was published is known as far as its parts exist, whatever the index has become.
        baseline = baseline_of(observed, published, NAMESPACE, ["another"])
        assert baseline.is_tampered
        assert not baseline.is_unchanged
        assert "was damaged" in damage_note(published, baseline, NAMESPACE)
        if name == INDEX_NAME:
            assert baseline.acl == acl
        assert baseline_of(observed, published, NAMESPACE, [document.digest]).is_unchanged
    else:
        assert not published.errors
    assert not is_published(observed, document) or how == "mark"
    # Publishing it again makes it whole.
    store.publish(document)
    assert store.seen() == document.digest


def test_no_index_is_no_acl():
    assert published_acl(ObservedAcl()).acl == EMPTY
    assert published_acl(ObservedAcl()).digest == ""
    assert not is_published(ObservedAcl(), ONE)


@pytest.mark.parametrize(("mark", "text"), [("2", '{"schema":2}'), ("1", '{"schema":2}'), ("", '{"schema":7,"x":[]}')])
def test_a_newer_schema_is_seen_in_the_text_of_a_publication(mark, text):
    store = Store()
    store.publish(ONE)
    store.objects[INDEX_NAME]["metadata"]["annotations"]["odh.persistency/schema"] = mark
    store.objects[INDEX_NAME]["data"][INDEX_KEY] = text
    # Anybody can write that. Only a run of ours writes the mark that belongs to the text.
    assert schema_error(store.observed(), NAMESPACE) == ""
    annotations = store.objects[INDEX_NAME]["metadata"]["annotations"]
    annotations[PUBLICATION_ANNOTATION] = publication_mark(NAMESPACE, digest_of(text))
    assert "odh.persistency test" in schema_error(store.observed(), NAMESPACE)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema":"2"}', '{"schema":true}', "[" * 10_000])
def test_no_text_is_taken_for_a_newer_schema(text):
    store = Store()
    store.publish(ONE)
    store.objects[INDEX_NAME]["data"][INDEX_KEY] = text
    assert schema_error(store.observed(), NAMESPACE) == ""
    assert published_acl(store.observed()).errors


def test_an_effect_is_reported_with_its_share_and_person():
    old = compile_acl([share("data", "private", ["ann"], ["bob"])], {}, NAMESPACE)
    new = compile_acl([share("data", "private", ["ann", "bob"]), share("lab", "public")], {}, NAMESPACE)
    changes = effects_of(compare(old, new, TODAY), NAMESPACE)
    reported = {(change.name, change.owner): change.action for change in changes}
    assert reported == {("data", "bob"): "update", ("lab", None): "create"}
    assert all(change.effect and not change.operations for change in changes)


# -- profiles ------------------------------------------------------------------------------------------------------------


@given(worlds())
def test_profiles_are_read_back_as_what_they_offer(world):
    acl = compile_acl(*world, NAMESPACE)
    text, _left_out = profiles_of(acl, TODAY, HOME)
    offered = acl_of(text)
    assert offered.by_name.keys() <= acl.by_name.keys()
    assert digest_of(text) == digest_of(profiles_of(acl, TODAY, HOME)[0])
    for person in PEOPLE:
        mine = offered.people.get(person, {})
        assert set(mine.get("read", ())) | set(mine.get("write", ())) <= set(acl.by_name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "profiles: []",
        '{"profiles": [{}]}',
        '{"profiles": [{"name": "mine", "users": ["ann"], "volumes": []}]}',
        '{"profiles": [{"name": "odh.persistency/a/rw", "users": ["*", "ann"], "volumes": [{}]}]}',
        '{"profiles": [{"name": "odh.persistency/a/x", "users": ["ann"], "volumes": [{}]}]}',
        '{"profiles": {"a": 1}}',
        '{"profiles": null}',
        r'{"profiles": ["\U00110000"]}',
        r'{"profiles": ["\Uffffffff"]}',
    ],
)
def test_foreign_profiles_cannot_be_compared(text):
    with pytest.raises(AccessError):
        acl_of(text)
