"""What share_acl rejects, the options that allow it, and ACLs that are damaged or of a newer schema."""

from __future__ import annotations

import json

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import (
    PUBLICATION_ANNOTATION as PUBLICATION,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import publication_mark

from tests.support.acl import (
    AGENT,
    DIGEST,
    INDEX,
    BrokenAcl,
    digest_of,
    objects,
    options,
    parts,
    read,
    share,
)

CLASS = [f"pupil{number:02}" for number in range(60)]
GROUPS = {"class": CLASS, "staff": ["ann", "ben"]}
SHARES = [
    share("public-data", "public", write={"groups": ["staff"]}),
    share("lessons", read={"groups": ["class"]}, write={"groups": ["staff"]}),
    share("exams", "secret", read={"groups": ["staff"]}),
]


@pytest.fixture
def chosen(modules, namespace):
    chosen = options(namespace, SHARES, groups=GROUPS)
    modules.ok("share_acl", chosen)
    return chosen


def changed(name, **more):
    """The shares, one of them otherwise."""
    return [{**one, **more} if one["name"] == name else one for one in SHARES]


def assert_rejected(modules, cluster, namespace, audit, wrong, yes):
    """Refused without a write, in check mode as well, and done when one says yes; return the message."""
    published = objects(cluster, namespace)
    with audit(user_agent=AGENT) as log:
        message = modules.refused("share_acl", wrong)
        assert modules.refused("share_acl", wrong, check=True) == message
    assert not log.writes
    assert not log.dry_runs
    assert objects(cluster, namespace) == published
    result = modules.ok("share_acl", {**wrong, **yes})
    assert result.changed
    assert not modules.ok("share_acl", {**wrong, **yes}).changed
    return message


def test_an_emptied_list(cluster, namespace, modules, audit, chosen):
    wrong = {**chosen, "shares": []}
    message = assert_rejected(modules, cluster, namespace, audit, wrong, {"allow_empty": True})
    for part in ("exams", "lessons", "public-data", "everyone", "`allow_empty: true`"):
        assert part in message
    assert read(cluster, namespace, "ann").shares == {}
    # An empty one where there is none yet surprises nobody who reads it again.
    assert not modules.ok("share_acl", {**wrong, "allow_empty": False}).changed


def test_many_withdrawals(cluster, namespace, modules, audit, chosen):
    wrong = {**chosen, "groups": {**GROUPS, "class": CLASS[:5]}}
    message = assert_rejected(modules, cluster, namespace, audit, wrong, {"max_withdrawals": 55})
    assert "55 grants would be withdrawn" in message
    assert "pupil05" in message
    assert "`max_withdrawals` is 50" in message
    assert read(cluster, namespace, "pupil05").mode("lessons") is None


def test_no_bound_for_withdrawals(cluster, namespace, modules, chosen):
    modules.ok("share_acl", {**chosen, "groups": {"class": [], "staff": []}, "max_withdrawals": -1})
    assert read(cluster, namespace, "ann").mode("exams") is None


def test_a_level_that_is_lowered(cluster, namespace, modules, audit, chosen):
    wrong = {**chosen, "shares": changed("lessons", level="public", read={})}
    message = assert_rejected(modules, cluster, namespace, audit, wrong, {"declassify": ["lessons"]})
    assert "lessons is private and would become public" in message
    assert "`declassify: [lessons]`" in message
    assert read(cluster, namespace, "anybody").mode("lessons") == "ro"


def test_a_group_from_another_source(cluster, namespace, modules, audit, chosen):
    wrong = {**chosen, "shares": changed("lessons", read={"groups": ["hub:class"]}), "max_withdrawals": 60}
    message = assert_rejected(modules, cluster, namespace, audit, wrong, {"allow_source_change": ["class"]})
    assert "members of hub:class" in message


def test_several_at_once(modules, chosen):
    shares = [{**one, "level": "public", "read": {}} for one in SHARES]
    message = modules.refused(
        "share_acl", {**chosen, "shares": shares, "groups": {"class": [], "staff": []}, "max_withdrawals": 0}
    )
    assert "withdrawn" in message
    assert "`declassify: [exams]`" in message
    assert "`declassify: [lessons]`" in message


def test_deletion_of_the_acl(cluster, namespace, modules, audit, chosen):
    gone = {**chosen, "state": "absent"}
    refused = modules.run("share_acl", gone)
    message = refused.output["msg"]
    # Two people and sixty have lessons, the two exams, and all of them what is public.
    assert "126 grants would be withdrawn" in message
    assert "everyone" in message
    # The sentences name some, the result everybody.
    assert refused.access["withdrawals"] == 126
    assert refused.output["needs_consent"] == [
        {"option": "max_withdrawals", "value": 126, "shares": ["exams", "lessons", "public-data"]}
    ]
    assert {effect["who"] for effect in refused.access["changes"]} == {None, "ann", "ben", *CLASS}
    with audit(user_agent=AGENT) as log:
        shown = modules.ok("share_acl", {**gone, "max_withdrawals": 126}, check=True, diff=True)
    assert not log.writes
    assert {request.verb for request in log.dry_runs} == {"delete"}
    assert len(log.dry_runs) == len(objects(cluster, namespace))
    done = modules.ok("share_acl", {**gone, "max_withdrawals": 126}, diff=True)
    for key in ("changed", "changes", "summary", "diff", "access"):
        assert getattr(shown, key) == getattr(done, key), key
    assert "everyone loses ro on public-data (share removed)" in done.diff["after"]
    assert done.acl["digest"] == shown.acl["digest"] == ""
    assert objects(cluster, namespace) == {}
    with audit(user_agent=AGENT) as log:
        assert not modules.ok("share_acl", gone).changed
    assert not log.writes


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_everything_wrong_with_the_input_at_once(cluster, namespace, modules, audit, tmp_path):
    wrong = [
        share("one", "private", read={"everyone": True}),
        share("two", "public", write={"everyone": True}),
        share("three", "sekret"),
        share("four", leval="public"),
        share("five", mount_path="data"),
        share("six", mount_path="/opt/app-root/src/six/../seven"),
        share("seven", mount_path="/opt/app-root"),
        share("eight", mount_path="/etc/eight"),
        share("nine", until="31.3.2027"),
        share("ten", size="10 GB"),
        share("one", "public"),
        share("Upper"),
    ]
    with audit(user_agent=AGENT) as log:
        result = modules.run("share_acl", options(namespace, wrong, groups={"hub:x": ["ann"], "all": ["*"]}))
    assert result.failed
    assert log.requests == ()
    message = result.output["msg"]
    for position in range(len(wrong)):
        assert f"shares[{position}]" in message, position
    for part in ("everyone", "secret", "level", "hub:x", "`*`", "2027", "already listed at shares[0]"):
        assert part in message, part
    assert {change["action"] for change in result.changes} == {"refuse"}
    assert not result.output["changed"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"shares": [share("a", read={"groups": ["clas"]})]}, "did you mean `class`?"),
        ({"shares": [share("a", mount_path="/opt/app-root/src/b/c"), share("b")]}, "inside"),
        ({"shares": [share("a"), share("b", mount_path="/opt/app-root/src/a")]}, "/opt/app-root/src/a"),
        ({"shares": None}, "neither `shares` nor `shares_file` is set"),
        ({"namespace": "Hub"}, "is not a valid name of a namespace"),
        ({"max_withdrawals": -2}, "max_withdrawals is -2"),
        ({"declassify": ["lesons"]}, "did you mean `lessons`?"),
    ],
)
def test_bad_input(modules, namespace, more, sentence):
    chosen = {**options(namespace, SHARES, groups=GROUPS), **more}
    assert sentence in modules.refused("share_acl", chosen)


