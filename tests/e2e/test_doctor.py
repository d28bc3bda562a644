"""The doctor examines the hub that runs: what the role configured is healthy, and what it says of the rest is true."""

from __future__ import annotations

import base64

from tests.support.modules import Modules

USER = "zoe.martin@students.example.org"
#: The volumes of other tests may name file servers.
OF_THE_CLUSTER = "nfs_port"


def test_the_doctor_examines_the_hub_that_runs(site, hub):
    hub.launch(USER)
    findings = Modules(site.cluster).ok("hub_health_info", {"namespace": site.namespace}).findings
    unhealthy = [one for one in findings if one["severity"] != "ok" and one["check"] != OF_THE_CLUSTER]
    # The hub has the fsGroup of the chart, and pods have it indeed.
    assert [(one["check"], one["severity"]) for one in unhealthy] == [("fs_group", "warning")], findings
    assert "With fsGroup 100 and fsGroupChangePolicy Always" in unhealthy[0]["reason"]
    assert site.pod_of(USER)["spec"]["securityContext"]["fsGroup"] == 100
    reasons = {one["object"]: one["reason"] for one in findings}
    assert reasons["ServiceAccount hub"] == "It has the rights that it needs, and may not delete claims."
    assert reasons["package"].startswith("The hub has the spawn hook of this version")
    assert "the value hub.consecutiveFailureLimit" in reasons["Spawner.consecutive_failure_limit"]
    assert "(for hub:visitors)" in reasons["Authenticator"]
    running = [one["reason"] for one in findings if one["check"] == "running_servers"]
    assert len(running) == 1
    assert running[0].endswith("running servers started with the spawn hook.")
    for check in (
        "delete_pvc",
        "remember_pvc_name",
        "claim_deletion",
        "share_claims",
        "access_list",
        "old_permissions",
    ):
        assert {one["severity"] for one in findings if one["check"] == check} == {"ok"}, check


def test_the_hub_has_only_the_rights_of_the_role_and_its_tokens_are_in_the_secret_of_the_chart(site, hub):
    subject = {"kind": "ServiceAccount", "name": "hub", "namespace": site.namespace}
    bindings = site.cluster.list("rolebindings", site.namespace)
    of_the_hub = {one["metadata"]["name"] for one in bindings if subject in one["subjects"]}
    assert of_the_hub == {"odh-persistency-hub", "odh-persistency-chart-hub"}
    cluster_wide = site.cluster.list("clusterrolebindings")
    assert not [one for one in cluster_wide if subject in (one.get("subjects") or ())]
    stored = site.cluster.get("secrets", "hub", site.namespace)["data"]
    for service in ("odh-persistency", "admin"):
        token = base64.b64decode(stored[f"hub.services.{service}.apiToken"]).decode()
        assert token == hub.tokens[service]
        assert token not in site.values.read_text()
        assert token not in base64.b64decode(stored["values.yaml"]).decode()
