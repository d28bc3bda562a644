"""Other tools that make the same objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .bench import Bench
from .run import Run

K8S = "kubernetes.core.k8s"


def k8s(bench: Bench, file: Path, *, changed: bool, in_a_loop: bool = False) -> Run:
    """kubernetes.core.k8s over a file of definitions (a JSON list), all in one task or one by one."""
    # A file of definitions as its `src` is no quicker: that goes through PyYAML.
    read = f"{{{{ lookup('ansible.builtin.file', '{file}') | from_json }}}}"
    task: dict[str, Any] = {K8S: {"state": "present", "definition": read}}
    if in_a_loop:
        task = {
            K8S: {"state": "present", "definition": "{{ item }}"},
            "loop": read,
            "loop_control": {"label": "{{ item.metadata.name }}"},
        }
    run = bench.task(task)
    if run.result["changed"] is not changed:
        raise AssertionError(f"{K8S} returned changed: {run.result['changed']}, where {changed} was due")
    return run


def scaled(first: Run, sample: Run, few: int, some: int, count: int) -> float:
    """Seconds of a task over `count` objects, from one over `few` and one over `some`: what it takes once, it takes once."""
    each = (sample.task_seconds - first.task_seconds) / (some - few)
    return first.task_seconds + each * (count - few)
