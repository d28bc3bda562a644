"""Jobs of the project examples/awx, as AWX runs them: a check, a first and a second run, and drift."""

from __future__ import annotations

from tests.support.awx import MAX_EVENT


def test_from_nothing_to_a_green_check(awx, site, audit):
    with audit(user=site.read.user) as log:
        red = awx.run("drift.yml", site.read, site.variables)
    assert (red.status, red.stats["failures"]) == ("failed", {"my-hub": 1}), red.stdout
    assert log.requests
    assert not log.writes, log
    found = red.artifacts
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
