"""Run a module, optionally as another user or with a fault in the file system: `python run_module.py JSON MODULE`.

JSON has any of "user": [uid, gid, [groups]], "umask", and "fault": {"calls": [functions of os], "at": number of the call
that fails, from 1, "how": the name of an errno, "kill" (after the call), or a silent fault of servers: "ignore",
"no setgid"}.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.odh.persistency.plugins.modules"


def break_calls(fault: dict[str, Any]) -> None:
    """Count calls of functions of os and make one fail. With "ignore" and "no setgid" all later calls fail too."""
    count = 0

    def broken(real: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count < fault["at"]:
                return real(*arguments, **more)
            if fault["how"] == "kill":
                real(*arguments, **more)
                os.kill(os.getpid(), signal.SIGKILL)
            if fault["how"] == "ignore":
                return None
            if fault["how"] == "no setgid":
                return real(arguments[0], arguments[1] & ~0o2000)
            if count == fault["at"]:
                number = getattr(errno, fault["how"])
                raise OSError(number, os.strerror(number))
            return real(*arguments, **more)

        return call

    for name in fault["calls"]:
        setattr(os, name, broken(getattr(os, name)))


def run(name: str, how: dict[str, Any]) -> None:
    """Run a module in this process. Its arguments are on standard input, and it ends the process."""
    sys.argv = [name]  # Ansible would take its arguments from there
    # Imported before the user changes, because the checkout may be in a folder that only its owner may enter.
    module = importlib.import_module(f"{PACKAGE}.{name}")
    if "umask" in how:
        os.umask(how["umask"])
    if "user" in how:
        uid, gid, groups = how["user"]
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
    if "fault" in how:
        break_calls(how["fault"])
    module.main()


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    run(sys.argv[2], json.loads(sys.argv[1]))
