"""Running servers against the ACL: excess, missing and stale access, and which servers are stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import Acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import PublishedAcl
from ansible_collections.odh.persistency.plugins.module_utils._core.hub_activity import HubUsers
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.slugs import safe_pair
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import KEEP, STOP, UPDATE
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access import ReportContext
from ansible_collections.odh.persistency.plugins.module_utils._core.report.servers import server_rows, servers_text
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.comparison import (
    Comparison,
    Finding,
    Grants,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.hub_match import HubServers
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.plan import (
    NO_LIMIT,
    ComparedServer,
    RevocationSettings,
    consent_error,
    mark,
    plan_revocation,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.pods import (
    MountedClaim,
    ServerPod,
    server_pod_from,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.observed_claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._io.hub.client import _user

from tests.support.access import TODAY, members_part, share, shares_part
from tests.support.servers import home_claim, hub_user, mount, server_pod, share_claim, spawned

NOW = datetime(2027, 3, 31, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
HOME = "/home/jovyan"


def pod_of(*mounts, user="ann", **more):
    pod = server_pod_from(server_pod(user, mounts=mounts, **more))
    assert pod is not None
    return pod


def acl_of(shares, **people):
    return Acl(shares_part(**shares), members_part(**people)["people"])


def compare(acl, pod, claims=(), home="", groups=()):
    """Compare a pod; without `claims` those of all shares exist as they should."""
    observed = claims or [share_claim(one["claim"], name) for name, one in acl.by_name.items()]
    by_name = {item["name"]: claim_from({"metadata": item}) for item in observed}
    return Grants(acl, by_name, ReportContext(TODAY, home, (), {pod.user: groups})).compare(pod)


def reasons(findings):
    return [finding.reason for finding in findings]


PAPERS = acl_of({"papers": share(path=f"{HOME}/papers")}, ann={"read": ["papers"]}, bob={"write": ["papers"]})


# --- What a pod tells -----------------------------------------------------------------------------------------------------


def test_a_mount_is_writable_if_neither_the_volume_nor_the_mount_is_read_only():
    for mode, volume, expected in [("ro", {}, "ro"), ("rw", {"readOnly": True}, "ro"), ("rw", {}, "rw")]:
        pod = pod_of(mount("papers", mode, **volume))
        assert pod.mounts == {"papers": MountedClaim(expected, (f"{HOME}/papers",))}


@pytest.mark.parametrize("kind", ["initContainers", "containers", "ephemeralContainers"])
def test_mounts_of_every_container_count(kind):
    item = server_pod("ann", mounts=[mount("papers")])
    volume, place = mount("data", "rw", "/data/")
    item["spec"]["volumes"].append(volume)
    item["spec"].setdefault(kind, []).append({"name": "other", "volumeMounts": [place]})
    item["spec"][kind].append({"name": "more", "volumeDevices": [{"name": "volume-papers", "devicePath": "/dev/x"}]})
    pod = server_pod_from(item)
    assert pod is not None
    assert pod.mounts["data"] == MountedClaim("rw", ("/data",))
    assert pod.mounts["papers"] == MountedClaim("rw", ("/dev/x", f"{HOME}/papers"))


def test_a_volume_that_no_container_mounts_gives_no_access():
    item = server_pod("ann", mounts=[mount("papers")])
    item["spec"]["containers"][0]["volumeMounts"] = []
    assert server_pod_from(item).mounts == {}


def test_the_environment_says_whose_server_it_is_because_annotations_can_be_changed():
    pod = pod_of(server="lab", annotations={"hub.jupyter.org/username": "bob"})
    assert (pod.user, pod.server) == ("ann", "lab")
    assert reasons(compare(PAPERS, pod).stale) == [
        "has annotations that name 'bob', server 'lab', which the hub did not write"
    ]
    item = server_pod("ann", server="lab")
    item["spec"]["containers"][0]["env"] = []
    assert server_pod_from(item).user == "ann"
    item["metadata"]["annotations"] = {}
    assert server_pod_from(item) is None


def test_an_environment_of_a_sidecar_does_not_hide_that_of_the_notebook():
    item = server_pod("ann")
    item["spec"]["containers"].insert(0, {"name": "sidecar", "env": [{"name": "JUPYTERHUB_USER", "value": "bob"}]})
    assert server_pod_from(item).user == "ann"


def test_pods_that_have_finished_mount_nothing():
    for phase, is_one in [("Pending", True), ("Running", True), ("Succeeded", False), ("Failed", False)]:
        assert (server_pod_from({**server_pod("ann"), "status": {"phase": phase}}) is not None) == is_one


def test_the_stamp_is_only_shown():
    for text, digest in [('{"acl":"abc"}', "abc"), ("{}", ""), ("[1]", ""), ("no json", ""), ('{"acl":1}', "")]:
        assert pod_of(annotations={"odh.persistency/granted": text}).acl == digest


# --- Differences ----------------------------------------------------------------------------------------------------------


def test_what_is_granted_is_no_difference():
    assert compare(PAPERS, pod_of(mount("papers"))) == Comparison()
    assert compare(PAPERS, pod_of(mount("papers", "rw"), user="bob")) == Comparison()


def test_excess_names_the_share_the_mode_and_the_reason():
    (found,) = compare(PAPERS, pod_of(mount("papers", "rw"))).excess
    assert found.as_result() == {
        "claim": "papers",
        "share": "papers",
        "mounted": "rw",
        "granted": "ro",
        "reason": "mounts share papers read and write, but is granted read only, named directly",
    }
    (found,) = compare(PAPERS, pod_of(mount("papers"), user="eve")).excess
    assert (found.mounted, found.granted) == ("ro", "")
    assert found.reason == "mounts share papers read only, but it is granted to others only"


def test_an_expired_share_is_excess_from_the_next_day_on():
    for until, expected in [(TODAY, []), (TODAY - timedelta(1), ["its last day was 2027-03-30"])]:
        acl = acl_of({"papers": share("public", path=f"{HOME}/papers", until=until.isoformat())})
        found = compare(acl, pod_of(mount("papers"))).excess
        assert [finding.reason.partition(", but ")[2] for finding in found] == expected


def test_a_share_that_the_acl_does_not_have_is_excess():
    found = compare(PAPERS, pod_of(mount("old")), [share_claim("old")])
    assert reasons(found.excess) == ["mounts claim old of share 'old', which the ACL does not have"]


@pytest.mark.parametrize(
    "claims",
    [
        [{"name": "old"}],
        [{"name": "old", "labels": {"odh.persistency/kind": "share"}, "annotations": {}}],
        [home_claim("old", "ann")],
        [{"name": "other"}],
    ],
    ids=["without marks", "a share without a name", "marked as a home of the user", "deleted"],
)
def test_a_withdrawn_share_is_excess_whatever_the_marks_of_its_claim_are(claims):
    (found,) = compare(PAPERS, pod_of(spawned("old", "rw")), claims).excess
    assert (found.claim, found.share, found.mounted, found.granted) == ("old", "", "rw", "")
    assert "of share ''" in found.reason or found.reason == (
        "mounts claim old as a share, and no share of the ACL has this claim"
    )


def test_the_name_of_a_volume_counts_for_its_own_claim_and_withdraws_no_grant():
    assert compare(PAPERS, pod_of(spawned("papers")), [{"name": "papers"}]).excess == ()
    (volume, place), (other, _place) = spawned("tools"), spawned("old")
    renamed = (volume | {"name": other["name"]}, place | {"name": other["name"]})
    for one in (mount("tools"), renamed):
        assert compare(PAPERS, pod_of(one), [{"name": "tools"}]).excess == ()
    item = server_pod("ann", mounts=[spawned("tools")])
    item["spec"]["containers"][0]["volumeMounts"] = []
    assert compare(PAPERS, server_pod_from(item), [{"name": "tools"}]).excess == ()


def test_homes_of_others_and_databases_are_excess_whatever_the_acl_says():
    acl = acl_of({"trap": share("public", "team"), "more": share("public", "hub-db-dir")})
    claims = [home_claim("team", "bob"), {"name": "hub-db-dir"}, home_claim("claim-ann", "ann")]
    pod = pod_of(mount("team"), mount("hub-db-dir"), mount("claim-ann", "rw", HOME))
    assert reasons(compare(acl, pod, claims).excess) == [
        "mounts claim hub-db-dir, the database of a hub by its name",
        "mounts claim team, the home of 'bob'",
    ]


def test_the_database_of_a_hub_is_excess_by_its_label_whatever_its_name():
    claims = [{"name": "lab-database", "labels": {"component": "hub"}}]
    found = compare(acl_of({}), pod_of(mount("lab-database")), claims)
    assert reasons(found.excess) == ["mounts claim lab-database, the database of a hub by its label"]


def test_a_name_alone_is_no_excess():
    claims = [{"name": "claim-bob"}, {"name": "tools"}, home_claim("mine", "ann", "lab")]
    found = compare(acl_of({}), pod_of(mount("claim-bob"), mount("tools"), mount("mine"), mount("gone")), claims)
    assert found.excess == ()
    assert reasons(found.stale) == ["mounts claim gone, which does not exist any more"]
    unowned = {"name": "claim-x", "labels": {"odh.persistency/kind": "home"}}
    found = compare(acl_of({}), pod_of(mount("claim-x")), [unowned])
    assert (found.excess, len(found.stale)) == ((), 1)


def test_secret_shares_count_as_requested_when_they_are_mounted():
    acl = acl_of(
        {"plan": share("secret", path=f"{HOME}/plan"), "papers": share(path=f"{HOME}/papers")},
        ann={"read": ["plan"], "write": ["papers"]},
    )
    assert compare(acl, pod_of(mount("papers", "rw"))) == Comparison()
    assert compare(acl, pod_of(mount("plan"), mount("papers"))) == Comparison()
    (found,) = compare(acl, pod_of(mount("plan"), mount("papers", "rw"))).excess
    assert found.share == "papers"
    assert "read only while the secret share plan is mounted" in found.reason
    (found,) = compare(acl, pod_of(mount("plan"), user="eve")).excess
    assert found.share == "plan"


def test_missing_is_what_a_new_server_would_get():
    assert reasons(compare(PAPERS, pod_of()).missing) == [
        "does not mount share papers, which is granted read only, named directly"
    ]
    (found,) = compare(PAPERS, pod_of(mount("papers"), user="bob")).missing
    assert (found.mounted, found.granted) == ("ro", "rw")
    assert compare(PAPERS, pod_of(), [share_claim("papers", "other")]).missing == ()
    assert compare(PAPERS, pod_of(), home="/elsewhere").missing == ()
    assert compare(PAPERS, pod_of(mount("papers")), home="/elsewhere") == Comparison()


def test_groups_of_the_hub_are_those_of_now():
    acl = acl_of({"papers": share(path=f"{HOME}/papers", read=["hub:team"])})
    assert compare(acl, pod_of(mount("papers")), groups=["team"]) == Comparison()
    assert len(compare(acl, pod_of(mount("papers")), groups=["other"]).excess) == 1


def test_another_path_group_or_mark_is_stale():
    acl = acl_of({"papers": share("public", path=f"{HOME}/papers", gid=7000)})
    pod = pod_of(mount("papers", path="/old"), spec={"securityContext": {"supplementalGroups": [1], "fsGroup": 2}})
    found = compare(acl, pod, [{"name": "papers"}])
    assert (found.excess, found.missing) == ((), ())
    assert reasons(found.stale) == [
        "mounts claim papers, which is not marked as share papers any more",
        f"mounts share papers at /old instead of {HOME}/papers",
        "runs without group 7000 of share papers",
    ]
    for security in ({"supplementalGroups": [7000]}, {"fsGroup": 7000}, {"runAsGroup": 7000}):
        assert compare(acl, pod_of(mount("papers"), spec={"securityContext": security})) == Comparison()


# --- The hub --------------------------------------------------------------------------------------------------------------

CREATED = "2027-03-30T12:00:30Z"


def doubts(pods, *users, complete=True):
    known = HubServers(HubUsers({user["name"]: _user(user) for user in users}, complete), pods)
    return [known.reason_not_to_stop(pod) for pod in pods]


def test_a_pod_that_the_hub_created_when_it_started_the_server_is_confirmed():
    pods = [pod_of(creationTimestamp=CREATED), pod_of(server="lab", creationTimestamp=CREATED)]
    assert doubts(pods, hub_user("ann", servers={"": {}, "lab": {}})) == ["", ""]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (hub_user("bob"), "the hub has no user 'ann'"),
        (hub_user("Ann"), "the hub has no user 'ann'"),
        (hub_user("ann", servers={}), "does not know this server as running"),
        (hub_user("ann", servers={"": {"stopped": True}}), "does not know this server as running"),
        (hub_user("ann", servers={"lab": {}}), "does not know this server as running"),
        (
            hub_user("ann", servers={"": {"started": "2027-03-30T12:10:00Z"}}),
            "check that `hub` is the hub of this namespace",
        ),
        (
            hub_user("ann", servers={"": {"started": "2027-03-30T09:00:00Z"}}),
            "check that `hub` is the hub of this namespace",
        ),
        (hub_user("ann", servers={"": {"started": None}}), "does not tell when"),
        (
            hub_user("ann", servers={"": {"state": {"pod_name": "jupyter-ann-2"}}}),
            "the pod of this server is jupyter-ann-2",
        ),
        ({"name": "ann", "servers": {"": {"started": CREATED}}}, "may not read the servers and groups"),
        ({"name": "ann", "groups": []}, "may not read the servers and groups"),
    ],
)
def test_a_pod_that_the_hub_does_not_confirm_is_in_doubt(user, words):
    (doubt,) = doubts([pod_of(creationTimestamp=CREATED)], user)
    assert words in doubt


def test_a_token_that_sees_some_users_only():
    (doubt,) = doubts([pod_of(creationTimestamp=CREATED)], complete=False)
    assert "shows the token no user 'ann'" in doubt


def test_of_several_pods_the_state_of_the_server_decides():
    pods = [pod_of(creationTimestamp=CREATED, name=name) for name in ("jupyter-ann", "copy")]
    named = [pod_of(creationTimestamp=CREATED, name=name) for name in ("x-ann", "copy")]
    assert doubts(pods, hub_user("ann"))[0] == ""
    assert "several pods claim" in doubts(pods, hub_user("ann"))[1]
    assert all("several pods claim to be this server" in doubt for doubt in doubts(named, hub_user("ann")))
    user = hub_user("ann", servers={"": {"state": {"pod_name": "jupyter-ann"}}})
    assert doubts(pods, user) == ["", "the pod of this server is jupyter-ann, says the hub"]
    # One that was created at another time is no reason to doubt.
    late = pod_of(creationTimestamp="2027-03-30T20:00:00Z", name="copy")
    assert doubts([pods[0], late], hub_user("ann"))[0] == ""


SAFE, ESCAPED, ODH = f"jupyter-{safe_pair('al.ice', 'lab')}", "jupyter-al-2eice--lab", "jupyterhub-nb-al-2eice"


@pytest.mark.parametrize(
    ("names", "confirmed"),
    [
        ([SAFE, "copy"], [SAFE]),
        ([ESCAPED, "copy", "other"], [ESCAPED]),
        ([ODH, "copy"], [ODH]),
        ([SAFE, ESCAPED], []),
        (["jupyter-al-2eice", "copy"], []),
    ],
)
def test_of_several_pods_the_one_with_the_name_that_kubespawner_gives_is_confirmed(names, confirmed):
    pods = [pod_of(user="al.ice", server="lab", creationTimestamp=CREATED, name=name) for name in names]
    found = doubts(pods, hub_user("al.ice", servers={"lab": {}}))
    assert [name for name, doubt in zip(names, found) if not doubt] == confirmed


def test_a_user_of_jupyterhub_1_5():
    """The form of its answers (apihandlers/base.py): no `stopped`, and the state of KubeSpawner for administrators."""
    server = {
        "name": "",
        "last_activity": None,
        "started": "2027-03-30T12:00:00.000000Z",
        "pending": None,
        "ready": True,
    }
    server["state"] = {"pod_name": "jupyter-ann"}
    user = _user({"name": "ann", "admin": False, "groups": ["team"], "server": "/user/ann/", "servers": {"": server}})
    assert (user.groups, user.pods, user.active) == (("team",), {"": "jupyter-ann"}, {""})
    assert doubts([pod_of()], {"name": "ann", "groups": [], "servers": {"": server}}) == [""]


# --- The plan -------------------------------------------------------------------------------------------------------------

EXCESS = Comparison((Finding("papers", "papers", "ro", "", "mounts share papers read only, but it is expired"),))
MISSING = Comparison(missing=EXCESS.excess)


def settings(grace=HOUR, most=10):
    return RevocationSettings("jupyter", grace, most, NOW)


def compared(user="ann", access=EXCESS, since=None, doubt="", claims=("papers",), **more):
    text = since.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(since, datetime) else since or ""
    pod = ServerPod(f"jupyter-{user}", f"uid-{user}", user, excess_since=text, excess_claims=claims, **more)
    return ComparedServer(pod, access, doubt)


def actions(plan):
    return {change.owner: change.action for change in plan.changes}


def test_the_first_run_marks_and_a_run_after_the_grace_stops():
    (change,) = plan_revocation([compared()], settings()).changes
    assert change.action == UPDATE
    (request,) = change.operations
    assert request.body == {
        "metadata": {
            "annotations": {
                "odh.persistency/excess-since": "2027-03-31T12:00:00Z",
                "odh.persistency/excess-claims": "papers",
            },
            "uid": "uid-ann",
        }
    }
    assert "it is stopped after 2027-03-31T13:00:00Z" in change.reason
    for since, action in [(NOW, KEEP), (NOW - HOUR + timedelta(seconds=1), KEEP), (NOW - HOUR, STOP)]:
        (change,) = plan_revocation([compared(since=since)], settings()).changes
        assert change.action == action
    assert change.operations == (("ann", "", "jupyter", "jupyter-ann", "uid-ann"),)
    assert change.after == "the server of 'ann' (pod jupyter-ann) is stopped"
    assert change.before == "the server of 'ann' (pod jupyter-ann) mounts share papers read only, but it is expired"


def test_without_grace_the_first_run_stops():
    assert actions(plan_revocation([compared(), compared("bob", MISSING)], settings(timedelta()))) == {
        "ann": STOP,
        "bob": KEEP,
    }


def test_regained_access_removes_the_mark():
    (change,) = plan_revocation([compared(access=MISSING, since=NOW - HOUR)], settings()).changes
    assert change.action == UPDATE
    assert change.operations[0].body["metadata"]["annotations"] == {
        "odh.persistency/excess-since": None,
        "odh.persistency/excess-claims": None,
    }


def test_excess_of_another_claim_has_a_grace_of_its_own():
    models = Comparison((Finding("models", "models", "rw", "", "mounts share models"),))
    both = Comparison((*EXCESS.excess, *models.excess))
    for claims in (("papers",), ()):
        server = compared(access=models, since=NOW - HOUR, claims=claims)
        (change,) = plan_revocation([server], settings()).changes
        assert change.action == UPDATE
        annotations = change.operations[0].body["metadata"]["annotations"]
        assert annotations["odh.persistency/excess-since"] == "2027-03-31T12:00:00Z"
        assert annotations["odh.persistency/excess-claims"] == "models"
    # The mark of the first holds while it stays.
    (change,) = plan_revocation([compared(access=both, since=NOW - HOUR)], settings()).changes
    assert change.action == STOP


def test_the_marks_of_a_pod_are_read():
    marks = {
        "odh.persistency/excess-since": "2027-03-31T12:00:00Z",
        "odh.persistency/excess-claims": "models,papers",
    }
    pod = pod_of(annotations=marks)
    assert (pod.excess_since, pod.excess_claims) == ("2027-03-31T12:00:00Z", ("models", "papers"))
    assert pod_of().excess_claims == ()


@pytest.mark.parametrize(
    ("since", "created"),
    [("soon", None), (NOW + HOUR, None), (NOW - 5 * HOUR, NOW - 2 * HOUR)],
    ids=["no time", "in the future", "older than the pod"],
)
def test_a_time_that_cannot_be_true_counts_as_none(since, created):
    (change,) = plan_revocation([compared(since=since, created=created)], settings()).changes
    assert change.action == UPDATE


def test_servers_in_doubt_are_neither_marked_nor_stopped():
    servers = [compared("ann", doubt="why"), compared("bob", since=NOW - 2 * HOUR, doubt="why")]
    for grace in (HOUR, timedelta()):
        plan = plan_revocation(servers, settings(grace))
        assert not plan.changed
        assert "the server of 'ann' (pod jupyter-ann) (why)" in plan.notes[0]


@pytest.mark.parametrize("claims", [("papers",), ("models",)])
def test_a_mark_of_regained_access_is_removed_in_doubt_too(claims):
    """Otherwise the next excess would have no grace."""
    access = MISSING if claims == ("papers",) else EXCESS
    (change,) = plan_revocation([compared(access=access, since=NOW, claims=claims, doubt="why")], settings()).changes
    assert change.action == UPDATE
    assert set(change.operations[0].body["metadata"]["annotations"].values()) == {None}


def test_the_oldest_are_stopped_first_and_the_rest_is_reported():
    servers = [compared(f"u{number}", since=NOW - HOUR * (2 + number % 3)) for number in range(6)]
    plan = plan_revocation(servers, settings(most=3))
    assert [user for user, action in actions(plan).items() if action == STOP] == ["u1", "u2", "u5"]
    assert plan.notes[0].startswith("3 more servers have excess access and are stopped by the next runs")
    assert "(pod jupyter-u0)" in plan.notes[0]
    assert sum(action == STOP for action in actions(plan_revocation(servers, settings(most=NO_LIMIT))).values()) == 6
    assert not plan_revocation(servers, settings(most=0)).changed


def test_an_acl_without_shares_needs_consent():
    empty, full = PublishedAcl("", acl_of({})), PublishedAcl("abc", PAPERS)
    assert "the ACL does not exist, so it grants nothing" in consent_error(empty, [compared()])
    assert "the ACL has no shares" in consent_error(replace(empty, digest="abc"), [compared()])
    assert consent_error(full, [compared()]) == ""
    assert consent_error(empty, [compared(access=MISSING), compared(doubt="why")]) == ""


def test_a_mark_is_planned_again_for_the_pod_of_now():
    """After a conflict."""
    assert mark(compared(since=NOW), settings()).action == KEEP


# --- The report -----------------------------------------------------------------------------------------------------------


def test_the_report_has_the_servers_with_differences_and_those_in_doubt():
    servers = [
        compared("ann"),
        compared("bob", Comparison()),
        compared("eve", Comparison(), doubt="the hub has no user"),
    ]
    rows = server_rows(servers, {})
    assert [row["user"] for row in rows] == ["ann", "eve"]
    assert rows[0]["excess"] == [EXCESS.excess[0].as_result()]
    assert servers_text(servers, "ACL abc").splitlines() == [
        "ACL abc: 3 servers run",
        "",
        "EXCESS (1 server)",
        "  the server of 'ann' (pod jupyter-ann) mounts share papers read only, but it is expired",
        "",
        "NOT CONFIRMED BY THE HUB, so never stopped (1)",
        "  the server of 'eve' (pod jupyter-eve): the hub has no user",
    ]
