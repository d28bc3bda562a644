"""The cases about the spawn hook: what it adds to the start of a server by a real KubeSpawner."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.real_spawns import RealSpawns

from . import acl, shares
from . import bench as benches
from .bench import Bench
from .report import Row, at_most, below
from .run import rounds

#: The KubeSpawner of Zero to JupyterHub 4.4.
KUBESPAWNER = "7.0"
#: Bounds: the milliseconds of CPU time and the requests that the hook adds to a start.
OWN, REQUESTS = 50, 5
PEOPLE = 10  # whose servers start in each round
WARM = {"home_path": acl.HOME}
#: Settings that differ in the limit of a request in seconds: each makes a hook of its own, whose cache is empty.
COLD = ({**WARM, "timeout": seconds} for seconds in itertools.cycle(range(10, 60)))


class Starts:
    """Starts of servers up to the complete pod, by one running KubeSpawner in a namespace with shares and their ACL."""

    def __init__(self, bench: Bench, namespace: str) -> None:
        self._bench, self._namespace = bench, namespace
        self._spawns = RealSpawns(KUBESPAWNER, Path(bench.environment["KUBECONFIG"]))
        self.people = list(benches.names(PEOPLE))

    def start(self, person: str, settings: Mapping[str, Any] | None) -> dict[str, Any]:
        """Start a server, without the hook if `settings` is None."""
        mounts = [{"name": "home", "mountPath": acl.HOME}]
        answer = self._spawns.start(self._namespace, person, settings=settings, config={"volume_mounts": mounts})
        if "pod" not in answer:
            raise AssertionError(answer)
        return answer

    def measured(self, name: str) -> dict[str, float]:
        """Return the medians of the duration and the CPU time of a start: `without` the hook, `warm` or `cold`."""
        answers = []
        for person in self.people:
            settings = {"without": lambda: None, "warm": lambda: WARM, "cold": lambda: next(COLD)}[name]()
            answers.append(self.start(person, settings))
        return {
            name: statistics.median(answer["seconds"] for answer in answers),
            f"{name} CPU": statistics.median(answer["cpu"] for answer in answers),
        }

    def reads(self, settings: Mapping[str, Any] | None, person: str = "") -> int | None:
        """Return the number of requests of a start that read claims and ConfigMaps, None without an audit log."""
        with self._bench.recorded() as log:
            self.start(person or self.people[0], settings)
        if log is None:
            return None
        kinds = ("configmaps", "persistentvolumeclaims")
        return sum(one.resource in kinds and one.verb in ("get", "list") for one in log.requests)


@cache
def starts(bench: Bench) -> Starts:
    """Return what both cases use, created once. Everybody has a home that the hook has labelled."""
    namespace = bench.namespace()
    bench.module(shares.MODULE, shares.options(bench, [namespace]), expect={"create": bench.sizes.shares})
    bench.task({f"odh.persistency.{acl.MODULE}": acl.options(bench, namespace)})
    bench.settle()
    found = Starts(bench, namespace)
    for person in found.people:
        found.start(person, WARM)
    return found


def starting(bench: Bench) -> list[Row]:
    """Starts with and without the hook: its own CPU time, and the duration."""
    found = starts(bench)
    took = rounds(bench.sizes.rounds, [lambda name=name: found.measured(name) for name in ("without", "warm", "cold")])
    mounted = statistics.median(_shares(found.start(person, WARM)) for person in found.people)
    own, first = ((took[f"{name} CPU"] - took["without CPU"]) * 1000 for name in ("warm", "cold"))
    label, without = f"{acl.title(bench)}: a start", f"KubeSpawner {KUBESPAWNER} without the hook"
    many, parts = f"{mounted:.0f} shares are mounted", "the parts of the access list are read and validated"
    return [
        below(f"{label}: CPU time of the hook", own, OWN, "ms", many, judged=bench.judged),
        below(f"{label}, the first after a change: CPU time of the hook", first, OWN, "ms", parts, judged=bench.judged),
        at_most(f"{label}: CPU time", took["warm CPU"], took["without CPU"], None, without),
        at_most(f"{label}: until the pod is complete", took["warm"], took["without"], None, without),
    ]


def requests(bench: Bench) -> list[Row]:
    """The requests that the hook adds to a start, in the audit log. KubeSpawner alone reads no claim of this stranger."""
    found = starts(bench)
    without, settings = found.reads(None), next(COLD)
    rows = []
    for words in ("a start, the first after a change", "a start"):
        reads = found.reads(settings)
        if reads is None or without is None:
            return []
        label = f"{acl.title(bench)}: {words}: requests of the hook that read"
        rows.append(below(label, reads - without, REQUESTS, "requests"))
    reads = found.reads(next(COLD), "stranger")
    if reads is not None:
        label = f"{acl.title(bench)}: the first start of an unknown user: requests of the hook that read"
        rows.append(below(label, reads, REQUESTS + 1, "requests", "one of them reads the new home"))
    return rows


def _shares(answer: Mapping[str, Any]) -> int:
    volumes = answer["pod"]["spec"]["volumes"]
    return sum(volume["name"].startswith("odh-share-") for volume in volumes)
