"""The protocol of publication: whatever happens to a run, readers see one complete ACL, and the next run converges."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.faults import Rule, call, clock, slow
from testbed.proxy import FaultProxy
from tests.support.acl import AGENT, DIGEST, INDEX, Polling, objects, options, parts, read, share
from tests.support.cluster import wait_for
from tests.support.killing import kill_at

MAPS = "/configmaps"
TWO_HOURS = 7200
# So many, and of such long names, that there are sixteen membership parts; each version has all of them anew.
PEOPLE = [f"{number:04}-{'-'.join(['a-long-name'] * 12)}@research.example.org" for number in range(440)]
READER = PEOPLE[0]


def version(namespace, number, **more):
    """Options whose ACL differs from every other version's in the shares part and in each membership part."""
    group = f"group-{number}"
    shares = [share("data", write={"groups": [group]}), share(f"only-{number}", read={"groups": [group]})]
    return options(namespace, shares, groups={group: PEOPLE}, max_withdrawals=-1, **more)


def publish(modules, chosen):
    return modules.ok("share_acl", chosen).acl["digest"]


def through(modules, cluster, rules, chosen, **how):
    with FaultProxy(cluster.kubeconfig, rules) as proxy:
        return modules.run("share_acl", chosen, kubeconfig=Path(proxy.kubeconfig), **how)


def is_index(request):
    return request.name == INDEX


BEFORE = {
    "before the parts": {"method": "POST", "nth": 1},
    "between parts": {"method": "POST", "nth": 6},
    "after a part": {"method": "POST", "nth": 9, "forward": True},
    "before reading back": {"method": "GET", "path": MAPS + "$", "nth": 2},
    "before the index": {"method": ("PATCH", "POST"), "where": is_index, "nth": 1},
}
AFTER = {
    "after the index": {"method": ("PATCH", "POST"), "where": is_index, "nth": 1, "forward": True},
    "before the clean-up": {"method": "DELETE", "nth": 1},
    "in the clean-up": {"method": "DELETE", "nth": 4, "forward": True},
}


@pytest.mark.parametrize("step", [*BEFORE, *AFTER])
def test_kill_9_while_another_acl_is_published(cluster, namespace, modules, audit, step):
    """Hours after the previous ACL was replaced, so a cleanup is due as well."""
    publish(modules, version(namespace, 0))
    leftovers = parts(cluster, namespace)
    old = publish(modules, version(namespace, 1))
    published = parts(cluster, namespace) - leftovers
    chosen = version(namespace, 2)
    later = Rule(clock(2 * TWO_HOURS))
    with Polling(cluster, namespace, READER) as polling:
        kill_at(modules, "share_acl", chosen, Rule(clock(TWO_HOURS)), **{**BEFORE, **AFTER}[step])
        result = through(modules, cluster, [later], chosen)
        assert not result.failed, result.output["msg"]
        wait_for(lambda: polling.digests()[-1:] == [result.acl["digest"]], "the reader")
    assert polling.broken == []
    assert polling.digests() == [old, result.acl["digest"]]
    assert read(cluster, namespace, READER).mode("only-2") == "ro"
    # What no index names goes, killed or not; the parts of the ACL that was replaced live an hour longer than that.
    found = parts(cluster, namespace)
    assert not leftovers & found
    assert published & found == (published if step in BEFORE else set())
    with audit(user_agent=AGENT) as log:
        again = through(modules, cluster, [later], chosen)
    assert not again.output["changed"]
    assert not log.writes


@pytest.mark.parametrize("step", [*BEFORE, "after the index"])
def test_kill_9_while_the_first_acl_is_published(cluster, namespace, modules, audit, step):
    chosen = version(namespace, 1)
    with Polling(cluster, namespace, READER) as polling:
        kill_at(modules, "share_acl", chosen, **{**BEFORE, **AFTER}[step])
        digest = publish(modules, chosen)
        wait_for(lambda: polling.digests()[-1:] == [digest], "the reader")
    assert polling.broken == []
    assert polling.digests() == [None, digest]
    with audit(user_agent=AGENT) as log:
        assert not modules.ok("share_acl", chosen).changed
    assert not log.writes


