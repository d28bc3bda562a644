"""The arithmetic and measuring of the benchmarks. Nothing here depends on the speed of the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.__main__ import CASES, SHARES, SUBJECTS, exit_code, parse, write
from benchmarks.bench import names
from benchmarks.peers import scaled
from benchmarks.run import MIB, Run, RunFailed, command, rounds

MEASURED = Path(report.__file__).with_name("measured.py")


@pytest.mark.parametrize(("ours", "met"), [(2.0, True), (2.01, False)])
def test_at_most_is_met_up_to_the_bound(ours: float, met: bool) -> None:
    row = report.at_most("a", ours, 1.0, 2.0, "the peer")
    assert (row.met, row.verdict) == (met, "yes" if met else "NO")
    assert row.cells[1:5] == (f"{ours:.2f} s", "1.00 s (the peer)", f"{ours:.2f}x the time", "at most 2x")


@pytest.mark.parametrize(("peer", "met"), [(10.0, True), (9.9, False)])
def test_at_least_is_met_from_the_bound(peer: float, met: bool) -> None:
    row = report.at_least("a", 1.0, peer, 10)
    assert (row.met, row.ratio, row.bound) == (met, f"{peer:.1f}x faster", "at least 10x")


@pytest.mark.parametrize(("ours", "met"), [(0, True), (1, False)])
def test_below_judges_numbers(ours: float, met: bool) -> None:
    assert report.below("writes", ours, 0, "").met is met


def test_without_a_bound_or_where_it_is_not_judged_nothing_is_met_or_missed() -> None:
    rows = [report.at_most("a", 9, 1, None), report.at_most("b", 9, 1, 2, judged=False)]
    rows += [report.at_least("c", 1, 1, 50, judged=False), report.below("d", 9, 1, "MiB", judged=False)]
    assert [row.met for row in rows] == [None] * 4
    assert exit_code(rows, []) == 0


def test_a_missed_bound_and_a_broken_case_are_errors() -> None:
    good, bad = report.below("a", 1, 1, ""), report.below("b", 2, 1, "")
    assert exit_code([good], []) == 0
    assert exit_code([good, bad], []) == 1
    assert exit_code([good], ["memory"]) == 1


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0123, "12.3 ms"), (0.1, "0.10 s"), (99.4, "99.40 s"), (312.4, "312 s")]
)
def test_seconds(value: float, shown: str) -> None:
    assert report.seconds(value) == shown


def test_the_document_has_every_row_and_the_machine() -> None:
    sections = [("Memory", [report.below("of the module", 63, 400, "MiB")]), ("Other", [report.Row("plain", "1")])]
    document = report.markdown("shares", sections, [("Date", "today")], "shares-creating")
    assert "## Memory\n\n| Case | Ours | Peer | Ratio | Bound | Met |\n| --- | --- |" in document
    assert "| of the module | 63 MiB |  |  | at most 400 MiB | yes |" in document
    assert "| plain | 1 |" in document
    assert "- Date: today" in document
    assert document.count("make bench ARGS=shares ") == 1
    assert "{" not in document


def test_the_table_is_aligned() -> None:
    lines = report.text([report.Row("a longer label", "1"), report.Row("b", "2", met=True)]).splitlines()
    assert [line.index(ours) for line, ours in zip(lines, ("Ours", "----", "1", "2"), strict=True)][2:] == [16, 16]
    assert lines[-1].endswith("yes")


def test_rounds_take_turns_and_give_medians() -> None:
    order: list[str] = []
    values = iter([5.0, 1.0, 2.0])

    def one() -> dict[str, float]:
        order.append("one")
        return {"one": next(values), "beside": 7}

    def two() -> dict[str, float]:
        order.append("two")
        return {"two": 3}

    assert rounds(3, [one, two]) == {"one": 2.0, "beside": 7, "two": 3}
    assert order == ["one", "two"] * 3


def test_what_a_peer_takes_once_is_scaled_once() -> None:
    few, some = Run(9, task_seconds=2.0), Run(9, task_seconds=5.0)
    assert scaled(few, some, 4, 304, 4) == 2.0
    assert scaled(few, some, 4, 304, 304) == 5.0
    assert scaled(few, some, 4, 304, 1004) == 12.0


def test_names_are_all_different() -> None:
    assert len(set(names(100_000))) == 100_000


def test_memory_of_a_process_is_the_kernels_figure(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    program = f"held = bytearray({200 * MIB}); held[::4096] = b'x' * len(held[::4096])"
    run = command([sys.executable, MEASURED, memory, sys.executable, "-c", program], os.environ, watch_memory=True)
    assert 200 <= int(memory.read_text()) / 1024 < 260
    assert run.seconds > 0


def test_memory_of_a_tree_is_summed_up() -> None:
    hold = f"held = b'x' * {100 * MIB}; print(flush=True); input()"
    program = f"""
import subprocess, sys, time
children = [
    subprocess.Popen([sys.executable, "-c", {hold!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
]
for child in children:
    child.stdout.readline()
time.sleep(0.5)  # both hold their memory now
for child in children:
    child.communicate(b"\\n")
"""
    run = command([sys.executable, "-c", program], os.environ, watch_memory=True)
    assert 200 <= run.tree_memory / MIB < 350


def test_the_measuring_process_passes_the_exit_code_on(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="returned 3:\nsomething"):
        command(
            [sys.executable, MEASURED, tmp_path / "m", sys.executable, "-c", "print('something'); raise SystemExit(3)"],
            os.environ,
        )


def test_unknown_cases_are_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["memory", "colour"])
    assert (
        "no such case: colour; there are homes, shares, access, hook, servers, software, site, creating,"
        in capsys.readouterr().err
    )
    assert parse(list(CASES)).full
    assert parse([]).cases == list(CASES)
    assert parse(["shares", "memory"]).cases == [*SHARES, "memory"]


def test_a_subject_is_written_when_all_of_its_cases_ran(tmp_path: Path) -> None:
    ran = {name: [report.Row(f"of {name}", "1")] for name in [*SHARES, "memory"]}
    write(ran, [], tmp_path / "docs")
    [document] = (tmp_path / "docs").iterdir()
    assert document.name == "shares.md"
    assert all(f"| of {name} |" in document.read_text() for name in SHARES)
    assert "of memory" not in document.read_text()


def test_each_subject_has_a_document(tmp_path: Path) -> None:
    write({name: [report.Row(f"of {name}", "1")] for name in CASES}, [], tmp_path)
    assert {document.stem for document in tmp_path.iterdir()} == {*SUBJECTS}
    for subject, cases in SUBJECTS.items():
        text = (tmp_path / f"{subject}.md").read_text()
        assert all(f"| of {name} |" in text for name in cases)
        assert f"make bench ARGS={subject} " in text
        assert f"python -m benchmarks {next(iter(cases))} " in text
