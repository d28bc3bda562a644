"""Who may edit claims, ConfigMaps or Groups, or is a member of a share: what they cannot do to the access list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._hub import access

from tests.support.access import HOME, TODAY, share, shares_part
from tests.support.acl import AGENT, DIGEST, INDEX, digest_of, objects, options, parts, read
from tests.support.acl import share as entry
from tests.support.cluster import wait_for

ROLE = Path(__file__).resolve().parents[2] / "roles" / "shares"
LEVEL = "odh.persistency/level"
USER = "hub.jupyter.org/username"
CROWD = [f"eve{number:02}" for number in range(60)]
SHARES = [
    entry("open", "public"),
    entry("lab", read={"users": ["ann", "ben"]}),
    entry("exams", "secret", read={"users": ["ann"]}),
]


def changed(name, **more):
    return [{**one, **more} if one["name"] == name else one for one in SHARES]


def existing(name, claim, **more):
    return entry(name, **{"read": {"users": ["cat"]}, **more}, backend={"type": "existing_claim", "claim": claim})


# -- the rules inside the hub ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim", ["claim-bob", "claim-bob--a1b2c3d4", "jupyterhub-nb-bob-pvc", "hub-db-dir", "jupyterhub-db"]
)
def test_a_hub_mounts_no_home_and_no_database_whatever_an_index_says(claim):
    part = shares_part(bad=share("public", claim), good=share("public", "notes"))
    decision = access.decide(part, None, access.SpawnRequest("eve", today=TODAY, home=HOME))
    assert [mount.claim for mount in decision.mounts] == ["notes"]
    (verdict,) = [one for one in decision.verdicts if one.share == "bad"]
    assert verdict.outcome == "-"
    assert "not mounted: its claim is " in verdict.rule
    assert claim not in verdict.rule, "the name of a user is nobody's business"


# -- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["acl", "jsp"])
def test_a_claim_that_becomes_a_home_is_left_out_in_every_run(cluster, namespace, modules, audit, form):
    """The claim `homes-of-bob` is granted while it does not exist, and then becomes Bob's home."""
    chosen = options(namespace, [*SHARES, existing("t", "homes-of-bob")], format=form, max_withdrawals=0)
    modules.ok("share_acl", chosen)
    cluster.make_claim(namespace, "homes-of-bob")
    cluster.patch("persistentvolumeclaims", "homes-of-bob", {"metadata": {"annotations": {USER: "bob"}}}, namespace)
    shown = modules.ok("share_acl", chosen, check=True)
    result = modules.ok("share_acl", chosen)
    assert result.changed
    assert shown.changes == result.changes
    assert any("cat loses ro on t (claim homes-of-bob is the home of bob)" in one["reason"] for one in result.changes)
    (item,) = [one for one in result.unreconcilable if one["name"] == "t"]
    assert "left out" in item["reason"]
    assert "the home of bob" in item["reason"]
    if form == "acl":
        assert read(cluster, namespace, "cat").mode("t") is None
        assert read(cluster, namespace, "ann").mode("lab") == "ro"
    with audit(user_agent=AGENT) as log:
        again = modules.ok("share_acl", chosen)
    assert not again.changed
    assert any(one["name"] == "t" for one in again.unreconcilable)
    assert not log.writes
    # It is granted again when the claim is a share's again, and then the next run has nothing to do.
    cluster.patch("persistentvolumeclaims", "homes-of-bob", {"metadata": {"annotations": {USER: None}}}, namespace)
    assert any("cat gains ro on t" in one["reason"] for one in modules.ok("share_acl", chosen).changes)
    assert not modules.ok("share_acl", chosen).changed


