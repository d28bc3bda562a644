"""The testbed, and the functions of tests/support/cluster.py that other tests rely on."""

from __future__ import annotations

import datetime
import re
import subprocess
import threading
import time

import pytest
import yaml

from testbed import users
from tests.support.cluster import TEST_LABEL, ClusterError, wait_for

CLAIMS = "persistentvolumeclaims"


def test_three_kinds_of_storage_class(testbed, cluster):
    classes = {c["metadata"]["name"]: c for c in cluster.list("storageclasses")}
    assert {"standard", "fixed", "wait-first"} <= classes.keys()
    assert classes["standard"]["allowVolumeExpansion"] is True
    assert classes["fixed"]["allowVolumeExpansion"] is False
    assert classes["wait-first"]["volumeBindingMode"] == "WaitForFirstConsumer"


@pytest.mark.parametrize("storage_class", ["standard", "fixed", "wait-first"])
def test_a_claim_is_pending_until_it_is_bound(testbed, cluster, namespace, storage_class):
    claim = cluster.make_claim(namespace, "home", storageClassName=storage_class)
    assert claim["status"]["phase"] == "Pending"
    volume = cluster.bind(namespace, "home", "2Gi")
    bound = cluster.get(CLAIMS, "home", namespace)
    assert bound["spec"]["volumeName"] == volume
    assert bound["status"]["capacity"] == {"storage": "2Gi"}
    assert cluster.get("persistentvolumes", volume)["status"]["phase"] == "Bound"


def test_expansion_waits_for_a_resizer(testbed, cluster, namespace):
    larger = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
    for name, storage_class in (("a", "standard"), ("b", "fixed")):
        cluster.make_claim(namespace, name, storageClassName=storage_class)
    cluster.bind_all(namespace)
    cluster.patch(CLAIMS, "a", larger, namespace)
    assert cluster.get(CLAIMS, "a", namespace)["status"]["capacity"] == {"storage": "1Gi"}
    cluster.resize(namespace, "a", "5Gi", pending_file_system=True)
    assert cluster.get(CLAIMS, "a", namespace)["status"]["conditions"][0]["type"] == "FileSystemResizePending"
    cluster.resize(namespace, "a", "5Gi")
    expanded = cluster.get(CLAIMS, "a", namespace)["status"]
    assert expanded["capacity"] == {"storage": "5Gi"}
    assert not expanded.get("conditions")
    with pytest.raises(ClusterError, match="storageclass that provisions the pvc must support resize"):
        cluster.patch(CLAIMS, "b", larger, namespace)


def test_a_mounted_claim_is_protected(testbed, cluster, namespace):
    cluster.make_claim(namespace, "home")
    cluster.bind(namespace, "home")
    pod = cluster.make_pod(namespace, "home", phase="Running", node="odhp-nowhere")
    assert cluster.get("pods", pod, namespace)["status"]["phase"] == "Running"
    cluster.delete(CLAIMS, "home", namespace)
    assert cluster.get(CLAIMS, "home", namespace)["metadata"]["deletionTimestamp"]
    cluster.delete("pods", pod, namespace, gracePeriodSeconds=0)
    wait_for(lambda: cluster.get(CLAIMS, "home", namespace) is None, "the claim gone with its pod")


def test_the_sweep_removes_only_old_objects_of_tests(testbed, cluster, namespace, restricted_user):
    cluster.make_claim(namespace, "home")
    volume = cluster.bind(namespace, "home")
    restricted_user(cluster_rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}])
    before = len(cluster.list("clusterroles", labelSelector=TEST_LABEL))
    cluster.sweep()
    assert cluster.get("persistentvolumes", volume)["metadata"].get("deletionTimestamp") is None
    assert cluster.get("namespaces", namespace)["status"]["phase"] == "Active"
    assert len(cluster.list("clusterroles", labelSelector=TEST_LABEL)) == before > 0


