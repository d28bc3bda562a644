"""The cases about running servers: what they cost to compare with the ACL, and how many requests it takes."""

from __future__ import annotations

import atexit
import time
from datetime import date
from functools import cache
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access import ReportContext
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.comparison import Grants
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.pods import server_pod_from
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.groups import parse_groups
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from ansible_collections.odh.persistency.plugins.module_utils._io.files.share_files import (
    load_groups_file,
    load_shares_file,
)

from tests.hub.rig import NEWEST, RealHub
from tests.support.servers import mount, server_pod

from . import acl
from . import bench as benches
from .bare import claims, config_maps, pods
from .bench import Bench
from .report import Row, at_most, below
from .run import rounds
from .shares import shares_file

MODULE = "server_access"
#: The most users that the hub returns at once, as it is unless configured, and shares that each server mounts.
PAGE, MOUNTS = 200, 5
#: Seconds for comparing all servers, in pure code.
COMPARING = 5.0


class LargeHub(RealHub):
    """A hub with pages of the usual size. Its users have no servers: the pods are only in the cluster."""

    def _settings(self, port: int) -> dict[str, Any]:
        return {**super()._settings(port), "page": PAGE}


@cache
def running(bench: Bench) -> tuple[str, LargeHub]:
    """Return a namespace with an ACL and pods, and a hub with their users. Created once."""
    namespace = acl.published(bench)
    people = list(benches.names(bench.sizes.new))
    items = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            **server_pod(person, mounts=_mounts(bench, number), name=f"server-{number}"),
        }
        for number, person in enumerate(people)
    ]
    bench.bare_create(bench.definitions_file(items, namespace))
    hub = LargeHub(NEWEST).start()
    atexit.register(hub.close)
    hub.add(*people)
    bench.settle()
    return namespace, hub


def comparing(bench: Bench) -> list[Row]:
    """The comparison of all servers, in pure code."""
    pods_of_all = [_pod(bench, number, person) for number, person in enumerate(benches.names(bench.sizes.new))]
    shares, _ = parse_shares(load_shares_file(str(shares_file(bench))), "shares", acl.HOME, ())
    members, _ = parse_groups(load_groups_file(str(acl.groups_file(bench))), "groups")
    compiled = compile_acl(shares, members, "any")

    def compare() -> dict[str, float]:
        grants = Grants(compiled, {}, ReportContext(date(2026, 1, 1)))
        started = time.perf_counter()
        for pod in pods_of_all:
            grants.compare(pod)
        return {"compared": time.perf_counter() - started}

    took = rounds(bench.sizes.rounds, [compare])
    label = f"{title(bench)}: compared"
    return [below(label, took["compared"] * 1000, COMPARING * 1000, "ms", judged=bench.judged)]


def reporting(bench: Bench) -> list[Row]:
    """A report about all servers. The minimum is bare LISTs and the playbook that does nothing."""
    namespace, hub = running(bench)
    given = {"namespace": namespace, "hub": {"url": hub.url, "token": hub.tokens["access"]}}
    paths = [pods(namespace), claims(namespace), f"{config_maps(namespace)}?{acl.SELECTOR}"]

    def ours() -> dict[str, float]:
        run = bench.module(MODULE, given, expect={"keep": bench.sizes.new})
        return {"ours": run.seconds}

    took = rounds(
        bench.sizes.rounds,
        [
            ours,
            lambda: {"lists": bench.bare_list(*paths)[0]},
            lambda: {"nothing": bench.do_nothing({"namespace": namespace}).seconds},
        ],
    )
    note = f"bare LISTs {took['lists']:.2f} s + the playbook that does nothing {took['nothing']:.2f} s, without the hub"
    label = f"{title(bench)}: reported"
    rows = [at_most(f"{label}: whole task", took["ours"], took["lists"] + took["nothing"], None, note)]
    with bench.recorded() as log:
        bench.module(MODULE, given, expect={"keep": bench.sizes.new})
    if log is not None:
        pages = bench.bare_list(*paths)[1]
        words = f"{pages} pages of pods, claims and the access list"
        rows.append(below(f"{label}: requests in the audit log", len(log.requests), pages, "requests", words))
        rows.append(below(f"{label}: of these, writes", len(log.writes), 0, "requests"))
    return rows


def title(bench: Bench) -> str:
    return f"{bench.sizes.new:,} servers, {acl.title(bench)}"


def _mounts(bench: Bench, number: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    names = _share_names(bench)
    return [mount(names[(number + step) % len(names)]) for step in range(min(MOUNTS, len(names)))]


def _pod(bench: Bench, number: int, person: str) -> Any:
    return server_pod_from(server_pod(person, mounts=_mounts(bench, number), name=f"server-{number}"))


@cache
def _share_names(bench: Bench) -> list[str]:
    """Return the names of the shares, which are those of their claims."""
    return [share["name"] for share in load_shares_file(str(shares_file(bench)))]
