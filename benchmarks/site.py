"""The case about a whole playbook: `site.yml` with the inventory of the demo, and nothing to do."""

from __future__ import annotations

import json
import tempfile

from testbed.paths import ROOT

from .bench import Bench
from .report import Row, at_most, below
from .run import Run, command, rounds

INVENTORY = ROOT / "examples" / "inventories" / "demo"
#: The bound in seconds.
NOTHING = 5.0


def nothing_to_do(bench: Bench) -> list[Row]:
    """Homes and shares of 40 people are as declared. The minimum is the playbook that does nothing."""
    namespace = bench.namespace()
    bench.kubectl("create", "namespace", f"{namespace}-jobs")
    label = "`site.yml`, homes and shares of 40 people, nothing to do"
    with tempfile.TemporaryDirectory(prefix="odh-persistency-bench-") as folder:
        variables = {"homes_namespace": namespace, "shares_path": folder}

        def site() -> Run:
            playbook = [ROOT / "playbooks" / "site.yml", "--tags", "homes,shares"]
            return command(
                ["ansible-playbook", "-i", INVENTORY, *playbook, "-e", json.dumps(variables)], bench.environment
            )

        def ours() -> dict[str, float]:
            run = site()
            if " changed=0 " not in run.output:
                raise AssertionError(f"site.yml changed something:\n{run.output[-3000:]}")
            return {"ours": run.seconds}

        def nothing() -> dict[str, float]:
            return {"nothing": bench.do_nothing({"namespace": namespace}).seconds}

        try:
            site()
            took = rounds(max(3, bench.sizes.rounds), [ours, nothing])
            with bench.recorded() as log:
                ours()
        finally:
            bench.drop([namespace, f"{namespace}-jobs"])
    rows = [
        below(f"{label}: whole playbook", took["ours"] * 1000, NOTHING * 1000, "ms", judged=bench.judged),
        at_most(f"{label}: whole playbook", took["ours"], took["nothing"], None, "the playbook that does nothing"),
    ]
    if log is not None:
        rows.append(below(f"{label}: requests in the audit log", len(log.requests), None, "requests"))
        rows.append(below(f"{label}: of these, writes", len(log.writes), 0, "requests"))
    return rows