def test_what_is_no_share_is_not_granted_anew_and_blocks_no_withdrawal(cluster, namespace, modules, tmp_path):
    block = {"volumeMode": "Block"}
    cluster.make_claim(namespace, "raw", **block)
    cluster.make_claim(namespace, "pvc-of-bob")
    cluster.patch("persistentvolumeclaims", "pvc-of-bob", {"metadata": {"annotations": {USER: "bob"}}}, namespace)
    cluster.make_claim(namespace, "copy", dataSource={"kind": "PersistentVolumeClaim", "name": "pvc-of-bob"})
    cluster.make_claim(namespace, "copy2", dataSource={"kind": "PersistentVolumeClaim", "name": "copy"})
    cluster.make_claim(namespace, "filled", dataSourceRef={"apiGroup": "x.example.org", "kind": "Restore", "name": "r"})
    cluster.make_claim(namespace, "lost", dataSource={"kind": "PersistentVolumeClaim", "name": "nobody"})
    cluster.make_claim(namespace, "going")
    pod = cluster.make_pod(namespace, "going", node="nowhere")
    cluster.delete("persistentvolumeclaims", "going", namespace)
    sentences = {
        "raw": "a raw block device",
        "copy": "a copy of claim pvc-of-bob, which is the home of bob",
        "copy2": "a copy of claim copy, which is a copy of claim pvc-of-bob, which is the home of bob",
        "filled": "filled from Restore r (x.example.org), which may hold a home",
        "lost": "a copy of claim nobody, and whether that is a home is unknown: claim nobody does not exist",
        "going": "being deleted",
        "claim-zoe": "a home by its name",
    }
    bad = [existing(f"s{number}", claim) for number, claim in enumerate(sentences)]
    modules.ok("share_acl", options(namespace, SHARES))
    message = modules.refused("share_acl", options(namespace, [*SHARES, *bad]))
    for claim, sentence in sentences.items():
        assert f"claim {claim}, which is {sentence}" in message, claim
    # Somebody else makes such claims, and no withdrawal waits for that: what is new is left out.
    less = [*changed("lab", read={"users": ["ben"]}), *bad]
    result = modules.ok("share_acl", options(namespace, less))
    assert read(cluster, namespace, "ann").mode("lab") is None
    assert read(cluster, namespace, "cat").mode("s0") is None
    assert {one["name"] for one in result.unreconcilable} == {one["name"] for one in bad}
    assert not modules.ok("share_acl", options(namespace, less)).changed
    cluster.delete("pods", pod, namespace, gracePeriodSeconds=0)


def test_a_login_that_may_not_read_claims_grants_nothing_new(cluster, namespace, modules, restricted_user):
    modules.ok("share_acl", options(namespace, SHARES))
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch", "delete"]}]
    login = restricted_user(rules)
    result = modules.ok("share_acl", options(namespace, SHARES), kubeconfig=login)
    assert not result.changed
    assert {one["name"] for one in result.unreconcilable} == {"open", "lab", "exams"}
    assert "may not get persistentvolumeclaims" in result.unreconcilable[0]["reason"]
    more = [*SHARES, entry("more", "public")]
    assert "cannot be read" in modules.refused("share_acl", options(namespace, more), kubeconfig=login)
    less = changed("lab", read={"users": ["ben"]})
    assert modules.ok("share_acl", options(namespace, less), kubeconfig=login).changed
    assert read(cluster, namespace, "ann").mode("lab") is None


# -- levels -----------------------------------------------------------------------------------------------------------


def mark(cluster, namespace, claim, level):
    labels = {"odh.persistency/kind": "share", "odh.persistency/share": claim}
    body = {"metadata": {"name": claim, "labels": labels, "annotations": {LEVEL: level}}}
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.create("persistentvolumeclaims", {**body, "spec": spec}, namespace)


def lose_all(cluster, namespace):
    for name in objects(cluster, namespace):
        cluster.delete("configmaps", name, namespace)


def test_no_way_around_lowers_a_level(cluster, namespace, modules):
    mark(cluster, namespace, "exams", "secret")
    opened = options(namespace, changed("exams", level="public", read={}))
    sentence = "exams is secret and would become public"
    modules.ok("share_acl", options(namespace, SHARES))
    assert sentence in modules.refused("share_acl", opened)
    assert sentence in modules.refused("share_acl", {**opened, "format": "jsp"})
    # Off the list and back, under its name and under another one.
    modules.ok("share_acl", options(namespace, SHARES[:2]))
    assert sentence in modules.refused("share_acl", opened)
    other = options(namespace, [*SHARES[:2], existing("tests", "exams", level="public", read={})])
    assert "exams, which is the claim of the share exams" in modules.refused("share_acl", other)
    lose_all(cluster, namespace)
    assert sentence in modules.refused("share_acl", opened)
    refused = modules.run("share_acl", opened)
    assert refused.needs_consent == [{"option": "declassify", "value": ["exams"], "shares": ["exams"]}]
    modules.ok("share_acl", {**opened, "declassify": ["exams"]})
    result = modules.ok("share_acl", opened)
    assert not result.changed
    assert any("exams" in one["reason"] for one in result.unreconcilable)


