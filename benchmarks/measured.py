"""Runs a command and appends the largest resident set (KiB) that it or a child of its had to the file MEMORY.

    python benchmarks/measured.py MEMORY COMMAND...

Stands in for the interpreter of a module, so that the module's own process is measured, by the kernel, to the end. This
file imports next to nothing: what it holds itself when it starts the command is a lower limit of what it can tell.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    memory, *command = sys.argv[1:]
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    with open(memory, "a", encoding="ascii") as file:
        file.write(f"{usage.ru_maxrss}\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