@pytest.mark.parametrize(
    "where",
    [{"nth": 1}, {"nth": 1, "forward": True}, {"nth": 7, "forward": True}],
    ids=["before", "after", "among the parts"],
)
def test_kill_9_while_the_acl_is_deleted(cluster, namespace, modules, where):
    old = publish(modules, version(namespace, 1))
    gone = options(namespace, [], state="absent", max_withdrawals=-1)
    with Polling(cluster, namespace, READER) as polling:
        kill_at(modules, "share_acl", gone, method="DELETE", **where)
        assert not modules.ok("share_acl", gone).acl["digest"]
        wait_for(lambda: polling.digests()[-1:] == [None], "the reader")
    # Whoever read the index just before it went may miss a part, and so gets nothing: as everyone from now on.
    assert polling.digests() == [old, None]
    assert objects(cluster, namespace) == {}
    assert not modules.ok("share_acl", gone).changed


def test_unused_parts_stay_for_an_hour(cluster, namespace, modules, audit):
    publish(modules, version(namespace, 1))
    first = parts(cluster, namespace)
    chosen = version(namespace, 2)
    publish(modules, chosen)
    soon = through(modules, cluster, [Rule(clock(3500))], chosen)
    assert not soon.output["changed"]
    assert first < parts(cluster, namespace)
    shown = through(modules, cluster, [Rule(clock(3700))], chosen, check=True)
    assert first < parts(cluster, namespace)
    with audit(user_agent=AGENT) as log:
        later = through(modules, cluster, [Rule(clock(3700))], chosen, diff=True)
    # Due on a run that has nothing else to do: it is done, and said.
    assert later.actions() == dict.fromkeys(first, "delete") == shown.actions()
    assert {item["kind"] for item in later.changes} == {"acl-part"}
    assert "no index has named it for 1h" in later.changes[0]["reason"]
    assert len(log.writes) == len(first) == 17
    assert not first & parts(cluster, namespace)


def test_an_acl_that_comes_back_is_not_cleaned_up_beneath_its_readers(cluster, namespace, modules):
    """A part that nothing names is about to be deleted by one run when another names it again."""
    publish(modules, version(namespace, 1))
    first = parts(cluster, namespace)
    publish(modules, version(namespace, 2))
    back = []

    def come_back(_request):
        if not back:
            back.append(through(modules, cluster, [Rule(clock(TWO_HOURS))], version(namespace, 1)))

    with Polling(cluster, namespace, READER) as polling:
        late = [Rule(clock(TWO_HOURS)), Rule(call(come_back), method="DELETE", nth=1)]
        result = through(modules, cluster, late, version(namespace, 2))
    assert not result.failed, result.output["msg"]
    assert not back[0].failed
    assert polling.broken == []
    assert first < parts(cluster, namespace)
    assert read(cluster, namespace, READER).digest == back[0].acl["digest"]
    assert any("it was unused and is needed again" in item["reason"] for item in back[0].changes)


# -- two runs at once --------------------------------------------------------------------------------------------------


def paused_at_the_index(modules, cluster, chosen, meanwhile):
    """Run with `chosen`, and let `meanwhile()` happen just before its first write of the index."""
    happened = []

    def hold(_request):
        if not happened:
            happened.append(meanwhile())

    write = Rule(call(hold), method=("PATCH", "POST", "DELETE"), where=lambda request: request.name == INDEX)
    result = through(modules, cluster, [write], chosen)
    return result, happened[0]


def test_two_concurrent_runs_publish_one_complete_acl_and_report_which(cluster, namespace, modules):

    def faster_first(polling, chosen):
        """A run whose ACL the reader has seen before the other one continues."""
        result = modules.ok("share_acl", chosen)
        wait_for(lambda: polling.digests()[-1:] == [result.acl["digest"]], "the reader")
        return result

    publish(modules, version(namespace, 0))
    with Polling(cluster, namespace, READER) as polling:
        slower, faster = paused_at_the_index(
            modules, cluster, version(namespace, 1), lambda: faster_first(polling, version(namespace, 2))
        )
        assert not slower.failed, slower.output["msg"]
        mine, theirs = slower.acl["digest"], faster.acl["digest"]
        wait_for(lambda: polling.digests()[-1:] == [mine], "the reader")
    assert polling.broken == []
    assert polling.digests()[1:] == [theirs, mine]
    assert read(cluster, namespace, READER).digest == mine
    assert any(f"Another run published ACL {theirs[:12]}" in warning for warning in slower.warnings)
    # What it tells is what it changed in the end: over the other one's ACL.
    reported = [item["reason"] for item in slower.changes]
    assert f"ACL {mine[:12]} replaces ACL {theirs[:12]}" in reported
    assert any("only-2" in reason for reason in reported)
    assert not any("only-0" in reason for reason in reported)


