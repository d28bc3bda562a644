"""The comparison of running servers agrees with the access rules of the spawn hook, for any ACL, person and request."""

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import Acl
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access import ReportContext
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.comparison import Comparison, Grants
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.pods import ServerPod, server_pod_from
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import Decision
from ansible_collections.odh.persistency.plugins.module_utils._hub.observed_claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._hub.pod_rewriting import with_shares
from hypothesis import given

from tests.support.access import HOME, ROOT, TODAY, World, asked, people, worlds
from tests.support.servers import server_pod, share_claim


def started(person: str, decision: Decision) -> ServerPod:
    """The pod as the spawn hook makes it."""
    item = server_pod(person)
    pod = server_pod_from({**item, "spec": with_shares(item["spec"], decision.mounts)})
    assert pod is not None
    return pod


def compare(world: World, pod: ServerPod) -> Comparison:
    claims = [claim_from({"metadata": share_claim(one["claim"], name)}) for name, one in world.shares["shares"].items()]
    context = ReportContext(TODAY, HOME, (ROOT,), world.hub)
    acl = Acl(world.shares, world.members["people"])
    return Grants(acl, {claim.name: claim for claim in claims}, context).compare(pod)


@given(worlds(), people(), asked())
def test_a_server_that_the_hook_starts_has_no_differences(world: World, person: str, wishes: list[str]) -> None:
    assert compare(world, started(person, world.decide(person, wishes))) == Comparison()


@given(worlds(), worlds(), people(), asked())
def test_excess_and_missing_are_what_a_new_server_would_not_get_and_get(
    before: World, now: World, person: str, wishes: list[str]
) -> None:
    pod = started(person, before.decide(person, wishes))
    shares = now.shares["shares"]
    names = {one["claim"]: name for name, one in shares.items()}
    mounted = {names[claim]: mount.mode for claim, mount in pod.mounts.items() if claim in names}
    secret = [name for name in mounted if shares[name]["level"] == "secret"]
    # Where a share is mounted gives nobody access.
    may = {one.share: one.mode for one in now.decide(person, secret, home="", roots=("/",)).mounts}
    placed = {one.share: one.mode for one in now.decide(person, secret).mounts}
    found = compare(now, pod)
    excess = {finding.share: finding.granted for finding in found.excess if finding.share}
    assert excess == {
        name: may.get(name, "")
        for name, mode in mounted.items()
        if name not in may or (mode, may[name]) == ("rw", "ro")
    }
    # A claim that was a share before, and is the claim of none now, is marked as nothing here. Its volume has the hook's name.
    assert {finding.claim for finding in found.excess if not finding.share} == set(pod.mounts) - set(names)
    wider = {name for name, mode in mounted.items() if (mode, may.get(name)) == ("ro", "rw")}
    assert {finding.share for finding in found.missing} == wider | (set(placed) - set(mounted))
    assert all(finding.granted for finding in found.missing)


@given(worlds(), people(), asked())
def test_whoever_is_removed_everywhere_has_every_private_share_in_excess(
    world: World, person: str, wishes: list[str]
) -> None:
    pod = started(person, world.decide(person, wishes))
    members = {"schema": 1, "people": {name: one for name, one in world.members["people"].items() if name != person}}
    found = compare(World(world.shares, members, {}), pod)
    private = {one["claim"] for one in world.shares["shares"].values() if one["level"] != "public"}
    assert {finding.claim for finding in found.excess} >= private & set(pod.mounts)