def test_the_format_in_the_same_edit_lowers_no_level_without_marks(cluster, namespace, modules):
    modules.ok("share_acl", options(namespace, SHARES))
    opened = options(namespace, changed("exams", level="private"))
    assert "exams is secret and would become private" in modules.refused("share_acl", {**opened, "format": "jsp"})
    modules.ok("share_acl", options(namespace, SHARES, format="jsp"))
    lose_all(cluster, namespace)
    assert "exams is secret and would become private" in modules.refused("share_acl", opened), "the profiles say so"


def test_marks_of_others_block_no_withdrawal(cluster, namespace, modules):
    """A namespace editor marks public data as secret."""
    modules.ok("share_acl", options(namespace, SHARES))
    mark(cluster, namespace, "open", "secret")
    less = options(namespace, changed("lab", read={"users": ["ben"]}))
    result = modules.ok("share_acl", less)
    assert read(cluster, namespace, "ann").mode("lab") is None
    assert read(cluster, namespace, "ann").mode("open") == "ro"
    assert [one["name"] for one in result.unreconcilable] == ["open"]


# -- ConfigMaps -------------------------------------------------------------------------------------------------------


def forge(cluster, namespace, change, *, remove=False):
    """Write an ACL as somebody who knows its form: new parts, and an index with the right digests."""
    index = objects(cluster, namespace)[INDEX]
    content = json.loads(index["data"]["index.json"])
    texts = {"shares": None, "members": None}
    for name, found in objects(cluster, namespace).items():
        if name == INDEX:
            continue
        kind = "shares" if "-shares-" in name else "members"
        if content[kind] == digest_of(found["data"]["part.json"]) or kind == "members":
            texts[kind] = json.loads(found["data"]["part.json"])
    change(texts["shares"]["shares"], texts["members"]["people"])
    if remove:
        lose_all(cluster, namespace)
    made = {}
    for kind, data in texts.items():
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        made[kind] = digest_of(text)
        name = f"{INDEX}-{kind}-{'all-' if kind == 'members' else ''}{made[kind][:16]}"
        metadata = {"name": name, "labels": {"odh.persistency/kind": "acl-part"}}
        cluster.create("configmaps", {"metadata": metadata, "data": {"part.json": text}}, namespace)
    content.update(shares=made["shares"], members={"": made["members"]})
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    if remove:
        annotations = {**index["metadata"]["annotations"], DIGEST: digest_of(text)}
        metadata = {"name": INDEX, "labels": index["metadata"]["labels"], "annotations": annotations}
        cluster.create("configmaps", {"metadata": metadata, "data": {"index.json": text}}, namespace)
        return
    body = {"metadata": {"annotations": {DIGEST: digest_of(text)}}, "data": {"index.json": text}}
    cluster.patch("configmaps", INDEX, body, namespace)


def intrude(shares, people):
    shares["exams"]["level"] = "private"
    shares["lab"]["level"] = "secret"
    shares["mine"] = {**shares["lab"], "claim": "homes", "mount_path": "/opt/app-root/src/mine"}
    for who in CROWD:
        people[who] = {"write": ["lab"]}
    del people["ben"]


@pytest.mark.parametrize("remove", [False, True], ids=["added", "replaced"])
def test_the_next_run_restores_what_an_intruder_changed(cluster, namespace, modules, remove):
    chosen = options(namespace, SHARES, max_withdrawals=1)
    modules.ok("share_acl", chosen)
    forge(cluster, namespace, intrude, remove=remove)
    assert read(cluster, namespace, "eve07").mode("lab") == "rw"
    # Also with an edit of the inventory in the same run.
    edited = {**chosen, "shares": changed("lab", read={"users": ["ann"]})}
    result = modules.ok("share_acl", edited, check=True)
    assert any("eve07" in one["reason"] for one in result.changes)
    result = modules.ok("share_acl", chosen)
    assert any("somebody changed it" in warning for warning in result.warnings)
    assert read(cluster, namespace, "eve07").mode("lab") is None
    assert read(cluster, namespace, "ben").mode("lab") == "ro"
    assert set(read(cluster, namespace, "ann").shares) == {"open", "lab", "exams"}
    assert read(cluster, namespace, "ann").shares["exams"]["level"] == "secret"
    assert not modules.ok("share_acl", chosen).changed