def test_two_first_runs_at_once(cluster, namespace, modules):
    slower, faster = paused_at_the_index(
        modules, cluster, version(namespace, 1), lambda: modules.ok("share_acl", version(namespace, 2))
    )
    assert not slower.failed, slower.output["msg"]
    assert read(cluster, namespace, READER).digest == slower.acl["digest"] != faster.acl["digest"]


def test_two_runs_with_the_same_acl(cluster, namespace, modules):
    slower, faster = paused_at_the_index(
        modules, cluster, version(namespace, 1), lambda: modules.ok("share_acl", version(namespace, 1))
    )
    assert not slower.failed
    assert slower.acl == faster.acl
    assert not any(item["kind"] == "acl-index" for item in slower.changes)


def test_guards_check_again_what_another_run_published(cluster, namespace, modules):
    groups = {"few": PEOPLE[:2], "many": PEOPLE[:60]}
    few = options(namespace, [share("data", read={"groups": ["few"]})], groups=groups)
    many = options(namespace, [share("data", read={"groups": ["many"]})], groups=groups)
    slower, faster = paused_at_the_index(modules, cluster, few, lambda: modules.ok("share_acl", many))
    assert slower.failed
    assert "58 grants would be withdrawn" in slower.output["msg"]
    assert f"ACL {faster.acl['digest'][:12]} is published" in slower.output["msg"]
    assert slower.acl["digest"] == faster.acl["digest"]
    assert not any(item["kind"] == "acl" for item in slower.changes), "nothing changed for anybody"
    assert read(cluster, namespace, PEOPLE[30]).mode("data") == "ro"


def test_deleted_while_it_is_published(cluster, namespace, modules):
    publish(modules, version(namespace, 1))
    gone = options(namespace, [], state="absent", max_withdrawals=-1)
    # The same groups under another share: the membership parts that stand are named again, and were deleted meanwhile.
    chosen = version(namespace, 1)
    chosen["shares"] = [*chosen["shares"], share("new", read={"groups": ["group-1"]})]
    slower, _faster = paused_at_the_index(modules, cluster, chosen, lambda: modules.ok("share_acl", gone))
    assert not slower.failed, slower.output["msg"]
    assert read(cluster, namespace, READER).mode("new") == "ro"
    assert any("Another run deleted the ACL" in warning for warning in slower.warnings)


def test_published_while_it_is_deleted(cluster, namespace, modules):
    publish(modules, version(namespace, 1))
    gone = options(namespace, [], state="absent", max_withdrawals=-1)
    slower, faster = paused_at_the_index(modules, cluster, gone, lambda: modules.ok("share_acl", version(namespace, 2)))
    assert not slower.failed, slower.output["msg"]
    assert read(cluster, namespace, READER).digest is None
    assert objects(cluster, namespace) == {}
    assert any(f"published ACL {faster.acl['digest'][:12]}" in warning for warning in slower.warnings)


def test_runs_without_end(cluster, namespace, modules):
    """Others write the index repeatedly: retries are bounded, and the message names the published ACL."""
    publish(modules, version(namespace, 0))

    def touch(_request):
        index = objects(cluster, namespace)[INDEX]
        body = {"metadata": {"annotations": {"somebody": index["metadata"]["resourceVersion"]}}}
        cluster.patch("configmaps", INDEX, body, namespace)

    before = read(cluster, namespace, READER).digest
    rule = Rule(call(touch), method="PATCH", where=lambda request: request.name == INDEX)
    result = through(modules, cluster, [rule], version(namespace, 1))
    assert result.failed
    assert rule.fired == 4
    assert f"ACL {before[:12]} is published" in result.failed_items[0]["reason"]
    assert result.failed_items[0]["retryable"]
    assert read(cluster, namespace, READER).digest == before


def test_many_at_once(cluster, namespace, modules):
    publish(modules, version(namespace, 0))
    chosen = [version(namespace, number) for number in range(1, 4)]
    with FaultProxy(cluster.kubeconfig, [Rule(slow(0.02))]) as proxy, Polling(cluster, namespace, READER) as polling:
        running = [modules.start("share_acl", each, kubeconfig=Path(proxy.kubeconfig)) for each in chosen]
        results = [each.wait() for each in running]
    assert polling.broken == []
    assert not any(result.failed for result in results), [result.output.get("msg") for result in results]
    last = read(cluster, namespace, READER).digest
    assert last in {result.acl["digest"] for result in results}
    assert objects(cluster, namespace)[INDEX]["metadata"]["annotations"][DIGEST] == last
    # Whoever was overtaken says by whom.
    for result, before in zip(results, chosen):
        if result.acl["digest"] != last:
            continue
        assert not modules.ok("share_acl", before).changed
