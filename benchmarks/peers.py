"""Other tools that create the same objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .bench import Bench
from .run import Run

K8S = "kubernetes.core.k8s"


def k8s(bench: Bench, file: Path, *, changed: bool, in_a_loop: bool = False) -> Run:
    """Run kubernetes.core.k8s over a file of manifests (a JSON list), all in one task or in a loop."""
    # A file of manifests as its `src` is not faster, because that uses PyYAML.
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
        raise AssertionError(f"{K8S} returned changed: {run.result['changed']}, not {changed}")
    return run


def scaled(first: Run, sample: Run, few: int, some: int, count: int) -> float:
    """Scale the seconds of tasks over `few` and `some` objects to `count` objects. Constant time is counted once."""
    each = (sample.task_seconds - first.task_seconds) / (some - few)
    return first.task_seconds + each * (count - few)
