"""The cases about access: compiling, publishing and querying the ACL."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import (
    AclDocument,
    compile_acl,
    document_of,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.diff import compare
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.groups import parse_groups
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from ansible_collections.odh.persistency.plugins.module_utils._hub import access, acl_format
from ansible_collections.odh.persistency.plugins.module_utils._io.files.share_files import (
    load_groups_file,
    load_shares_file,
)

from . import bench as benches
from .bare import config_maps
from .bench import Bench
from .peers import K8S, k8s
from .report import Row, at_least, at_most, below
from .run import Run, rounds
from .shares import groups, shares_file

MODULE = "share_acl"
INFO = "share_access_info"
SELECTOR = "labelSelector=odh.persistency/kind+in+(acl-index,acl-part)"
HOME = "/opt/app-root/src"
GROUPS_OF_EACH = 10
#: Bounds in milliseconds: compiling, an answer about everybody, an answer about one person.
COMPILING, ANSWERING, DECIDING = 1000, 5000, 1
PEOPLE_DECIDED = 1000
#: The lists with which each run checks the claims that the access list grants: claims and volumes.
GRANTED_CLAIMS = 2


@cache
def groups_file(bench: Bench) -> Path:
    """Write a file of groups. Each person is in ten of them."""
    known = groups(bench.sizes.groups)
    members: dict[str, list[str]] = {name: [] for name in known}
    for number, person in enumerate(benches.names(bench.sizes.people)):
        for step in range(GROUPS_OF_EACH):
            members[known[(number * 31 + step * (7 + number % 13) * 2 + step) % len(known)]].append(person)
    return bench.write("groups.json", members)


def options(bench: Bench, namespace: str) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "shares_file": str(shares_file(bench)),
        "groups_file": str(groups_file(bench)),
    }


def title(bench: Bench) -> str:
    sizes = bench.sizes
    return f"{sizes.shares:,} shares, {sizes.people:,} people in {sizes.groups:,} groups"


def compiled(bench: Bench) -> tuple[AclDocument, dict[str, float]]:
    """Return the ACL of the files, and the seconds for reading and for compiling."""
    started = time.perf_counter()
    shares, wrong = parse_shares(load_shares_file(str(shares_file(bench))), "shares", HOME, ())
    members, more = parse_groups(load_groups_file(str(groups_file(bench))), "groups")
    if wrong + more:
        raise AssertionError(wrong + more)
    read = time.perf_counter()
    document = document_of(compile_acl(shares, members, "any"))
    return document, {"read": read - started, "compiled": time.perf_counter() - read}


@cache
def published(bench: Bench) -> str:
    """Return a namespace with the ACL, created once for all cases."""
    namespace = bench.namespace()
    _publish(bench, namespace)
    bench.settle()
    return namespace


def compared(bench: Bench) -> dict[str, float]:
    """Return the seconds for comparing and describing a change: for one person, and for nearly everybody."""
    shares, _ = parse_shares(load_shares_file(str(shares_file(bench))), "shares", HOME, ())
    members = load_groups_file(str(groups_file(bench)))
    first, *rest = members
    turned = dict(zip(members, [*(members[name] for name in rest), members[first]], strict=True))
    old = compile_acl(shares, members, "any")
    took = {}
    gone = {name: [person for person in people if person != members[first][0]] for name, people in members.items()}
    for words, other in (("one", gone), ("everybody", turned)):
        new = compile_acl(shares, other, "any")
        started = time.perf_counter()
        if not compare(old, new, date(2026, 1, 1)).sentences:
            raise AssertionError(f"nothing changed for {words}")
        took[words] = time.perf_counter() - started
    return took


def compiling(bench: Bench) -> list[Row]:
    """From files to the stored texts, and the comparison of two ACLs, in pure code."""
    took = rounds(max(3, bench.sizes.rounds), [lambda: compiled(bench)[1], lambda: compared(bench)])
    label = title(bench)
    return [
        below(f"{label}: compiled", took["compiled"] * 1000, COMPILING, "ms", judged=bench.judged),
        below(f"{label}: files read and validated before that", took["read"] * 1000, None, "ms"),
        below(f"{label}: compared, one person has left", took["one"] * 1000, None, "ms"),
        below(f"{label}: compared, every group has other people", took["everybody"] * 1000, None, "ms"),
    ]


def publishing(bench: Bench) -> list[Row]:
    """Publishing a first ACL, compared with other ways to create the same ConfigMaps."""
    definitions = _definitions(bench, published(bench))
    k8s(bench, bench.definitions_file(definitions[:1], bench.namespace()), changed=True)  # fills its cache

    def ours() -> dict[str, float]:
        run = _publish(bench, bench.namespace())
        return {"ours": run.seconds, "our task": run.task_seconds}

    def posts() -> dict[str, float]:
        return {"posts": bench.bare_create(bench.definitions_file(definitions, bench.namespace()))[0]}

    def nothing() -> dict[str, float]:
        return {"nothing": bench.do_nothing(options(bench, "any")).seconds}

    def theirs() -> dict[str, float]:
        run = k8s(bench, bench.definitions_file(definitions, bench.namespace()), changed=True)
        return {"theirs": run.seconds, "their task": run.task_seconds}

    took = rounds(bench.sizes.rounds, [ours, posts, nothing, theirs])
    label = f"{title(bench)}, published"
    note = f"bare POSTs {took['posts']:.2f} s + the playbook that does nothing {took['nothing']:.2f} s"
    same = f"{K8S}, one task, the same {len(definitions)} ConfigMaps"
    return [
        at_most(f"{label}: whole task", took["ours"], took["posts"] + took["nothing"], None, note),
        at_least(f"{label}: task", took["our task"], took["their task"], None, same),
        at_least(f"{label}: whole task", took["ours"], took["theirs"], None, same),
    ]


def nothing_to_do(bench: Bench) -> list[Row]:
    """The ACL is up to date. The minimum is a bare LIST and the playbook that does nothing."""
    namespace = published(bench)
    given, expect = options(bench, namespace), {"keep": _objects(bench)}
    path = f"{config_maps(namespace)}?{SELECTOR}"
    bench.do_nothing(given)

    def ours() -> dict[str, float]:
        run = bench.module(MODULE, given, expect=expect)
        return {"ours": run.seconds, "our task": run.task_seconds}

    took = rounds(
        bench.sizes.rounds,
        [
            ours,
            lambda: {"list": bench.bare_list(path)[0]},
            lambda: {"nothing": bench.do_nothing(given).seconds},
        ],
    )
    label = f"{title(bench)}, nothing to do"
    note = f"bare LIST {took['list']:.2f} s + the playbook that does nothing {took['nothing']:.2f} s"
    rows = [at_most(f"{label}: whole task", took["ours"], took["list"] + took["nothing"], None, note)]
    with bench.recorded() as log:
        bench.module(MODULE, given, expect=expect)
    if log is not None:
        pages = bench.bare_list(path)[1]
        rows.append(
            below(
                f"{label}: requests of the whole task in the audit log",
                len(log.requests),
                pages + GRANTED_CLAIMS,
                "requests",
                f"{pages} pages of the access list, the claims and the volumes",
            )
        )
        rows.append(below(f"{label}: of these, writes", len(log.writes), 0, "requests"))
    definitions = _definitions(bench, namespace)
    theirs = k8s(bench, bench.definitions_file(definitions, namespace), changed=False)
    same = f"{K8S}, one task, the same {len(definitions)} ConfigMaps"
    rows.append(at_least(f"{label}: task", took["our task"], theirs.task_seconds, None, same))
    return rows


def answering(bench: Bench) -> list[Row]:
    """Queries: everybody at once, with the start of the module, and one person in pure code."""
    namespace = published(bench)
    questions: list[tuple[str, Mapping[str, Any]]] = [
        ("who gets what at a glance", {}),
        ("every person's grant of every share, as CSV", {"matrix": "csv"}),
        ("the same as text", {"matrix": "all"}),
        ("one person, with the rules", {"for_users": [next(benches.names(1))]}),
    ]
    took = rounds(
        bench.sizes.rounds,
        [lambda words=words, more=more: {words: _asked(bench, namespace, more)} for words, more in questions],
    )
    label = f"{bench.sizes.people:,} people x {bench.sizes.shares:,} shares"
    rows = [
        below(f"{label}: {words}: task", took[words] * 1000, ANSWERING, "ms", judged=bench.judged)
        for words, _ in questions
    ]
    decided = _decided(bench) * 1000
    rows.append(
        Row(
            f"{label}: one person decided, of an ACL that is loaded",
            f"{decided:.2f} ms",
            f"the median of {PEOPLE_DECIDED:,} people",
            "",
            f"at most {DECIDING} ms",
            decided <= DECIDING if bench.judged else None,
        )
    )
    return rows


def _asked(bench: Bench, namespace: str, more: Mapping[str, Any]) -> float:
    run = bench.task({f"odh.persistency.{INFO}": {"namespace": namespace, **more}})
    if "for_users" not in more and run.result["people"] != bench.sizes.people:
        raise AssertionError(f"{INFO} returned {run.result}, where {bench.sizes.people} people were due")
    return run.task_seconds


def _decided(bench: Bench) -> float:
    """Return the seconds that the rules take for one person, with the parts loaded."""
    document = compiled(bench)[0]
    texts = {part.prefix: part for part in document.parts.values() if part.kind == "members"}
    [shares] = [part for part in document.parts.values() if part.kind == "shares"]
    loaded = access.load_shares(shares.text, shares.digest)
    members = {prefix: access.load_members(part.text, part.digest) for prefix, part in texts.items()}
    digits = access.load_index(document.index, document.digest)["digits"]
    seconds = []
    for person in benches.names(min(PEOPLE_DECIDED, bench.sizes.people)):
        part = members[acl_format.prefix_of(person, digits)]
        started = time.perf_counter()
        decision = access.decide(loaded, part, access.SpawnRequest(person, today=date(2026, 1, 1), home=HOME))
        seconds.append(time.perf_counter() - started)
        if len(decision.verdicts) != bench.sizes.shares:
            raise AssertionError(decision)
    return statistics.median(seconds)


def _publish(bench: Bench, namespace: str) -> Run:
    run = bench.task({f"odh.persistency.{MODULE}": options(bench, namespace)})
    # The summary also counts the grants that take effect with the ConfigMaps.
    if run.result["summary"]["create"] < _objects(bench) or run.result["summary"]["keep"]:
        raise AssertionError(f"{MODULE} returned {run.result}, where {_objects(bench)} ConfigMaps were to be made")
    return run


@cache
def _objects(bench: Bench) -> int:
    """Return the number of ConfigMaps of the ACL: its parts and the index."""
    return len(compiled(bench)[0].parts) + 1


def _definitions(bench: Bench, namespace: str) -> Sequence[dict[str, Any]]:
    """Return manifests that create the ConfigMaps as our module does, the index last."""
    found = bench.items(f"{config_maps(namespace)}?{SELECTOR}")
    found.sort(key=lambda item: "immutable" not in item)
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                **{key: item["metadata"][key] for key in ("name", "labels", "annotations")},
                "namespace": namespace,
            },
            "data": item["data"],
            **({"immutable": True} if item.get("immutable") else {}),
        }
        for item in found
    ]
