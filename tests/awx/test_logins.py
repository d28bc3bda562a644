"""Jobs with a login that is too weak, has expired, is missing, or leads to another cluster: one sentence, and no write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed import users


@pytest.fixture
def failed(awx, site, audit):
    """Run a job that must fail without a write that is accepted, and return the messages of its failures."""

    def run(playbook, credential, **more):
        with audit(user=site.write.user) as writer, audit(user=site.read.user) as reader:
            job = awx.run(playbook, credential, {**site.variables, **more}, arguments="-t homes")
        assert job.status == "failed"
        assert [request for log in (writer, reader) for request in log.writes if request.code < 400] == []
        assert "Traceback" not in job.stdout
        return job.failures

    return run


def test_the_account_that_reads_makes_reports_and_cannot_write(awx, site, failed):
    reports = awx.run("reports.yml", site.read, site.variables)
    assert reports.status == "successful", reports.stdout
    message = failed("site.yml", site.read)[0]
    assert f"{site.read.user} may not create persistentvolumeclaims in namespace {site.namespace}" in message


def test_an_expired_token(cluster, testbed, site, failed):
    token = users.token(testbed, site.namespace, "odh-persistency", lifetime=-users.DAY)
    messages = failed("site.yml", replace(site.write, token=token), homes_create_namespace=True)
    assert [message.splitlines()[0] for message in messages] == messages
    assert "The API server does not accept this login (401)" in messages[0]


def test_another_cluster_than_that_of_the_inventory(site, failed):
    connection = {"context": "production", "kubeconfig": "/does/not/exist"}
    (message, *_more) = failed("site.yml", site.write, persistency_connection=connection)
    assert "/does/not/exist" in message
    (message, *_more) = failed("site.yml", site.write, persistency_connection={"context": "production"})
    assert "`context` (production) would be ignored, because K8S_AUTH_HOST" in message
    (message, *_more) = failed("site.yml", site.write, persistency_cluster="https://production.example:6443")
    assert "The wrong cluster" in message


def test_a_pod_without_a_token(awx, site):
    job = awx.run("drift.yml", None, site.variables)
    assert job.status == "failed"
    homes, shares = job.artifacts["drift_failures"]
    for message in (homes, shares):
        assert "this pod has no token of a service account (automountServiceAccountToken: false?)" in message
        assert "`automountServiceAccountToken: true` and `serviceAccountName` in the custom pod spec" in message
        assert "`pod_spec_override`, of the container group" in message
    assert "Traceback" not in job.stdout