# -- what stands is broken, or not understood --------------------------------------------------------------------------


def edit_index(cluster, namespace, change, mark=True):
    index = objects(cluster, namespace)[INDEX]
    data = json.loads(index["data"]["index.json"])
    change(data)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    body = {"data": {"index.json": text}}
    if mark:
        body["metadata"] = {"annotations": {DIGEST: digest_of(text)}}
    cluster.patch("configmaps", INDEX, body, namespace)


def test_a_newer_schema_is_rejected_with_its_writer(cluster, namespace, modules, audit, chosen):
    body = {
        "metadata": {"annotations": {"odh.persistency/schema": "2", "odh.persistency/writer": "odh.persistency 9.9.9"}}
    }
    cluster.patch("configmaps", INDEX, body, namespace)
    # Anybody can write an annotation. A run of a newer version writes the mark that belongs to its text.
    edit_index(cluster, namespace, lambda data: data.update(schema=2))
    assert modules.ok("share_acl", chosen).changed
    cluster.patch("configmaps", INDEX, body, namespace)
    edit_index(cluster, namespace, lambda data: data.update(schema=2))
    text = objects(cluster, namespace)[INDEX]["data"]["index.json"]
    mark = publication_mark(namespace, digest_of(text))
    cluster.patch("configmaps", INDEX, {"metadata": {"annotations": {PUBLICATION: mark}}}, namespace)
    published = objects(cluster, namespace)
    with audit(user_agent=AGENT) as log:
        for more in ({}, {"state": "absent"}, {"max_withdrawals": -1}):
            message = modules.refused("share_acl", {**chosen, **more})
            assert "schema 2, written by odh.persistency 9.9.9" in message
    assert not log.writes
    assert objects(cluster, namespace) == published