def test_guards_hold_for_what_the_inventory_drops_while_somebody_intrudes(cluster, namespace, modules):
    chosen = options(namespace, SHARES, max_withdrawals=1)
    modules.ok("share_acl", chosen)
    forge(cluster, namespace, intrude)
    dropped = {**chosen, "shares": [SHARES[0], SHARES[2]]}
    message = modules.refused("share_acl", dropped)
    assert "2 grants would be withdrawn" in message
    assert "lab from ann and ben" in message
    lowered = {**chosen, "shares": changed("exams", level="private")}
    assert "exams is secret and would become private" in modules.refused("share_acl", lowered)
    assert "allow_empty" in modules.refused("share_acl", {**chosen, "shares": []})


BREAKS = {
    "schema": {"metadata": {"annotations": {"odh.persistency/schema": "99"}}},
    "text": {"data": {"index.json": '{"schema":99}'}},
    "broken": {"data": {"index.json": "{"}},
    "label": {"metadata": {"labels": {"odh.persistency/kind": "share"}}},
    "no marks": {"metadata": {"labels": None, "annotations": None}},
}


@pytest.mark.parametrize("body", BREAKS.values(), ids=BREAKS)
def test_nothing_in_an_index_makes_the_next_run_refuse(cluster, namespace, modules, body):
    modules.ok("share_acl", options(namespace, SHARES))
    cluster.patch("configmaps", INDEX, body, namespace)
    modules.ok("share_acl", options(namespace, changed("lab", read={"users": ["ben"]})))
    assert read(cluster, namespace, "ann").mode("lab") is None
    assert read(cluster, namespace, "ben").mode("lab") == "ro"


@pytest.mark.parametrize("finalizer", [False, True], ids=["label", "finalizer"])
def test_absent_means_that_no_acl_stands(cluster, namespace, modules, finalizer):
    modules.ok("share_acl", options(namespace, SHARES))
    for name in objects(cluster, namespace):
        cluster.patch("configmaps", name, {"metadata": {"labels": None}}, namespace)
    if finalizer:
        cluster.patch("configmaps", INDEX, {"metadata": {"finalizers": ["example.org/keep"]}}, namespace)
        cluster.delete("configmaps", INDEX, namespace)
    gone = options(namespace, [], state="absent")
    assert modules.ok("share_acl", gone, check=True).changed
    assert modules.ok("share_acl", gone).changed
    wait_for(lambda: objects(cluster, namespace) == {}, "the ACL is gone")
    assert not modules.ok("share_acl", gone).changed
    modules.ok("share_acl", options(namespace, SHARES, format="jsp"))
    cluster.patch("configmaps", "odh-persistency-shares-profiles", {"metadata": {"labels": None}}, namespace)
    assert modules.ok("share_acl", {**gone, "format": "jsp"}).changed
    assert cluster.get("configmaps", "odh-persistency-shares-profiles", namespace) is None


def test_an_index_that_is_somebody_elses_is_said_and_left(cluster, namespace, modules):
    cluster.create("configmaps", {"metadata": {"name": INDEX}, "data": {"mine": "yes"}}, namespace)
    result = modules.ok("share_acl", options(namespace, [], state="absent"))
    assert not result.changed
    assert any(
        "does not belong to this collection" in text and "delete or rename it" in text for text in result.warnings
    )
    assert cluster.get("configmaps", INDEX, namespace)["data"] == {"mine": "yes"}


def test_parts_without_labels_are_found_by_the_index(cluster, namespace, modules):
    chosen = options(namespace, SHARES, max_withdrawals=0)
    modules.ok("share_acl", chosen)
    for name in parts(cluster, namespace):
        cluster.patch("configmaps", name, {"metadata": {"labels": None}}, namespace)
    message = modules.refused("share_acl", {**chosen, "shares": changed("lab", read={"users": ["ben"]})})
    assert "1 grant would be withdrawn" in message
    assert modules.ok("share_acl", chosen).changed
    assert not modules.ok("share_acl", chosen).changed


# -- Groups -----------------------------------------------------------------------------------------------------------


def test_a_group_that_nobody_can_read_blocks_no_withdrawal(cluster, namespace, modules):
    if not cluster.serves_groups():
        pytest.skip("the cluster has no Groups of user.openshift.io")
    group = cluster.make_group(["dan", "ann"])
    with_group = changed("lab", read={"users": ["ann", "ben"], "groups": [f"openshift:{group}"]})
    modules.ok("share_acl", options(namespace, with_group))
    cluster.delete("groups", group)
    less = changed("lab", read={"users": ["ann"], "groups": [f"openshift:{group}"]})
    result = modules.ok("share_acl", options(namespace, less))
    assert read(cluster, namespace, "ben").mode("lab") is None
    assert read(cluster, namespace, "dan").mode("lab") == "ro", "a Group that cannot be read is not an empty one"
    assert any(f"openshift:{group} cannot be read" in one["reason"] for one in result.unreconcilable)
    assert not modules.ok("share_acl", options(namespace, less)).changed


