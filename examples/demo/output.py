"""What the demo prints: headings, commands, and the parts of Ansible's output that a newcomer needs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
#: The number of lines of a long diff that are shown.
MOST_DIFF_LINES = 8

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_SETTINGS = {
    "ANSIBLE_DISPLAY_OK_HOSTS": "no",
    "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "no",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    "ANSIBLE_NOCOWS": "1",
}


def heading(text: str) -> None:
    print(f"\n{_bold(text)}\n{_bold('=' * len(text))}", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


def command(words: Sequence[str]) -> None:
    """Print a command as a user would type it."""
    print(f"\n{_bold('$ bin/dev ' + shlex.join(words))}", flush=True)


def ansible(words: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run Ansible and print what matters of its output. Return the exit code and the full output without colours."""
    settings = _SETTINGS | ({"ANSIBLE_FORCE_COLOR": "yes"} if COLOR else {})
    process = subprocess.Popen(
        list(words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | dict(environment) | settings,
    )
    assert process.stdout is not None
    whole = []
    cut = 0
    blank = True
    for line in process.stdout:
        plain = _ESCAPES.sub("", line).rstrip()
        whole.append(plain)
        in_diff = plain.startswith(("+home", "-home"))
        if in_diff:
            cut += 1
            if cut > MOST_DIFF_LINES:
                continue
        elif cut > MOST_DIFF_LINES:
            print(f"    ... and {cut - MOST_DIFF_LINES} more lines")
        if not in_diff:
            cut = 0
        if plain or not blank:
            print(line.rstrip(), flush=True)
        blank = not plain
    return process.wait(), "\n".join(whole)


def changed(output: str) -> int:
    """Return the sum of `changed=N` in Ansible's recap."""
    return sum(int(number) for number in re.findall(r"\bchanged=(\d+)", output))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return "\n".join(line.rstrip() for line in lines)


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if COLOR else text
