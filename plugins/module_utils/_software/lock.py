# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the lock of a tree for a whole run, and read the tree."""

from __future__ import annotations

import os
import time
from typing import Any, Callable

from . import observe
from .locks import acquire, read_lock, release, renewed, run_holder
from .releases import open_tree


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Lock the tree for `run`. `pid` is the process on this host that ends with the run, if there is one.

    A run that holds the lock renews it. One without a process on this host must do so every few minutes while no phase runs.
    With `observe`, the answer also has the `tree` as `observe` returns it, because a plan from before the lock may be old.
    `waited` is how many seconds the run waited for the lock.
    """
    tree = open_tree(request["prefix"])
    holder, began = read_lock(tree), time.monotonic()
    if holder and holder.get("run") == request["run"]:
        os.utime(tree.run_lock)
        token = str(holder["token"])
    else:
        token = acquire(tree, run_holder(request["run"], request.get("pid"), request.get("expires")), request)
    locked = {"token": token, "waited": time.monotonic() - began}
    if not request.get("observe"):
        return locked
    try:
        with renewed(tree, request["run"]):
            return {**locked, "tree": observe.run(request, emit)}
    except BaseException:
        release(tree, token)
        raise
