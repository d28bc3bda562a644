"""Damaged files of a tree: no run fails without a sentence, and none deletes what servers use."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Rejected
from ansible_collections.odh.persistency.plugins.module_utils._core.software.info import difference, release_list
from ansible_collections.odh.persistency.plugins.module_utils._core.software.manifest import wanted
from ansible_collections.odh.persistency.plugins.module_utils._core.software.observed import (
    observed_tree,
    resolved_stack,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.software.plan import PlanSettings, plan_release
from ansible_collections.odh.persistency.plugins.module_utils._core.software.pruning import PruneSettings, decide
from ansible_collections.odh.persistency.plugins.module_utils._core.software.stack import Stack, StackEntry
from ansible_collections.odh.persistency.plugins.module_utils._core.software.switch_plan import (
    plan_promotion,
    plan_rollback,
)

from tests.support.software import *  # noqa: F403
from tests.support.software import Software, lib_stack
from tests.support.software_tree import *  # noqa: F403
from tests.support.software_tree import SoftwareTree

NOW = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)


def plan_everything(tree: SoftwareTree, earlier: str) -> None:
    """Let every plan read what the phase `observe` sees. Raises what a module would end with, without a sentence."""
    result = tree.observe()
    seen, tool = observed_tree(result), tree.entries["tool/1.0"]
    plan_rollback(seen, str(tree.prefix), earlier)
    release_list(seen)
    difference(seen.releases[earlier], seen.manifest)
    if not seen.manifest.get("damaged"):
        with contextlib.suppress(Rejected):
            plan_promotion(seen, observed_tree({"releases": [], "store": []}), str(tree.prefix), None)
        decide(result, PruneSettings(1, NOW, NOW, timedelta(0)))
    found = {"easyconfig": "tool-1.0.eb", "requested": True, "inputs": {"easybuild": "5.4.1"}}
    resolved = resolved_stack({"entries": [{**found, **{key: tool[key] for key in ("module", "hash", "path")}}]})
    stack = Stack("stack.yml", (StackEntry("tool-1.0.eb", "stack.yml:1"),))
    plan_release(wanted(stack, resolved, []), seen, PlanSettings(str(tree.prefix)))


def damaged(text: str) -> Iterator[str]:
    """Return a file of JSON cut off, without each of its keys, and with something else at each."""
    content: dict[str, Any] = json.loads(text)
    yield text[: len(text) // 2]
    yield ""
    yield "[]"
    for key in content:
        yield json.dumps({name: value for name, value in content.items() if name != key})
        for value in (None, 5, "text", ["text"], {"text": 5}, [{}]):
            yield json.dumps({**content, key: value})


@pytest.mark.parametrize("kind", ["entry", "manifest"])
def test_any_damage_can_be_planned_with(software_tree: SoftwareTree, kind: str) -> None:
    software_tree.add("lib/1.0")
    software_tree.add("tool/1.0", needs=("lib/1.0",))
    earlier = software_tree.publish("lib/1.0")
    current = software_tree.publish("tool/1.0", "lib/1.0")
    plan_everything(software_tree, earlier)
    subprocess.run(["chmod", "-R", "u+w", software_tree.prefix], check=True)
    entry = software_tree.volume.entry_file(software_tree.entries["tool/1.0"]["path"])
    manifest = software_tree.volume.release(current) + "/manifest.json"
    path = Path(entry if kind == "entry" else manifest)
    for text in damaged(path.read_text()):
        path.write_text(text)
        try:
            plan_everything(software_tree, earlier)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}, with {text[:400]}") from error


def test_an_installation_of_a_release_is_never_removed(software: Software) -> None:
    [path] = [Path(software.path, "store", path) for path in software.installations() if path.startswith("tool/")]
    entry = path / ".odh-persistency/entry.json"
    subprocess.run(["chmod", "u+w", entry.parent, entry], check=True)
    entry.write_text(entry.read_text()[:40])
    name = str(path.relative_to(software.path / "store"))
    result = software.run()
    assert result.failed
    assert f"store entry {name} is part of release {software.current}, and its entry.json is missing or damaged" in str(
        result.output
    )
    assert software.shell("module load tool; tool") == "tool 1.0\n"
    info = software.module("lmod_release_info", keep=1, minimum_age="0s")
    assert not info.failed, info.output
    assert info.reclaimable["store"] == []
    assert not software.switch("pruned", keep=1, minimum_age="0s").failed
    assert software.shell("module load tool; tool") == "tool 1.0\n"
    # The next release does without it.
    software.stack("easyconfigs:\n  - lib-1.0.eb\n")
    assert software.ok().modules == ["lib/1.0"]


def test_info_shows_a_release_with_a_damaged_manifest(software: Software) -> None:
    manifest = software.path / "current/manifest.json"
    subprocess.run(["chmod", "u+w", manifest.parent.resolve(), manifest], check=True)
    manifest.write_text("{")
    info = software.module("lmod_release_info", keep=1, minimum_age="0s")
    assert not info.failed, info.output
    assert [release["id"] for release in info.releases] == [software.current]
    assert info.reclaimable["releases"] == []
    first = software.current
    software.stack(lib_stack())
    assert software.ok().release == software.current != first
