# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the lines of a file on the host of a task while its module runs."""

from __future__ import annotations

import contextlib
import re
import shlex
import threading
from typing import Any

from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display

#: Seconds between two looks at the file.
INTERVAL = 2.0
#: How a step of a build ends: the seconds since the build began.
_STEP = re.compile(r"\((\d+) s\)\Z")


def shown_lines(lines: list[str]) -> list[str]:
    """Return the lines without the steps that another step follows, because builds have many short steps."""
    return [
        line for line, following in zip(lines, [*lines[1:], ""]) if not (_STEP.search(line) and _STEP.search(following))
    ]


class ProgressDisplay:
    """Reads the file through a connection of its own, in a thread. What goes wrong there must not disturb the module."""

    def __init__(self, connection: Any, play_context: Any, path: str, host: str) -> None:
        self._connection = connection
        self._play_context = play_context
        self._path = path
        self._host = host
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ProgressDisplay:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(Exception):
            connection = self._second_connection()
            try:
                self._follow(connection)
            finally:
                connection.close()

    def _second_connection(self) -> Any:
        """Return another connection to the same host: that of the task is busy."""
        connection = connection_loader.get(self._connection.ansible_name, self._play_context, "/dev/null")
        connection.set_options(direct=self._connection.get_options())
        return connection

    def _follow(self, connection: Any) -> None:
        offset, rest = 0, ""
        while True:
            is_last = self._ended.wait(INTERVAL)
            data = self._read(connection, offset)
            offset += len(data)
            *lines, rest = (rest + data.decode(errors="replace")).split("\n")
            for line in shown_lines(lines):
                Display().display(f"[{self._host}] {line}")
            if is_last:
                return

    def _read(self, connection: Any, offset: int) -> bytes:
        command = f"tail -c +{offset + 1} {shlex.quote(self._path)}"
        code, out, _err = connection.exec_command(command, sudoable=False)
        return out if code == 0 and isinstance(out, bytes) else b""
