"""Jobs of the project examples/awx, as AWX runs them: a check, a first and a second run, and drift."""

from __future__ import annotations

import shutil
import time

from tests.support.awx import MAX_EVENT, PROJECT, Awx
from tests.support.cluster import wait_for

HOMES = 10_000


def test_from_nothing_to_a_green_check(awx, site, audit, share_volumes):
    with audit(user=site.read.user) as log:
        hub = {"hub_namespace": site.namespace, "hub_values_file": "values.yaml", "hub_new": True}
        red = awx.run("drift.yml", site.read, {**site.variables, **hub})
    assert (red.status, red.stats["failures"]) == ("failed", {"my-hub": 1}), red.stdout
    assert log.requests
    assert not log.writes, log
    found = red.artifacts
    # The account may read everything that a run reads.
    assert found["drift_failures"] == []
    assert {"homes", "shares", "access", "hub"} == {*found["drift_parts"]}
    assert found["drift_parts"]["homes"] == {"create": 5}
    assert found["drift_hosts"] == {"my-hub": found["drift_total"]}

    first = awx.run("site.yml", site.write, site.variables)
    assert first.status == "successful", first.stdout
    assert len(site.cluster.claims(site.namespace)) == 6
    with audit(user=site.write.user) as log:
        second = awx.run("site.yml", site.write, site.variables)
    assert (second.status, second.changed) == ("successful", 0), second.stdout
    assert not log.writes, log

    green = awx.run("drift.yml", site.read, site.variables)
    assert green.status == "successful", green.stdout
    assert green.artifacts["drift_total"] == 0
    assert "Everything is as the inventory says." in green.stdout
    assert max(green.sizes().values()) < MAX_EVENT


def test_drift_made_by_somebody_is_named_with_its_owner(awx, site):
    awx.run("site.yml", site.write, site.variables, arguments="-t homes")
    (claim,) = [name for name in site.cluster.claims(site.namespace) if name.startswith("claim-bob")]
    site.cluster.patch(
        "persistentvolumeclaims", claim, {"metadata": {"labels": {"example.org/team": "other"}}}, site.namespace
    )
    red = awx.run("drift.yml", site.read, site.variables, arguments="-t homes")
    assert red.status == "failed"
    (change,) = red.artifacts["drift_changes"]
    assert (change["name"], change["owner"], change["host"]) == (claim, "bob@example.org", "my-hub")
    (line,) = [line for line in red.stdout.splitlines() if f"{site.namespace}/{claim}" in line]
    assert "bob@example.org" in line


def test_no_event_of_10_000_homes_is_emptied(site, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    (project / "many.csv").write_text(
        "".join(["name\n", *(f"student{number}@example.org\n" for number in range(HOMES))])
    )
    variables = {**site.variables, "homes_users_file": "many.csv"}
    job = Awx(tmp_path, project).run("drift.yml", site.read, variables, arguments="--diff -t homes")
    assert job.status == "failed"
    assert job.artifacts["drift_parts"]["homes"]["create"] == HOMES
    assert len(job.artifacts["drift_changes"]) == 200
    result = job.result("odh.persistency.user_pvc")
    assert result["summary"]["create"] == HOMES
    # AWX empties longer ones, and stores the rest of an event too.
    assert max(job.sizes().values()) < MAX_EVENT, job.sizes()


def test_a_run_after_a_cancelled_one_does_the_rest(site, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    (project / "some.csv").write_text("".join(["name\n", *(f"guest{number}@example.org\n" for number in range(300))]))
    variables = {**site.variables, "homes_users_file": "some.csv"}
    awx = Awx(tmp_path, project)

    def made():
        return {name for name in site.cluster.claims(site.namespace) if name.startswith("claim-guest")}

    def cancel(worker):
        try:
            wait_for(lambda: len(made()) > 20, "the first homes", within=120)
        finally:
            worker.kill()

    def settled():
        """What is made when the API server has handled the last requests of a job that has ended."""
        found = made()
        time.sleep(2)
        return found if found == made() else None

    cancelled = awx.run("site.yml", site.write, variables, watch=cancel, arguments="-t homes")
    before = len(wait_for(settled, "the last requests of the job"))
    assert cancelled.status == "error", cancelled
    assert 20 < before < 300
    resumed = awx.run("site.yml", site.write, variables, arguments="-t homes")
    assert resumed.status == "successful", resumed.stdout
    summary = resumed.result("odh.persistency.user_pvc")["summary"]
    assert (summary["create"], len(made())) == (300 - before, 300)