class TestAudit:
    def test_a_recording_distinguishes_requests(self, audit, cluster, namespace):
        cluster.make_claim(namespace, "before")
        with audit(user_agent="odh-persistency-tests") as log:
            cluster.make_claim(namespace, "home")
            cluster.patch(CLAIMS, "home", {"metadata": {"labels": {"a": "b"}}}, namespace)
            body = {"metadata": {"labels": {"a": "c"}}}
            address = f"/api/v1/namespaces/{namespace}/{CLAIMS}/home"
            cluster.request(
                "PATCH", address, body, query={"dryRun": "All"}, content_type="application/merge-patch+json"
            )
            cluster.list(CLAIMS, namespace)
            assert cluster.get(CLAIMS, "nobody", namespace) is None
            cluster.kubectl("get", "pvc", namespace=namespace)
        cluster.make_claim(namespace, "after")
        found = [(r.verb, r.name, r.dry_run, r.code) for r in log.requests if r.namespace == namespace]
        assert found == [
            ("create", "home", False, 201),
            ("patch", "home", False, 200),
            ("patch", "home", True, 200),
            ("list", "", False, 200),
            ("get", "nobody", False, 404),
        ]
        assert [r.verb for r in log.writes] == ["create", "patch"]
        assert log.count(verb="patch", dry_run=True) == len(log.dry_runs) == 1
        assert log.select(resource=CLAIMS, verb="list")[0].query["limit"] == ("500",)
        assert "1x patch persistentvolumeclaims (dry run) -> 200" in str(log)

    def test_nothing_is_recorded_when_nothing_happens(self, audit, namespace):
        with audit(namespace=namespace, user_agent="odh-persistency-tests") as log:
            pass
        assert log.requests == ()
        assert str(log) == "no requests"

    def test_what_began_before_is_left_out(self, audit, cluster, namespace):
        """The audit log has an entry for the start and one for the end of a watch."""
        address = f"/api/v1/namespaces/{namespace}/pods"
        query = {"watch": "1", "timeoutSeconds": "2"}
        watch = threading.Thread(target=cluster.request, args=("GET", address), kwargs={"query": query})
        with audit(namespace=namespace, user_agent="odh-persistency-tests") as before:
            watch.start()
            time.sleep(0.5)
        with audit(namespace=namespace, user_agent="odh-persistency-tests") as log:
            watch.join()
        assert [request.verb for request in before.requests] == ["watch"]
        assert log.requests == ()

    def test_a_rejected_write_is_a_write_and_an_access_review_is_not(self, audit, cluster, namespace):
        with audit(user_agent="odh-persistency-tests") as log:
            with pytest.raises(ClusterError):
                cluster.make_claim(namespace, "Not_a_name")
            review = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}}}
            cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        assert [(r.resource, r.code) for r in log.writes] == [(CLAIMS, 422)]
        assert log.count(resource="selfsubjectaccessreviews") == 1

    def test_dry_runs_of_a_delete(self, audit, cluster, namespace):
        """The server reads the query only if there is no body."""
        for name in "abcd":
            cluster.create("configmaps", {"metadata": {"name": name}}, namespace)
        dry = {"dryRun": ["All"]}
        with audit(user_agent="odh-persistency-tests") as log:
            for name, body, query in (
                ("a", dry, None),
                ("b", None, {"dryRun": "All"}),
                ("c", {}, None),
                ("d", {}, dry),
            ):
                address = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
                cluster.request("DELETE", address, body, query=query and {"dryRun": "All"})
        left = {found["metadata"]["name"] for found in cluster.list("configmaps", namespace)}
        assert {request.name for request in log.dry_runs} == {"a", "b"} == left & set("abcd")
        assert {request.name for request in log.writes} == {"c", "d"}

    def test_discovery_shows(self, audit, cluster):
        with audit(user_agent="odh-persistency-tests") as log:
            cluster.request("GET", "/version")
            cluster.request("GET", "/apis")
        assert [r.path for r in log.requests] == ["/version", "/apis"]

    def test_a_typing_error_in_a_filter_is_an_error(self, audit):
        with audit() as log, pytest.raises(RuntimeError):
            _ = log.requests
        with pytest.raises(TypeError, match="verbs"):
            log.count(verbs="list")


class TestPeople:
    def test_a_restricted_user_may_do_what_the_rules_allow(self, cluster, namespace, restricted_user):
        rule = {"apiGroups": [""], "resources": [CLAIMS], "verbs": ["list"]}
        somebody = type(cluster)(restricted_user([rule]), None)
        assert somebody.list(CLAIMS, namespace) == []
        with pytest.raises(ClusterError, match="cannot create resource") as caught:
            somebody.make_claim(namespace, "home")
        assert caught.value.status == 403
        assert somebody.kubectl("get", "pvc")["items"] == []

    def test_rules_for_the_whole_cluster(self, cluster, namespace, restricted_user):
        rule = {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["list"]}
        somebody = type(cluster)(restricted_user(cluster_rules=[rule]), None)
        somebody.list("persistentvolumes")
        with pytest.raises(ClusterError, match="forbidden"):
            somebody.list(CLAIMS, namespace)

    @pytest.mark.parametrize("hours", [1, -1])
    def test_certificates(self, testbed, cluster, tmp_path, hours):
        user = users.certificate(testbed, "intern", ["interns"], lifetime=datetime.timedelta(hours=hours))
        somebody = type(cluster)(
            users.write(testbed, tmp_path / "k", "intern", user, namespace="default", wrong_ca=False), None
        )
        with pytest.raises(ClusterError) as caught:
            somebody.list("namespaces")
        assert caught.value.status == (403 if hours > 0 else 401)
        if hours > 0:
            assert 'User "intern"' in str(caught.value)

    @pytest.mark.parametrize(("hours", "status"), [(1, 403), (-1, 401)])
    def test_tokens(self, testbed, cluster, namespace, tmp_path, hours, status):
        token = users.token(testbed, namespace, "default", lifetime=datetime.timedelta(hours=hours))
        made = users.write(testbed, tmp_path / "k", "sa", {"token": token}, namespace=namespace, wrong_ca=False)
        with pytest.raises(ClusterError) as caught:
            type(cluster)(made, None).list(CLAIMS, namespace)
        assert caught.value.status == status

    def test_an_expired_token_would_have_been_good(self, testbed, cluster, namespace, tmp_path):
        """The token above fails only because it is expired."""
        account = cluster.get("serviceaccounts", "default", namespace)
        token = users._expired(testbed, account, datetime.timedelta(minutes=-30))
        made = users.write(testbed, tmp_path / "k", "sa", {"token": token}, namespace=namespace, wrong_ca=False)
        with pytest.raises(ClusterError) as caught:
            type(cluster)(made, None).list(CLAIMS, namespace)
        assert caught.value.status == 403

    def test_wrong_authority(self, testbed, tmp_path):
        out = tmp_path / "k"
        command = ["python", "-m", "testbed.users", "--user", "intern", "--wrong-ca", "-o", str(out)]
        subprocess.run(command, check=True, timeout=60)
        assert yaml.safe_load(out.read_text())["clusters"][0]["cluster"]["server"] == testbed.server
        answer = subprocess.run(
            ["kubectl", "--kubeconfig", str(out), "get", "ns"], capture_output=True, text=True, timeout=60
        )
        assert re.search("certificate signed by unknown authority", answer.stderr)
