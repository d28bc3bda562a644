"""The cases about homes. Each is a function of the bench that returns its rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from .bench import Bench
from .report import Row, at_least, at_most, below
from .run import MIB, Run, rounds

K8S = "kubernetes.core.k8s"
MEMORY = 400  # MiB, the bound of the issue for 10,000 homes


@cache
def made(bench: Bench, count: int) -> tuple[str, Path, Run]:
    """A namespace with so many homes of ours, once for all cases: its name, the users' file, and the run that made them."""
    namespace, users = bench.namespace(), bench.users_file(count)
    run = bench.ours(namespace, users_file=users, expect={"create": count}, watch_memory=True)
    bench.settle()
    return namespace, users, run


def nothing_to_do(bench: Bench) -> list[Row]:
    """All homes are there: a bare LIST and the playbook that does nothing are what it cannot do without."""
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
                lambda: {"list": bench.bare_list(namespace)[0]},
                lambda options=options: {"nothing": bench.nothing(namespace, **options).seconds},
            ],
        )
        label = f"{count:,} homes, nothing to do, {way}: whole task"
        note = f"bare LIST {took['list']:.2f} s + the playbook that does nothing {took['nothing']:.2f} s"
        rows.append(at_most(label, took["ours"], took["list"] + took["nothing"], bound, note, judged=bench.judged))
    with bench.recorded() as log:
        bench.ours(namespace, users_file=users, expect={"keep": count})
    if log is not None:
        pages = bench.bare_list(namespace)[1]
        label = f"{count:,} homes, nothing to do: all requests of the task, "
        rows.append(below(f"{label}by the audit log", len(log.requests), pages + 2, "", f"{pages} pages"))
        rows.append(below(f"{label}those that write", len(log.writes), 0, ""))
    return rows


def creating(bench: Bench) -> list[Row]:
    """New homes: the writing phase is POSTs and as little else as can be."""
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
    """Check mode has the API server validate every new home; that costs no more than making it."""
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
    """What others take to make the same claims."""
    new, sample, loop = bench.sizes.new, bench.sizes.sample, bench.sizes.loop
    users, definitions = bench.users_file(new), _definitions(bench, new)
    bench.settle()
    ours = bench.ours(bench.namespace(), users_file=users, expect={"create": new})
    bench.settle()

    file = bench.definitions_file(definitions, bench.namespace())
    k8s = bench.task(_k8s_task(file))
    _expect(k8s, changed=True)
    bench.settle()
    label = f"{new:,} homes created"
    rows = [
        at_least(f"{label}: task", ours.task_seconds, k8s.task_seconds, 10, f"{K8S}, one task", judged=bench.judged),
        at_least(f"{label}: whole task", ours.seconds, k8s.seconds, None, f"{K8S}, one task"),
    ]

    file = bench.definitions_file(definitions[:loop], bench.namespace())
    looped = bench.task(_k8s_loop(file))
    _expect(looped, changed=True)
    scaled = looped.task_seconds / loop * new
    rows.append(at_least(f"{label}: task", ours.task_seconds, scaled, None, f"{K8S} in a loop, {loop} homes scaled"))

    for title, options in (("kubectl apply", ()), ("kubectl apply --server-side", ("--server-side",))):
        file = bench.definitions_file(definitions[:sample], bench.namespace(), kind="List")
        bench.settle()
        run = bench.kubectl("apply", *options, "-f", file)
        scaled = run.seconds / sample * new
        rows.append(at_least(f"{label}: task", ours.task_seconds, scaled, None, f"{title}, {sample} homes scaled"))
    return rows


