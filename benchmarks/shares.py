"""The cases about shares: claims and volumes in many namespaces."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .bare import VOLUMES, claims
from .bench import Bench
from .peers import K8S, k8s, scaled
from .report import Row, at_least, at_most, below
from .run import Run, rounds

MODULE = "share_pvc"
SELECTOR = "labelSelector=odh.persistency/kind%3Dshare"
#: What `share_pvc` must read in any case: the claims and volumes of all namespaces.
LISTS = (f"/api/v1/persistentvolumeclaims?{SELECTOR}", f"{VOLUMES}?{SELECTOR}")
LEVELS = ("public", "private", "private", "private", "secret")
FEW = 4  # objects that a peer starts with, before a larger sample


def names(count: int) -> list[str]:
    return [f"shared-data-{number:03}" for number in range(count)]


def groups(count: int) -> list[str]:
    return [f"group-{number:03}" for number in range(count)]


@cache
def shares_file(bench: Bench) -> Path:
    """Write a file of shares on an NFS server, each with four groups under read and two under write."""
    known = groups(bench.sizes.groups)

    def some(number: int, many: int) -> list[str]:
        return sorted({known[(number * 7 + step * 61) % len(known)] for step in range(many)})

    shares = [
        {
            "name": name,
            "level": LEVELS[number % len(LEVELS)],
            "size": "100Gi",
            "backend": {"type": "nfs", "server": "nfs.example.org", "path": f"/exports/{name}"},
            "read": {"groups": [] if LEVELS[number % len(LEVELS)] == "public" else some(number, 4)},
            "write": {"groups": some(number + 3, 2)},
        }
        for number, name in enumerate(names(bench.sizes.shares))
    ]
    return bench.write("shares.json", shares)


def options(bench: Bench, namespaces: Sequence[str]) -> dict[str, Any]:
    return {"namespaces": list(namespaces), "shares_file": str(shares_file(bench))}


def some_namespaces(bench: Bench) -> list[str]:
    return [bench.namespace() for _ in range(bench.sizes.namespaces)]


@cache
def made(bench: Bench) -> list[str]:
    """Return namespaces with all shares in each of them, created once for all cases."""
    namespaces = some_namespaces(bench)
    bench.module(MODULE, options(bench, namespaces), expect={"create": targets(bench)})
    bench.settle()
    return namespaces


def targets(bench: Bench) -> int:
    """Return the number of claims, each with a volume."""
    return bench.sizes.shares * bench.sizes.namespaces


def title(bench: Bench) -> str:
    return f"{bench.sizes.shares:,} shares in {bench.sizes.namespaces} namespaces"


def creating(bench: Bench) -> list[Row]:
    """A volume and a claim for each share in each namespace. The minimum of the writing phase is bare POSTs."""
    template = _definitions(bench, made(bench))

    def ours() -> dict[str, float]:
        namespaces = some_namespaces(bench)
        run = bench.module(MODULE, options(bench, namespaces), expect={"create": targets(bench)})
        bench.settle()
        bench.drop(namespaces)
        return {"ours": run.seconds, "our writes": run.result["timings"]["write"]}

    def posts() -> dict[str, float]:
        namespaces = some_namespaces(bench)
        seconds, writes = bench.bare_create(_file(bench, template, namespaces))
        bench.settle()
        bench.drop(namespaces)
        return {"posts": seconds, "bare writes": writes}

    def nothing() -> dict[str, float]:
        return {"nothing": bench.do_nothing(options(bench, ["any"])).seconds}

    took = rounds(bench.sizes.rounds, [ours, posts, nothing])
    label, connections = f"{title(bench)} created", f"bare POSTs over {bench.connections} connections"
    note = f"bare POSTs {took['posts']:.2f} s + the playbook that does nothing {took['nothing']:.2f} s"
    return [
        at_most(
            f"{label}: the writing phase",
            took["our writes"],
            took["bare writes"],
            1.25,
            connections,
            judged=bench.judged,
        ),
        at_most(f"{label}: whole task", took["ours"], took["posts"] + took["nothing"], None, note),
    ]


def nothing_to_do(bench: Bench) -> list[Row]:
    """All volumes and claims are up to date. The minimum is bare LISTs and the playbook that does nothing."""
    namespaces = made(bench)
    given = options(bench, namespaces)
    bench.do_nothing(given)  # the first run fills the disk cache for all
    took = rounds(
        bench.sizes.rounds,
        [
            lambda: {"ours": bench.module(MODULE, given, expect={"keep": targets(bench)}).seconds},
            lambda: {"lists": bench.bare_list(*LISTS)[0]},
            lambda: {"nothing": bench.do_nothing(given).seconds},
        ],
    )
    label = f"{title(bench)}, nothing to do"
    note = f"bare LISTs {took['lists']:.2f} s + the playbook that does nothing {took['nothing']:.2f} s"
    rows = [
        at_most(f"{label}: whole task", took["ours"], took["lists"] + took["nothing"], 2.0, note, judged=bench.judged)
    ]
    with bench.recorded() as log:
        bench.module(MODULE, given, expect={"keep": targets(bench)})
    if log is not None:
        pages = bench.bare_list(*LISTS)[1]
        rows.append(
            below(
                f"{label}: requests of the whole task in the audit log",
                len(log.requests),
                pages + 2,
                "requests",
                f"{pages} pages",
            )
        )
        rows.append(below(f"{label}: of these, writes", len(log.writes), 0, "requests"))
    return rows


def peers(bench: Bench) -> list[Row]:
    """The duration of other tools that create the same volumes and claims, or find them up to date."""
    namespaces, sample = made(bench), bench.sizes.sample
    template = _definitions(bench, namespaces)
    places = some_namespaces(bench)
    few, some = (_file(bench, template, places, slice(*ends)) for ends in ((0, FEW), (FEW, FEW + sample)))
    rows = []
    new = some_namespaces(bench)
    bench.settle()
    creation = bench.module(MODULE, options(bench, new), expect={"create": targets(bench)})
    bench.settle()
    bench.drop(new)
    keeping = bench.module(MODULE, options(bench, namespaces), expect={"keep": targets(bench)})
    for words, run, changed in (("created", creation, True), ("nothing to do", keeping, False)):
        first, rest = (k8s(bench, file, changed=changed) for file in (few, some))
        bench.settle()
        rows.append(_scaled_row(f"{title(bench)}, {words}: task", run, first, rest, sample, 2 * targets(bench)))
    bench.drop(places)
    return rows


def _scaled_row(label: str, ours: Run, first: Run, rest: Run, sample: int, count: int) -> Row:
    seconds = scaled(first, rest, FEW, sample, count)
    return at_least(label, ours.task_seconds, seconds, None, f"{K8S}, one task, {sample} of {count:,} objects scaled")


def _definitions(bench: Bench, namespaces: Sequence[str]) -> str:
    """Return manifests that create everything as our module does, as JSON: each volume, then its claim."""
    wanted = set(namespaces)
    volumes = {
        (item["spec"]["claimRef"]["namespace"], item["spec"]["claimRef"]["name"]): _volume(item)
        for item in bench.items(LISTS[1])
        if item["spec"]["claimRef"]["namespace"] in wanted
    }
    found = []
    for namespace in namespaces:
        for item in bench.items(f"{claims(namespace)}?{SELECTOR}"):
            found += [volumes[namespace, item["metadata"]["name"]], _claim(item)]
    # Placeholders for the names of namespaces, also inside the names of volumes: @0@, @1@, ...
    text = json.dumps(found)
    for number, namespace in enumerate(namespaces):
        text = re.sub(rf"{re.escape(namespace)}(?![0-9])", f"@{number}@", text)
    return text


def _file(bench: Bench, template: str, namespaces: Sequence[str], part: slice | None = None) -> Path:
    """Write the manifests for these namespaces, all or a part of them."""
    text = re.sub(r"@(\d+)@", lambda match: namespaces[int(match[1])], template)
    found = json.loads(text)[part or slice(None)]
    return bench.write(f"definitions-{namespaces[0]}-{len(found)}.json", found)


def _volume(item: Mapping[str, Any]) -> dict[str, Any]:
    spec = {key: value for key, value in item["spec"].items() if key != "volumeMode"}
    spec["claimRef"] = {key: spec["claimRef"][key] for key in ("apiVersion", "kind", "namespace", "name")}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": _metadata(item), "spec": spec}


def _claim(item: Mapping[str, Any]) -> dict[str, Any]:
    spec = {key: value for key, value in item["spec"].items() if key != "volumeMode"}
    metadata = {**_metadata(item), "namespace": item["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _metadata(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = item["metadata"]
    annotations = {
        key: value for key, value in metadata.get("annotations", {}).items() if not key.startswith("pv.kubernetes.io/")
    }
    return {"name": metadata["name"], "labels": metadata.get("labels", {}), "annotations": annotations}
