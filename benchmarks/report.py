"""Rows of results, judged against their bounds, as text for the terminal and as a document of docs/benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INTRODUCTION = """\
<!-- Written by `make bench`. Do not edit: the text is in benchmarks/report.py. -->

# Benchmarks: {subject}

Ratios to named peers, measured in one run on one machine: the seconds are this machine's, the ratios travel better. Bounds
are those that the project has set itself; `make bench` returns an error when one is missed.

- **Whole task** is all of `ansible-playbook` with that one task, start-up included.
- **The playbook that does nothing** is the same playbook with a module that takes the same users and returns
  (`benchmarks/library/do_nothing.py`), start-up included.
- **Bare** is a script with urllib3 alone (`benchmarks/bare.py`), page size and connections as the module's, without
  retries, comparison or messages. Where a whole task is compared, its start-up is included; where the writing phase is,
  it is not, and the bodies are made before the clock starts.
- **Task** is what Ansible spends on the one task, without the start of `ansible-playbook`.
- Runs that are compared take turns; the medians are shown. A peer that takes minutes runs once, and one that takes too long
  for that is run on a sample, its time scaled to the same number of homes or objects, as the row says.
{more}- Requests are counted in the API server's audit log.
"""

MORE = {
    "homes": """\
- Users have e-mail addresses as names and come from a JSON file of dicts, unless the row says otherwise. Their claims stay
  Pending: nothing provisions on the testbed.
- Memory of the module is what the kernel says that its process had at most (`ru_maxrss`); memory of the whole task is the
  largest sum over `ansible-playbook` and all its children, shared memory counted for each, looked at 10 times a second.
""",
    "shares": """\
- Shares are static NFS volumes: a PersistentVolume and a claim in each namespace, which the control plane binds meanwhile.
""",
    "access": """\
- The access list is compiled from a JSON file of shares and one of groups, each person in ten groups.
""",
}

REPEAT = """\
## Repeat

    make bench                                        # all of it
    make bench ARGS={subject}                             # this document
    bin/dev python -m benchmarks --list               # the cases
    bin/dev python -m benchmarks {example:<20} # one of them; prints, writes no file
    bin/dev python -m benchmarks --quick              # small sizes, bounds not judged: does it work?
    bin/dev python -m benchmarks --cluster current    # on the cluster of KUBECONFIG, in namespaces that it makes and deletes

The benchmarks start a testbed of their own (`.dev/benchmarks`), empty, and wipe it afterwards. Leave the machine alone while they
run.
"""


@dataclass(frozen=True)
class Row:
    """One line of the table. `met` is None where there is no bound, or where it is not judged."""

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
    """Seconds of ours against seconds of a peer, which ours may exceed so many times. `note` says what the peer is."""
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
    """Seconds of ours against seconds of a peer, which must be so many times slower."""
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
    """A number of ours that must not exceed a bound."""
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
    """The rows as an aligned table for the terminal."""
    table = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def markdown(subject: str, sections: Sequence[tuple[str, Sequence[Row]]], machine: Sequence[tuple[str, str]]) -> str:
    """The whole document about a subject. `sections` are titles with their rows, `machine` names with values."""
    parts = [INTRODUCTION.format(subject=subject, more=MORE[subject])]
    for title, rows in sections:
        lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells for row in rows)]
        parts.append(f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    parts.append("## Measured on\n\n" + "\n".join(f"- {name}: {value}" for name, value in machine) + "\n")
    example = {"homes": "nothing-to-do", "shares": "shares-creating", "access": "acl-publishing"}[subject]
    parts.append(REPEAT.format(subject=subject, example=example))
    return "\n".join(parts)
