"""Modules that are killed at a request that a test selects."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.faults import Ended, Exchange, Fault, Rule, drop
from testbed.proxy import FaultProxy
from tests.support.modules import Modules, Running


@dataclass(frozen=True)
class _Kill(Fault):
    """kill -9 the process in `running` once it is `started`: before the request is processed or, with `forward`, after it."""

    running: list[Running]
    started: threading.Event
    forward: bool

    def before(self, _exchange: Exchange) -> None:
        if not self.forward:
            self._kill()

    def after(self, _exchange: Exchange) -> None:
        self._kill()

    def _kill(self) -> None:
        self.started.wait(60)
        self.running[0].process.kill()
        raise Ended


def kill_at(
    modules: Modules, name: str, options: dict[str, Any], *rules: Rule, forward: bool = False, **where: Any
) -> None:
    """Run a module and kill it at the request that `where`, options of Rule's, chooses; `rules` are for the others.

    What it sends after that one, from its other threads, does not arrive: a process that is dead sends nothing, and the signal
    may take its time on a loaded machine. Raises AssertionError where it ended by itself.
    """
    running: list[Running] = []
    started = threading.Event()
    kill = Rule(_Kill(running, started, forward), **where)
    late = Rule(drop(), where=lambda _request: kill.fired > 0)
    with FaultProxy(modules.cluster.kubeconfig, [late, *rules, kill]) as proxy:
        running.append(modules.start(name, options, kubeconfig=Path(proxy.kubeconfig)))
        started.set()
        running[0].process.communicate(timeout=120)
    assert running[0].process.returncode == -9, "it ended before it was killed"