def test_a_huge_name_in_a_group_blocks_no_withdrawal(cluster, namespace, modules):
    if not cluster.serves_groups():
        pytest.skip("the cluster has no Groups of user.openshift.io")
    group = cluster.make_group(["dan"])
    with_group = changed("lab", read={"users": ["ann", "ben"], "groups": [f"openshift:{group}"]})
    modules.ok("share_acl", options(namespace, with_group))
    cluster.patch("groups", group, {"users": ["dan", "x" * 530_000]})
    less = changed("lab", read={"users": ["ann"], "groups": [f"openshift:{group}"]})
    result = modules.ok("share_acl", options(namespace, less))
    assert read(cluster, namespace, "ben").mode("lab") is None
    assert read(cluster, namespace, "dan").mode("lab") == "ro"
    (reason,) = [one["reason"] for one in result.unreconcilable if f"openshift:{group} cannot be read" in one["reason"]]
    assert "(530000 characters), which is longer than 1024 bytes; correct the Group" in reason
    assert len(reason) < 500
    cluster.patch("groups", group, {"users": ["x" * 1024]})
    modules.ok("share_acl", options(namespace, less))
    assert read(cluster, namespace, "x" * 1024).mode("lab") == "ro"
    cluster.delete("groups", group)


# -- the role ---------------------------------------------------------------------------------------------------------


def test_a_failure_of_directories_does_not_delay_the_access_list():
    """Whatever happens to directories after the preflight, such as a full quota: the list is written, and then the run fails."""
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    tasks = next(task["block"] for task in tasks if task["name"] == "Apply")
    names = [next((key for key in task if "." in key), "") for task in tasks]
    directories = names.index("odh.persistency.share_directory")
    acl = names.index("odh.persistency.share_acl")
    failure = names.index("ansible.builtin.fail")
    deletion = len(names) - 1 - names[::-1].index("odh.persistency.share_pvc")
    assert tasks[directories]["failed_when"] is False
    assert directories < acl < failure < deletion
    assert "shares_result_directories.msg" in tasks[failure]["when"]


# -- ConfigMaps that are in the way -----------------------------------------------------------------------------------

KEPT = {"finalizers": ["example.org/keep"]}


@pytest.mark.parametrize("how", ["label", "finalizer"])
def test_a_config_map_with_the_name_of_a_part_stops_no_withdrawal(cluster, namespace, modules, how):
    """Names of parts can be computed, so somebody creates the next ones first."""
    less = options(namespace, changed("lab", read={"users": ["ben"]}))
    modules.ok("share_acl", less)
    names = parts(cluster, namespace)
    lose_all(cluster, namespace)
    modules.ok("share_acl", options(namespace, SHARES))
    for name in names - parts(cluster, namespace):
        metadata = {"name": name, **({"labels": {"a": "b"}} if how == "label" else KEPT)}
        cluster.create("configmaps", {"metadata": metadata, "data": {"part.json": "{}"}}, namespace)
        if how == "finalizer":
            cluster.delete("configmaps", name, namespace)
    modules.ok("share_acl", less)
    assert read(cluster, namespace, "ann").mode("lab") is None
    assert not modules.ok("share_acl", less).changed


def test_an_index_that_somebody_replaced_by_another_config_map_is_restored(cluster, namespace, modules):
    modules.ok("share_acl", options(namespace, SHARES))
    cluster.delete("configmaps", INDEX, namespace)
    cluster.create("configmaps", {"metadata": {"name": INDEX}, "data": {"mine": "yes"}}, namespace)
    modules.ok("share_acl", options(namespace, SHARES))
    assert read(cluster, namespace, "ben").mode("lab") == "ro"


@pytest.mark.parametrize("state", ["present", "absent"])
def test_finalizers_and_immutable_config_maps_hold_nothing_up(cluster, namespace, modules, state):
    chosen = options(namespace, SHARES if state == "present" else [], state=state)
    modules.ok("share_acl", options(namespace, SHARES))
    for name in objects(cluster, namespace):
        cluster.patch("configmaps", name, {"immutable": True, "metadata": KEPT}, namespace)
        cluster.delete("configmaps", name, namespace)
    assert modules.ok("share_acl", chosen, check=True).changed
    modules.ok("share_acl", chosen)
    assert all("deletionTimestamp" not in found["metadata"] for found in objects(cluster, namespace).values())
    assert bool(objects(cluster, namespace)) == (state == "present")
    assert not modules.ok("share_acl", chosen).changed


