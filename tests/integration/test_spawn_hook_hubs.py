"""The spawn hook in real JupyterHubs 6.1, 5.5, 4.1 and 1.5: refusals are no failures of the hub, and it never blocks."""

from __future__ import annotations

import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest

from testbed.faults import Rule, slow, status
from testbed.proxy import FaultProxy
from tests.hub.rig import numbered
from tests.support.acl import options
from tests.support.cluster import wait_for
from tests.support.hooked_hub import VERSIONS, HookedHub
from tests.support.latency import measured
from tests.support.modules import Modules
from tests.support.real_spawns import GROUPS, SHARES, make_home, make_share

#: Requests of the hook.
CLAIMS_AND_ACL = "/(configmaps|persistentvolumeclaims)(/|$)"
DELAY = 1.2  # seconds of each request
RETIRED = {"odh.persistency/retired-at": "2026-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def proxy(cluster):
    with FaultProxy(cluster.kubeconfig) as running:
        yield running


@pytest.fixture(scope="module", params=[*VERSIONS])
def hub(request, cluster, proxy):
    """A hub of each version, with an ACL in its namespace."""
    namespace = cluster.make_namespace()
    Modules(cluster).ok("share_acl", options(namespace, SHARES, groups=GROUPS, home_path="/home/jovyan"))
    for spec in SHARES:
        make_share(cluster, namespace, spec["name"])
    settings = {"policy": "deny", "timeout": 10, "mount_points": "init"}
    with HookedHub(request.param, namespace, proxy.kubeconfig, **settings) as running:
        yield running
    cluster.remove_namespace(namespace)


@pytest.fixture(autouse=True)
def without_faults(proxy):
    yield
    proxy.clear()


def start(hub, user):
    """Start a server and return the status and the text of the response."""
    try:
        hub.api("POST", f"/users/{user}/server", {})
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    return 0, ""


def test_refusals_are_no_failures_of_the_hub(cluster, hub, proxy):
    make_home(cluster, hub.namespace, "home-of-rob", "rob", **RETIRED)
    hub.add("rob", "ann", "broken")
    proxy.add(Rule(status(403), path="/configmaps/"))
    for user, sentence in [("rob", "Your home volume is retired"), ("ann", "The access list of shares cannot be read")]:
        for _ in range(10):
            code, text = start(hub, user)
            assert code == 403, (text, hub.log()[-4000:])
            assert sentence in text
    assert hub.failure_count == 0
    assert start(hub, "broken")[0] == 500
    assert hub.failure_count == 1
    assert start(hub, "rob")[0] == 403
    assert hub.failure_count == 1
    assert hub.is_running


def test_a_file_that_was_renamed_is_announced(cluster, hub):
    """The kubelet sets this status, with what the init container has written. Nobody looks at the progress page."""
    hub.add("fay")
    said = "/home/jovyan/public-data is now /home/jovyan/public-data.before-share, because a share is mounted there."
    ended = {"exitCode": 0, "reason": "Completed", "message": f"{said}\n"}
    image = {"name": "odh-mount-points", "image": "x", "imageID": "", "ready": True, "restartCount": 0}
    with ThreadPoolExecutor(1) as threads:
        threads.submit(start, hub, "fay")
        wait_for(lambda: cluster.get("pods", "jupyter-fay", hub.namespace), "the pod of fay", 60)
        status_of_init = {"status": {"initContainerStatuses": [{**image, "state": {"terminated": ended}}]}}
        cluster.patch("pods", "jupyter-fay", status_of_init, hub.namespace, subresource="status")

        def told():
            events = cluster.list("events", hub.namespace)
            return [one for one in events if one["reason"] == "MountPoint" and one["message"] == said]

        [event] = wait_for(told, "an Event", 60)
        assert event["involvedObject"]["name"] == "jupyter-fay"
        assert event["type"] == "Warning"
        messages = hub.progress("fay", seconds=5)
        assert len([message for message in messages if said in message]) == 1, messages
    assert said in hub.log()


def worst_answer(hub, proxy, stem):
    """Start fifty servers at once over a slow API, and return the longest time that the hub's health page took meanwhile."""
    users = numbered(stem, 50)
    hub.add(f"first-{stem}", *users)
    with ThreadPoolExecutor(1 + len(users)) as threads:
        # The first start of a hub takes longer.
        before = proxy.count("POST", "/pods$")
        threads.submit(start, hub, f"first-{stem}")
        pods = wait_for(lambda: (found := proxy.count("POST", "/pods$")) > before and found, "a first pod", 60)
        proxy.add(Rule(slow(DELAY), path=CLAIMS_AND_ACL))
        with measured(f"{hub.url}/hub/health", hub.pid) as latencies:
            for user in users:
                threads.submit(start, hub, user)
            wait_for(lambda: proxy.count("POST", "/pods$") >= pods + len(users), "a pod of each start", 600)
        proxy.clear()
    assert latencies, hub.log()[-4000:]
    import sys

    print("LAT", stem, sorted(latencies)[-5:], len(latencies), file=sys.stderr)
    return max(latencies)


@pytest.mark.parametrize("hub", ["7.0", "1.1"], indirect=True)
def test_fifty_starts_over_a_slow_api_do_not_block_the_hub(hub, proxy):
    """KubeSpawner 1.1 has a synchronous client, whose requests must stay in threads.

    JupyterHub itself takes about a second to accept fifty requests at once, and much longer on a busy machine, which the same
    hub without the hook shows. What blocks the hub does so each time, and other processes of a busy machine do not.
    """
    with HookedHub(hub.kubespawner, hub.namespace, proxy.kubeconfig, installed=False) as bare:
        without = worst_answer(bare, proxy, "bare")
    found = []
    for attempt in range(3):
        proxy.parallel = 0
        found.append(worst_answer(hub, proxy, f"user{attempt}"))
        assert proxy.parallel >= 50
        if found[-1] < max(1.0, 2 * without):
            return
    pytest.fail(f"the hub took {found} s to answer, and without the hook {without} s")