def break_text(cluster, namespace):
    cluster.patch("configmaps", INDEX, {"data": {"index.json": "{}"}}, namespace)


def break_annotation(cluster, namespace):
    cluster.patch("configmaps", INDEX, {"metadata": {"annotations": {DIGEST: "0" * 64}}}, namespace)


def edit_by_hand(cluster, namespace):
    edit_index(cluster, namespace, lambda data: data["members"].clear(), mark=False)


def lose_part(cluster, namespace):
    for name in parts(cluster, namespace):
        cluster.delete("configmaps", name, namespace)


def change_part(cluster, namespace):
    """Parts are immutable, so somebody must delete one first. Then any object may have its name."""
    for name in parts(cluster, namespace):
        found = objects(cluster, namespace)[name]
        cluster.delete("configmaps", name, namespace)
        metadata = {key: found["metadata"][key] for key in ("name", "labels", "annotations")}
        text = found["data"]["part.json"].replace("ann", "eve").replace("lessons", "exams")
        cluster.create("configmaps", {"metadata": metadata, "immutable": True, "data": {"part.json": text}}, namespace)


BREAKS = [break_text, break_annotation, edit_by_hand, lose_part, change_part]


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_acl_is_repaired_by_publishing_it_again(cluster, namespace, modules, chosen, broken):
    complete = read(cluster, namespace, "ann")
    broken(cluster, namespace)
    with pytest.raises(BrokenAcl):
        read(cluster, namespace, "ann")
    shown = modules.ok("share_acl", chosen, check=True, diff=True)
    result = modules.ok("share_acl", chosen, diff=True)
    assert result.changed
    for key in ("changed", "changes", "summary", "diff"):
        assert getattr(shown, key) == getattr(result, key), key
    assert any("was damaged" in warning for warning in result.warnings)
    assert read(cluster, namespace, "ann") == complete
    assert read(cluster, namespace, "ann").mode("lessons") == "rw"
    assert not modules.ok("share_acl", chosen).changed


@pytest.mark.parametrize("broken", BREAKS)
def test_replacing_a_damaged_acl_with_another_takes_consent(cluster, namespace, modules, audit, chosen, broken):
    """What the last run published is known from its parts. If they are gone too, nothing holds the operator back."""
    broken(cluster, namespace)
    wrong = {**chosen, "groups": {**GROUPS, "class": []}}
    yes = {"max_withdrawals": -1}
    if broken in (lose_part, change_part):
        assert "allow_empty" in modules.refused("share_acl", {**wrong, "shares": []})
        result = modules.ok("share_acl", wrong)
        assert any("was damaged" in text and "`max_withdrawals` holds nothing back" in text for text in result.warnings)
    else:
        message = assert_rejected(modules, cluster, namespace, audit, wrong, yes)
        assert "is published but damaged" in message
        assert "60 grants would be withdrawn" in message
        assert "(-1 for no limit)" in message
    assert read(cluster, namespace, "pupil01").mode("lessons") is None
    assert read(cluster, namespace, "ann").mode("lessons") == "rw"