def peers_nothing_to_do(bench: Bench) -> list[Row]:
    """What others take to find that the same claims are as they should be."""
    many, sample, loop = bench.sizes.many, bench.sizes.sample, bench.sizes.loop
    namespace, users, _ = made(bench, many)
    definitions = bench.definitions(namespace)
    ours = bench.ours(namespace, users_file=users, expect={"keep": many})

    k8s = bench.task(_k8s_task(bench.definitions_file(definitions, namespace)))
    _expect(k8s, changed=False)
    label = f"{many:,} homes, nothing to do"
    rows = [
        at_least(f"{label}: task", ours.task_seconds, k8s.task_seconds, 50, f"{K8S}, one task", judged=bench.judged),
        at_least(f"{label}: whole task", ours.seconds, k8s.seconds, None, f"{K8S}, one task"),
    ]

    looped = bench.task(_k8s_loop(bench.definitions_file(definitions[:loop], namespace)))
    _expect(looped, changed=False)
    scaled = looped.task_seconds / loop * many
    rows.append(at_least(f"{label}: task", ours.task_seconds, scaled, None, f"{K8S} in a loop, {loop} homes scaled"))

    for title, options in (("kubectl apply", ()), ("kubectl apply --server-side", ("--server-side",))):
        # Claims that kubectl made itself, in a namespace of their own: it keeps its notes on them.
        file = bench.definitions_file(definitions[:sample], bench.namespace(), kind="List")
        bench.kubectl("apply", *options, "-f", file)
        bench.settle()
        run = bench.kubectl("apply", *options, "-f", file)
        scaled = run.seconds / sample * many
        rows.append(at_least(f"{label}: task", ours.task_seconds, scaled, None, f"{title}, {sample} homes scaled"))
    return rows


def memory(bench: Bench) -> list[Row]:
    """What the runs over many homes hold in memory at most."""
    count = bench.sizes.many
    namespace, users, creation = made(bench, count)
    bound = MEMORY if bench.judged else None
    keeping = bench.ours(namespace, users_file=users, expect={"keep": count}, watch_memory=True)
    rows = []
    for title, run in (("nothing to do", keeping), ("created", creation)):
        rows.append(below(f"{count:,} homes, {title}: memory of the module", run.module_memory / MIB, bound, "MiB"))
        rows.append(below(f"{count:,} homes, {title}: memory of the whole task", run.tree_memory / MIB, bound, "MiB"))
    nothing = bench.nothing(namespace, users_file=users, watch_memory=True)
    rows.append(
        below("the playbook that does nothing: memory of the whole task", nothing.tree_memory / MIB, None, "MiB")
    )
    return rows


def huge(bench: Bench) -> list[Row]:
    """Ten times as many homes as anybody has been heard to have, in one task."""
    count = bench.sizes.huge
    namespace, users, creation = made(bench, count)
    keeping = bench.ours(namespace, users_file=users, expect={"keep": count}, watch_memory=True)
    listed, _ = bench.bare_list(namespace)
    nothing = bench.nothing(namespace, users_file=users).seconds
    rows = []
    for title, run in (("nothing to do", keeping), ("created", creation)):
        rows.append(below(f"{count:,} homes, {title}: whole task", run.seconds, None, "s"))
        rows.append(below(f"{count:,} homes, {title}: memory of the module", run.module_memory / MIB, None, "MiB"))
        rows.append(below(f"{count:,} homes, {title}: memory of the whole task", run.tree_memory / MIB, None, "MiB"))
    note = f"bare LIST {listed:.2f} s + the playbook that does nothing {nothing:.2f} s"
    rows.append(at_most(f"{count:,} homes, nothing to do: whole task", keeping.seconds, listed + nothing, None, note))
    return rows


@cache
def _definitions(bench: Bench, count: int) -> list[dict[str, Any]]:
    """Definitions of claims as our module makes them; the run that makes them also warms the API server up."""
    namespace, _, _ = made(bench, count)
    return bench.definitions(namespace)


def _k8s_task(file: Path) -> dict[str, Any]:
    # The quickest of the ways to give it definitions: a template is read at C speed, its `src` by PyYAML's slow loader.
    return {K8S: {"state": "present", "definition": f"{{{{ lookup('ansible.builtin.file', '{file}') | from_json }}}}"}}


def _k8s_loop(file: Path) -> dict[str, Any]:
    return {
        K8S: {"state": "present", "definition": "{{ item }}"},
        "loop": f"{{{{ lookup('ansible.builtin.file', '{file}') | from_json }}}}",
        "loop_control": {"label": "{{ item.metadata.name }}"},
    }


def _expect(run: Run, *, changed: bool) -> None:
    if run.result["changed"] is not changed:
        raise AssertionError(f"{K8S} returned changed: {run.result['changed']}, where {changed} was due")
