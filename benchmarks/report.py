"""Rows of results with their bounds, as text for the terminal and as a document in docs/benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INTRODUCTION = """\
<!-- Written by `make bench`. Do not edit: the text is in benchmarks/report.py. -->

# Benchmarks: {subject}

Ratios to named peers, measured in one run on one machine. The seconds depend on the machine, the ratios less so. The project
sets the bounds, and `make bench` returns an error when one is missed.

- **Whole task** is all of `ansible-playbook` with that one task, including its start.
- **The playbook that does nothing** is the same playbook with a module that takes the same users and returns at once
  (`benchmarks/library/do_nothing.py`), including its start.
- **Bare** is a script with urllib3 alone (`benchmarks/bare.py`), with the page size and connections of the module, without
  retries, comparison or messages. A comparison with a whole task includes its start. A comparison with the writing phase does
  not, and the bodies are created before the clock starts.
- **Task** is the duration of the one task in Ansible, without the start of `ansible-playbook`.
- Runs that are compared alternate, and the medians are shown. A peer that takes minutes runs once. One that takes even longer
  runs on a sample, and its time is scaled to the same number of homes or objects, as the row shows.
{more}- Requests are counted in the API server's audit log.
"""

MORE = {
    "homes": """\
- Users have e-mail addresses as names and come from a JSON file of dictionaries, unless the row says otherwise. Their claims
  stay Pending, because the testbed has no provisioner.
- Memory of the module is the maximum of its process according to the kernel (`ru_maxrss`). Memory of the whole task is the
  largest sum over `ansible-playbook` and all its children, sampled 10 times a second, with shared memory counted for each.
""",
    "shares": """\
- Shares are static NFS volumes: a PersistentVolume and a claim in each namespace, which the control plane binds during the run.
""",
    "access": """\
- The access list is compiled from a JSON file of shares and one of groups, each person in ten groups.
""",
    "servers": """\
- Each server mounts five shares. Its pod stays Pending, and the real hub knows its user, but has not started it.
""",
    "software": """\
- Trees lie on this machine's disk. Store entries are made by hand, releases by the real phases with the real Lmod.
- Calls are those that name a path below the prefix, counted by strace. The defaults are those of Lmod without a cache.
""",
    "site": """\
- The inventory is that of the demo: 45 homes of 40 people, and four shares with five claims. The directories are on this machine.
- Here, the playbook that does nothing has one task, and the playbook of ours all tasks of two roles.
""",
    "hook": """\
- A real KubeSpawner starts servers up to the complete pod, which is sent as a dry run, with and without the hook, in turns. The
  CPU time of the hook is the difference of the CPU time of its process. Each person is in ten groups and has a home.
""",
}

REPEAT = """\
## Repeat

    make bench                                        # all of it
    make bench ARGS={subject}                             # this document
    bin/dev python -m benchmarks --list               # the cases
    bin/dev python -m benchmarks {example:<20} # one of them; prints, writes no file
    bin/dev python -m benchmarks --quick              # small sizes, no bounds: check that the cases work
    bin/dev python -m benchmarks --cluster current    # on the cluster of KUBECONFIG, in namespaces that it creates and deletes

The benchmarks start a testbed of their own (`.dev/benchmarks`), empty, and wipe it afterwards. Leave the machine alone while they
run.
"""


@dataclass(frozen=True)
class Row:
    """One line of the table. `met` is None if there is no bound, or if the bound does not apply."""

    label: str
    ours: str
    peer: str = ""
    ratio: str = ""
    bound: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "yes" if self.met else "NO"

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.label, self.ours, self.peer, self.ratio, self.bound, self.verdict)


HEADINGS = ("Case", "Ours", "Peer", "Ratio", "Bound", "Met")


def at_most(label: str, ours: float, peer: float, bound: float | None, note: str = "", *, judged: bool = True) -> Row:
    """Compare seconds of ours with those of a peer, of which ours may be at most a multiple. `note` describes the peer."""
    ratio = ours / peer
    return Row(
        label,
        seconds(ours),
        f"{seconds(peer)}{f' ({note})' if note else ''}",
        f"{ratio:.2f}x the time",
        "" if bound is None else f"at most {bound:g}x",
        None if bound is None or not judged else ratio <= bound,
    )


def at_least(label: str, ours: float, peer: float, bound: float | None, note: str = "", *, judged: bool = True) -> Row:
    """Compare seconds of ours with those of a peer, which must be slower by a factor."""
    ratio = peer / ours
    return Row(
        label,
        seconds(ours),
        f"{seconds(peer)}{f' ({note})' if note else ''}",
        f"{ratio:.1f}x faster",
        "" if bound is None else f"at least {bound:g}x",
        None if bound is None or not judged else ratio >= bound,
    )


def below(label: str, ours: float, bound: float | None, unit: str, note: str = "", *, judged: bool = True) -> Row:
    """Compare a number of ours with a bound that it must not exceed."""
    return Row(
        label,
        f"{ours:.0f} {unit}",
        note,
        "",
        "" if bound is None else f"at most {bound:g} {unit}",
        None if bound is None or not judged else ours <= bound,
    )


def seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def text(rows: Sequence[Row]) -> str:
    """Return the rows as an aligned table for the terminal."""
    table = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def markdown(
    subject: str, sections: Sequence[tuple[str, Sequence[Row]]], machine: Sequence[tuple[str, str]], example: str
) -> str:
    """Return the document about a subject. `sections` are titles with their rows, `machine` names with values.

    `example` is the name of a case of the subject.
    """
    parts = [INTRODUCTION.format(subject=subject, more=MORE[subject])]
    for title, rows in sections:
        lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells for row in rows)]
        parts.append(f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    parts.append("## Measured on\n\n" + "\n".join(f"- {name}: {value}" for name, value in machine) + "\n")
    parts.append(REPEAT.format(subject=subject, example=example))
    return "\n".join(parts)