def test_no_limit_for_a_damaged_acl_does_not_allow_to_empty_or_declassify_it(cluster, namespace, modules, chosen):
    edit_by_hand(cluster, namespace)
    over = {**chosen, "max_withdrawals": -1}
    assert "allow_empty" in modules.refused("share_acl", {**over, "shares": []})
    # The shares part can be read still, so levels are guarded.
    assert "declassify" in modules.refused("share_acl", {**over, "shares": changed("lessons", level="public", read={})})
    assert modules.refused("share_acl", {**chosen, "state": "absent"})
    modules.ok("share_acl", {**over, "state": "absent"})
    assert objects(cluster, namespace) == {}


def test_levels_are_remembered_without_the_index(cluster, namespace, modules, chosen):
    cluster.delete("configmaps", INDEX, namespace)
    lowered = {**chosen, "shares": changed("exams", level="private")}
    assert "exams is secret and would become private" in modules.refused("share_acl", lowered)
    assert modules.ok("share_acl", chosen).changed
    assert read(cluster, namespace, "ann").mode("lessons") == "rw"


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"labels": {"odh.persistency/kind": None}}},
        {"metadata": {"annotations": {"odh.persistency/published-at": "yesterday"}}},
        {"metadata": {"annotations": {"odh.persistency/schema": None}}},
        {"data": {"more": "text"}},
        {"binaryData": {"more": "AAAA"}},
        {"immutable": True},
    ],
    ids=["label", "published-at", "schema", "data", "binary", "immutable"],
)
def test_annotations_of_the_index_are_repaired(cluster, namespace, modules, chosen, body):
    clean = objects(cluster, namespace)[INDEX]
    cluster.patch("configmaps", INDEX, body, namespace)
    shown = modules.ok("share_acl", chosen, check=True)
    result = modules.ok("share_acl", chosen)
    assert shown.changes == result.changes
    assert result.actions() == {INDEX: "update"}
    found = objects(cluster, namespace)[INDEX]
    assert found["data"] == clean["data"]
    assert found["metadata"]["labels"] == clean["metadata"]["labels"]
    assert "binaryData" not in found
    assert not found.get("immutable")
    assert not modules.ok("share_acl", chosen).changed


def test_annotations_of_a_part_are_repaired(cluster, namespace, modules, chosen):
    names = sorted(parts(cluster, namespace))
    body = {"metadata": {"labels": {"odh.persistency/kind": None}, "annotations": {DIGEST: None}}}
    for name in names:
        cluster.patch("configmaps", name, body, namespace)
    assert modules.ok("share_acl", chosen).changed
    for name in names:
        marks = objects(cluster, namespace)[name]["metadata"]
        assert marks["labels"] == {"odh.persistency/kind": "acl-part"}
    assert not modules.ok("share_acl", chosen).changed


def test_foreign_config_maps_are_not_adopted(cluster, namespace, modules):
    cluster.create("configmaps", {"metadata": {"name": INDEX}, "data": {"mine": "yes"}}, namespace)
    chosen = options(namespace, SHARES, groups=GROUPS)
    result = modules.run("share_acl", chosen)
    assert result.failed
    assert "does not belong to this collection" in result.failed_items[0]["reason"]
    assert not result.failed_items[0]["retryable"]
    assert cluster.get("configmaps", INDEX, namespace)["data"] == {"mine": "yes"}


def test_only_what_is_named_like_a_part_is_ever_cleaned_up(cluster, namespace, modules, chosen):
    labels = {"odh.persistency/kind": "acl-part"}
    cluster.create("configmaps", {"metadata": {"name": "mine", "labels": labels}, "data": {"a": "b"}}, namespace)
    modules.ok("share_acl", {**chosen, "state": "absent", "max_withdrawals": -1})
    assert cluster.get("configmaps", "mine", namespace) is not None