# -- singleuser-profiles ----------------------------------------------------------------------------------------------

PROFILES = "odh-persistency-shares-profiles"
YAML_KEY = "jupyterhub-singleuser-profiles.yaml"
LESS = changed("lab", read={"users": ["ben"]})


def edits(cluster, namespace):
    """What an editor of ConfigMaps does to the profiles, by name: the body of a patch."""
    found = cluster.get("configmaps", PROFILES, namespace)
    others = {key: None for key in found["data"] if key != YAML_KEY}
    unmarked = {"labels": {"odh.persistency/kind": None}, "annotations": None}
    return {
        "marks": {"metadata": unmarked, "data": others},
        "immutable": {"immutable": True, "metadata": KEPT},
        "finalizer": {"metadata": KEPT},
        "finalizer, deleted": {"metadata": KEPT},
        "all, deleted": {"immutable": True, "metadata": {**unmarked, **KEPT}, "data": others},
        "binary": {"data": {YAML_KEY: None}, "binaryData": {YAML_KEY: "e30="}},
        "escape": {"data": {YAML_KEY: '{"profiles": ["\\Uffffffff"]}'}},
    }


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    "how", ["marks", "immutable", "finalizer", "finalizer, deleted", "all, deleted", "binary", "escape"]
)
def test_nothing_in_profiles_holds_up_a_withdrawal(cluster, namespace, modules, how, state):
    modules.ok("share_acl", options(namespace, SHARES, format="jsp"))
    cluster.patch("configmaps", PROFILES, edits(cluster, namespace)[how], namespace)
    if "deleted" in how:
        cluster.delete("configmaps", PROFILES, namespace)
    chosen = options(namespace, LESS if state == "present" else [], state=state, format="jsp")
    assert modules.ok("share_acl", chosen, check=True).changed
    modules.ok("share_acl", chosen)
    found = cluster.get("configmaps", PROFILES, namespace)
    if state == "absent":
        assert found is None
    else:
        assert "deletionTimestamp" not in found["metadata"]
        assert "binaryData" not in found
        assert found["metadata"]["labels"] == {
            "jupyterhub": "singleuser-profiles",
            "odh.persistency/kind": "acl-profiles",
        }
        assert "ann" not in found["data"][YAML_KEY]
        assert "ben" in found["data"][YAML_KEY]
    assert not modules.ok("share_acl", chosen).changed


def test_unreadable_profiles_grant_no_claim(cluster, namespace, modules):
    modules.ok("share_acl", options(namespace, SHARES, format="jsp"))
    cluster.patch("configmaps", PROFILES, edits(cluster, namespace)["escape"], namespace)
    assert not modules.ok(
        "user_pvc", {"namespace": namespace, "users": ["ann"], "state": "present", "size": "1Gi"}, check=True
    ).failed


def test_a_group_that_nobody_can_read_keeps_its_members_in_profiles(cluster, namespace, modules):
    if not cluster.serves_groups():
        pytest.skip("the cluster has no Groups of user.openshift.io")
    group = cluster.make_group(["dan"])
    grants = {"users": ["ann", "ben"], "groups": [f"openshift:{group}"]}
    modules.ok("share_acl", options(namespace, changed("lab", read=grants), format="jsp"))
    # Their profiles would exceed the limit of a ConfigMap.
    cluster.patch("groups", group, {"users": [f"a-name-of-some-length-{number:06}" for number in range(30_000)]})
    less = options(namespace, changed("lab", read={**grants, "users": ["ann"]}), format="jsp")
    result = modules.ok("share_acl", less)
    (reason,) = [one["reason"] for one in result.unreconcilable if f"openshift:{group} cannot be read" in one["reason"]]
    assert "with its 30000 members, the profiles take" in reason
    assert reason.endswith("stay those of the last run")
    users = '"users": [\n    "ann",\n    "dan"\n   ]'
    assert users in cluster.get("configmaps", PROFILES, namespace)["data"][YAML_KEY]
    assert not modules.ok("share_acl", less).changed
    cluster.delete("groups", group)
    assert not modules.ok("share_acl", less).changed
    assert modules.ok("share_acl", {**less, "shares": LESS}).changed
    assert "dan" not in str(cluster.get("configmaps", PROFILES, namespace)["data"])
