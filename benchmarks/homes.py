"""The cases about homes. Each is a function of the bench that returns its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .bare import claims
from .bench import Bench
from .peers import K8S, k8s
from .report import Row, at_least, at_most, below
from .run import MIB, Run, rounds

KUBECTL: tuple[tuple[str, ...], ...] = ((), ("--server-side",))
MEMORY = 400  # MiB, the bound of the issue for 10,000 homes


@cache
def made(bench: Bench, count: int) -> tuple[str, Path, Run]:
    """Create a namespace with homes, once for all cases. Return its name, the users file, and the run."""
    namespace, users = bench.namespace(), bench.users_file(count)
    run = bench.ours(namespace, users_file=users, expect={"create": count}, watch_memory=True)
    bench.settle()
    return namespace, users, run


def nothing_to_do(bench: Bench) -> list[Row]:
    """All homes are up to date. The minimum is a bare LIST and the playbook that does nothing."""
    count = bench.sizes.many
    namespace, users, _ = made(bench, count)
    rows = []
    ways: list[tuple[str, dict[str, Any], float | None]] = [
        ("users from a file", {"users_file": users}, 2.0),
        ("names through variables", {"variables": bench.variables_file(count, "names")}, None),
        ("dicts through variables", {"variables": bench.variables_file(count, "dicts")}, None),
    ]
    bench.nothing(namespace, users_file=users)  # the first run fills the disk cache for all
    for way, options, bound in ways:
        took = rounds(
            bench.sizes.rounds,
            [
                lambda options=options: {"ours": bench.ours(namespace, expect={"keep": count}, **options).seconds},
                lambda: {"list": bench.bare_list(claims(namespace))[0]},
                lambda options=options: {"nothing": bench.nothing(namespace, **options).seconds},
            ],
        )
        label = f"{count:,} homes, nothing to do, {way}: whole task"
        note = f"bare LIST {took['list']:.2f} s + the playbook that does nothing {took['nothing']:.2f} s"
        rows.append(at_most(label, took["ours"], took["list"] + took["nothing"], bound, note, judged=bench.judged))
    with bench.recorded() as log:
        bench.ours(namespace, users_file=users, expect={"keep": count})
    if log is not None:
        pages = bench.bare_list(claims(namespace))[1]
        label = f"{count:,} homes, nothing to do: "
        rows.append(
            below(
                f"{label}requests of the whole task in the audit log",
                len(log.requests),
                pages + 2,
                "requests",
                f"{pages} pages",
            )
        )
        rows.append(below(f"{label}of these, writes", len(log.writes), 0, "requests"))
    return rows


def creating(bench: Bench) -> list[Row]:
    """New homes. The minimum of the writing phase is bare POSTs."""
    count = bench.sizes.new
    users, definitions = bench.users_file(count), _definitions(bench, count)

    def ours() -> dict[str, float]:
        run = bench.ours(bench.namespace(), users_file=users, expect={"create": count})
        bench.settle()
        return {"ours": run.seconds, "our writes": run.result["timings"]["write"]}

    def posts() -> dict[str, float]:
        seconds, writes = bench.bare_create(bench.definitions_file(definitions, bench.namespace()))
        bench.settle()
        return {"posts": seconds, "bare writes": writes}

    def nothing() -> dict[str, float]:
        return {"nothing": bench.nothing("any", users_file=users).seconds}

    took = rounds(bench.sizes.rounds, [ours, posts, nothing])
    label, connections = f"{count:,} homes created", f"bare POSTs over {bench.connections} connections"
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


def check_mode(bench: Bench) -> list[Row]:
    """In check mode the API server validates every new home, which takes no longer than creating it."""
    count = bench.sizes.new
    users = bench.users_file(count)
    namespace = bench.namespace()

    def checked() -> dict[str, float]:
        return {"checked": bench.ours(namespace, users_file=users, expect={"create": count}, check=True).seconds}

    def created() -> dict[str, float]:
        run = bench.ours(bench.namespace(), users_file=users, expect={"create": count})
        bench.settle()
        return {"created": run.seconds}

    took = rounds(bench.sizes.rounds, [checked, created])
    label = f"{count:,} new homes in check mode: whole task"
    return [at_most(label, took["checked"], took["created"], 1.0, "the same homes created", judged=bench.judged)]


def peers_creating(bench: Bench) -> list[Row]:
    """The duration of other tools that create the same claims."""
    new, loop = bench.sizes.new, bench.sizes.loop
    users, definitions = bench.users_file(new), _definitions(bench, new)
    _warm_peers_up(bench, definitions)

    def ours() -> dict[str, float]:
        bench.settle()
        run = bench.ours(bench.namespace(), users_file=users, expect={"create": new})
        return {"ours": run.seconds, "our task": run.task_seconds}

    def theirs() -> dict[str, float]:
        bench.settle()
        run = _k8s(bench, definitions, bench.namespace(), changed=True)
        return {"k8s": run.seconds, "k8s task": run.task_seconds}

    took = rounds(bench.sizes.rounds, [ours, theirs])
    label, task = f"{new:,} homes created", took["our task"]
    rows = [
        at_least(f"{label}: task", task, took["k8s task"], 10, f"{K8S}, one task", judged=bench.judged),
        at_least(f"{label}: whole task", took["ours"], took["k8s"], None, f"{K8S}, one task"),
    ]
    bench.settle()
    looped = _k8s(bench, definitions[:loop], bench.namespace(), changed=True, in_a_loop=True)
    rows.append(_looped(label, task, looped, loop, new))
    for options in KUBECTL:
        bench.settle()
        rows.append(_kubectl(bench, label, task, definitions, new, options, converged=False))
    return rows


def peers_nothing_to_do(bench: Bench) -> list[Row]:
    """The duration of other tools that find the same claims up to date."""
    many, loop = bench.sizes.many, bench.sizes.loop
    namespace, users, _ = made(bench, many)
    definitions = bench.definitions(namespace)
    _warm_peers_up(bench, definitions)

    def ours() -> dict[str, float]:
        run = bench.ours(namespace, users_file=users, expect={"keep": many})
        return {"ours": run.seconds, "our task": run.task_seconds}

    took = rounds(bench.sizes.rounds, [ours])
    label, task = f"{many:,} homes, nothing to do", took["our task"]
    theirs = _k8s(bench, definitions, namespace, changed=False)
    rows = [
        at_least(f"{label}: task", task, theirs.task_seconds, 50, f"{K8S}, one task", judged=bench.judged),
        at_least(f"{label}: whole task", took["ours"], theirs.seconds, None, f"{K8S}, one task"),
    ]
    looped = _k8s(bench, definitions[:loop], namespace, changed=False, in_a_loop=True)
    rows.append(_looped(label, task, looped, loop, many))
    rows += [_kubectl(bench, label, task, definitions, many, options, converged=True) for options in KUBECTL]
    return rows


def memory(bench: Bench) -> list[Row]:
    """The maximum memory of runs over many homes."""
    count = bench.sizes.many
    namespace, users, creation = made(bench, count)
    keeping = bench.ours(namespace, users_file=users, expect={"keep": count}, watch_memory=True)
    rows = []
    for title, run in (("nothing to do", keeping), ("created", creation)):
        for of, size in (("the module", run.module_memory), ("the whole task", run.tree_memory)):
            label = f"{count:,} homes, {title}: memory of {of}"
            rows.append(below(label, size / MIB, MEMORY, "MiB", judged=bench.judged))
    nothing = bench.nothing(namespace, users_file=users, watch_memory=True)
    rows.append(
        below("the playbook that does nothing: memory of the whole task", nothing.tree_memory / MIB, None, "MiB")
    )
    return rows


def huge(bench: Bench) -> list[Row]:
    """Ten times as many homes as the largest known hub has, in one task."""
    count = bench.sizes.huge
    namespace, users, creation = made(bench, count)
    seconds = bench.ours(namespace, users_file=users, expect={"keep": count}).seconds
    listed, _ = bench.bare_list(claims(namespace))
    nothing = bench.nothing(namespace, users_file=users).seconds
    keeping = bench.ours(namespace, users_file=users, expect={"keep": count}, watch_memory=True)
    note = f"bare LIST {listed:.2f} s + the playbook that does nothing {nothing:.2f} s"
    rows = [
        at_most(f"{count:,} homes, nothing to do: whole task", seconds, listed + nothing, None, note),
        below(f"{count:,} homes, created: whole task", creation.seconds, None, "s"),
    ]
    for title, run in (("nothing to do", keeping), ("created", creation)):
        for of, size in (("the module", run.module_memory), ("the whole task", run.tree_memory)):
            rows.append(below(f"{count:,} homes, {title}: memory of {of}", size / MIB, None, "MiB"))
    return rows


@cache
def _definitions(bench: Bench, count: int) -> list[dict[str, Any]]:
    """Return manifests of claims as our module creates them. The run also warms up the API server."""
    namespace, _, _ = made(bench, count)
    return bench.definitions(namespace)


def _k8s(bench: Bench, definitions: Sequence[Any], namespace: str, *, changed: bool, in_a_loop: bool = False) -> Run:
    """Run kubernetes.core.k8s over manifests, all in one task or in a loop."""
    return k8s(bench, bench.definitions_file(definitions, namespace), changed=changed, in_a_loop=in_a_loop)


def _looped(label: str, ours: float, looped: Run, loop: int, count: int) -> Row:
    scaled = looped.task_seconds / loop * count
    return at_least(f"{label}: task", ours, scaled, None, f"{K8S} in a loop, {loop} homes scaled")


def _kubectl(
    bench: Bench,
    label: str,
    ours: float,
    definitions: Sequence[Any],
    count: int,
    options: Sequence[str],
    *,
    converged: bool,
) -> Row:
    """kubectl apply of a sample, in a namespace of its own (it annotates what it creates)."""
    sample, namespace = bench.sizes.sample, bench.namespace()
    one, rest = (
        bench.definitions_file(part, namespace, kind="List") for part in (definitions[:1], definitions[1:sample])
    )
    if converged:
        for file in (one, rest):
            bench.kubectl("apply", *options, "-f", file)
        bench.settle()
    # The time for the first manifest, with the start, is counted once.
    first, others = (bench.kubectl("apply", *options, "-f", file).seconds for file in (one, rest))
    each = (others - first) / (sample - 2)
    scaled = first + each * (count - 1)
    title = " ".join(("kubectl apply", *options))
    return at_least(f"{label}: task", ours, scaled, None, f"{title}, {sample} homes scaled")


def _warm_peers_up(bench: Bench, definitions: Sequence[Any]) -> None:
    """Let the other tools fill their discovery caches."""
    namespace = bench.namespace()
    _k8s(bench, definitions[:1], namespace, changed=True)
    bench.kubectl("apply", "-f", bench.definitions_file(definitions[:1], bench.namespace(), kind="List"))
