"""Plans of releases: what is built, what is published, and that a second run has nothing to do."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.software.manifest import (
    Failed,
    Wanted,
    release_manifest,
    wanted,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.software.observed import (
    Installation,
    ObservedTree,
    Resolved,
    installation,
    observed_tree,
    resolved_stack,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.software.plan import (
    PlanSettings,
    ReleasePlan,
    applied_plan,
    build_request,
    plan_release,
    rebuild_available,
    with_rebuilds,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.software.stack import Named, Stack, StackEntry
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = PlanSettings("/opt/apps")
MISSING = {"file": "a-1.tar", "sha256": "ab" * 32, "found": None, "valid": None, "urls": []}
WRONG = {"file": "a-1.tar", "sha256": "ab" * 32, "found": "/sources/a-1.tar", "valid": False, "urls": []}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry(module: str, needs: Iterable[str] = (), build: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """Return an entry of `resolve`. A `recipe` changes its hash."""
    hashed = digest(module + str(more.pop("recipe", "")))
    name, _slash, version = module.partition("/")
    return {
        "module": module,
        "hash": hashed,
        "path": f"{name}/{version}-{hashed[:12]}",
        "easyconfig": f"{name}-{version}.eb",
        "requested": more.pop("requested", True),
        "dependencies": list(needs),
        "build_dependencies": list(build),
        "inputs": {"easybuild": more.pop("easybuild", "5.4.1"), "easyblock": more.pop("easyblock", "a")},
        "sources": more.pop("sources", []),
    }


def resolved(*entries: dict[str, Any]) -> Resolved:
    return resolved_stack({"easybuild": "5.4.1", "lmod": "8.7", "entries": entries})


def stack(*entries: StackEntry, **more: Any) -> Stack:
    return Stack("stack.yml", tuple(entries), **more)


def of_stack(module: str, line: int = 1, **more: Any) -> StackEntry:
    return StackEntry(f"{module.replace('/', '-')}.eb", f"stack.yml:{line}", **more)


def installed(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry.json that a build writes."""
    built = request["entry"]
    return {
        **{key: built[key] for key in ("module", "hash", "path", "inputs")},
        "dependencies": built["inputs"].get("dependencies", {}),
        "build_dependencies": built["inputs"].get("build_dependencies", {}),
        "modulefile_digest": digest(f"modulefile {built['hash']}"),
        "digest": digest(f"content {built['hash']}"),
        "easybuild": built["inputs"]["easybuild"],
        "size": 10,
        "built_at": "2026-11-29T10:00:00Z",
    }


class World:
    """A tree in memory, to which plans are applied as a run does."""

    def __init__(self) -> None:
        self.store: list[dict[str, Any]] = []
        self.releases: list[dict[str, Any]] = []
        #: Of a run that published nothing, too.
        self.failed: list[dict[str, str]] = []

    @property
    def tree(self) -> ObservedTree:
        ids = [release["id"] for release in self.releases]
        return observed_tree(
            {
                "releases": self.releases,
                "store": self.store,
                "current": ids[-1] if ids else None,
                "lmod": "8.7",
                "failed": self.failed,
            }
        )

    def plan(self, the_stack: Stack, the_resolved: Resolved, settings: PlanSettings = SETTINGS) -> ReleasePlan:
        errors: list[str] = []
        found = wanted(the_stack, the_resolved, errors)
        assert not errors
        return plan_release(found, self.tree, settings)

    def apply(self, plan: ReleasePlan, failing: Collection[str] = (), publish: bool = True) -> dict[str, Failed]:
        """Build and, with `publish`, publish. Return what failed."""
        here = {
            item.module: found
            for item in plan.wanted.resolved.entries
            if (found := plan.tree.installed(item)) is not None
        }
        built: dict[str, Installation] = {}
        failed = {item.module: item for item in plan.failed}
        for item in plan.builds:
            lost = next((need for need in item.needs if need in failed), None)
            if lost is not None or item.module in failing:
                failed[item.module] = Failed(item.module, "it failed", hash="" if lost else item.hash)
                self.failed += [] if lost else [failed[item.module].as_result()]
                continue
            assert here.keys() >= set(item.needs), f"{item.module} is built before what it needs"
            written = installed(build_request(item, plan.wanted.resolved, here))
            self.store.append(written)
            here[item.module] = built[item.hash] = installation(written)
        if publish and not plan.wanted.required & failed.keys():
            manifest = release_manifest(plan.wanted, plan.tree, built, failed.values())
            if not self.releases or self.releases[-1]["content"] != manifest["content"]:
                self.releases.append({**manifest, "id": f"20261129T10{len(self.releases):02}00Z-0a1b2c3d"})
        return failed


def kinds(plan: ReleasePlan) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in plan.plan.changes if change.action != "keep"]


def test_a_first_run_and_a_second() -> None:
    world = World()
    the_stack = stack(of_stack("tool/1.0", default=True, featured=True))
    the_resolved = resolved(
        entry("make/4", requested=False), entry("lib/1", requested=False), entry("tool/1.0", ["lib/1"], ["make/4"])
    )
    plan = world.plan(the_stack, the_resolved)
    assert kinds(plan) == [
        ("create", "entry", "make/4"),
        ("create", "entry", "lib/1"),
        ("create", "entry", "tool/1.0"),
        ("create", "module", "lib/1"),
        ("create", "module", "tool/1.0"),
        ("create", "release", "/opt/apps/current"),
    ]
    assert plan.plan.diff()["after"].splitlines() == [
        f"store/{item.path}" for item in sorted(the_resolved.entries, key=lambda one: one.module)
    ] + [
        f"lib/1, {the_resolved.by_module['lib/1'].hash[:12]}",
        f"tool/1.0 (default and featured), {the_resolved.by_module['tool/1.0'].hash[:12]}",
        "current: a new release with 2 modules",
    ]
    assert not world.apply(plan)
    [release] = world.releases
    assert [item["module"] for item in release["entries"]] == ["lib/1", "tool/1.0"]  # not what only its build needs
    assert release["defaults"] == {"tool": "1.0"}
    tool = next(item for item in world.store if item["module"] == "tool/1.0")
    assert tool["dependencies"].keys() == {"lib/1"}
    assert tool["build_dependencies"].keys() == {"make/4"}
    again = world.plan(the_stack, the_resolved)
    assert not again.plan.changed
    assert again.plan.summary() == {"keep": 4}


def test_what_changes_in_a_release() -> None:
    world = World()
    world.apply(world.plan(stack(of_stack("a/1"), of_stack("b/1")), resolved(entry("a/1"), entry("b/1"))))
    the_stack = stack(of_stack("a/1"), of_stack("c/1"))
    plan = world.plan(the_stack, resolved(entry("a/1", recipe="new"), entry("c/1")))
    assert kinds(plan) == [
        ("create", "entry", "a/1"),
        ("create", "entry", "c/1"),
        ("update", "module", "a/1"),
        ("delete", "module", "b/1"),
        ("create", "module", "c/1"),
        ("update", "release", "/opt/apps/current"),
    ]
    assert plan.plan.changes[0].reason.startswith("its easyconfig, or something that it depends on, has changed: ")
    assert "3 modules change: a new release with 2 modules replaces 2026" in plan.plan.changes[-1].reason


def test_changed_tests_are_run_and_end_in_a_release() -> None:
    world = World()
    the_resolved = resolved(entry("a/1"))
    world.apply(world.plan(stack(of_stack("a/1", tests=("a --version",))), the_resolved))
    the_stack = stack(of_stack("a/1", tests=("a --help",)))
    plan = world.plan(the_stack, the_resolved)
    assert kinds(plan) == [("update", "release", "/opt/apps/current")]
    assert "or what is tested, changes: a new release with 1 modules replaces" in plan.plan.changes[-1].reason
    world.apply(plan)
    assert world.releases[-1]["tests"] == {"a/1": ["a --help"]}
    assert not world.plan(the_stack, the_resolved).plan.changed


def test_only_filling_the_store() -> None:
    plan = World().plan(stack(of_stack("a/1")), resolved(entry("a/1")), PlanSettings("/opt/apps", publish=False))
    assert kinds(plan) == [("create", "entry", "a/1")]


def test_a_tree_of_another_prefix_is_rejected() -> None:
    world, the_stack, the_resolved = World(), stack(of_stack("a/1")), resolved(entry("a/1"))
    world.apply(world.plan(the_stack, the_resolved))
    world.releases[-1]["prefix"] = "/opt/apps"
    assert not world.plan(the_stack, the_resolved).plan.changed
    [refusal] = world.plan(the_stack, the_resolved, PlanSettings("/opt/other")).plan.refusals
    assert refusal.reason == (
        f"prefix: release {world.releases[-1]['id']} of this tree is for the prefix /opt/apps, not /opt/other: set that "
        "prefix, because modules contain it, or name another tree"
    )


class TestSources:
    """A source that is missing or wrong is rejected before anything is built."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (
                MISSING,
                f"stack.yml:1: the source a-1.tar of a/1 is missing (SHA256 {'ab' * 32}): put it into a folder of ",
            ),
            (WRONG, "stack.yml:1: the source a-1.tar of a/1 has another checksum than its easyconfig (SHA256 abab"),
        ],
    )
    def test_of_a_required_entry(self, source: dict[str, Any], expected: str) -> None:
        plan = World().plan(stack(of_stack("a/1")), resolved(entry("a/1", sources=[source])))
        [refusal] = plan.plan.refusals
        assert refusal.reason.startswith(expected)

    def test_of_an_optional_entry(self) -> None:
        the_stack = stack(of_stack("a/1", optional=True), of_stack("b/1"), of_stack("c/1", optional=True))
        the_resolved = resolved(entry("a/1", sources=[MISSING]), entry("b/1"), entry("c/1", ["a/1"]))
        world = World()
        plan = world.plan(the_stack, the_resolved)
        assert [item.module for item in plan.failed] == ["a/1", "c/1"]
        assert [item.module for item in plan.builds] == ["b/1"]
        assert plan.plan.warnings()[0].startswith(
            "a/1 is optional and is not built: the source a-1.tar of a/1 is missing"
        )
        world.apply(plan)
        assert not world.plan(the_stack, the_resolved).plan.changed
        # Once the source is there, it is built.
        there = resolved(entry("a/1"), entry("b/1"), entry("c/1", ["a/1"]))
        assert [item.module for item in world.plan(the_stack, there).builds] == ["a/1", "c/1"]

    def test_that_may_be_downloaded(self) -> None:
        settings = PlanSettings("/opt/apps", download=True)
        plan = World().plan(stack(of_stack("a/1")), resolved(entry("a/1", sources=[MISSING])), settings)
        assert not plan.plan.refusals
        assert [item.module for item in plan.builds] == ["a/1"]

    def test_that_nothing_needs_any_more(self) -> None:
        world = World()
        world.apply(world.plan(stack(of_stack("a/1")), resolved(entry("a/1"))))
        assert (
            not world.plan(stack(of_stack("a/1")), resolved(entry("a/1", sources=[MISSING]))).plan.changes[0].operations
        )


def test_a_failed_optional_entry_is_tried_again_when_it_changes_or_is_named() -> None:
    world = World()
    the_stack = stack(of_stack("a/1", optional=True), of_stack("b/1"))
    the_resolved = resolved(entry("a/1"), entry("b/1"))
    assert world.apply(world.plan(the_stack, the_resolved), failing=["a/1"]).keys() == {"a/1"}
    assert not world.plan(the_stack, the_resolved).plan.changed
    named = PlanSettings("/opt/apps", rebuild=("a/1",))
    assert [item.module for item in world.plan(the_stack, the_resolved, named).builds] == ["a/1"]
    changed = resolved(entry("a/1", recipe="corrected"), entry("b/1"))
    assert [item.module for item in world.plan(the_stack, changed).builds] == ["a/1"]
    required = stack(of_stack("a/1"), of_stack("b/1"))
    assert [item.module for item in world.plan(required, the_resolved).builds] == ["a/1"]


def test_a_failed_optional_entry_is_not_tried_again_although_nothing_was_published() -> None:
    world, only_built = World(), PlanSettings("/opt/apps", publish=False)
    the_stack = stack(of_stack("a/1", optional=True), of_stack("b/1"), of_stack("c/1", optional=True))
    the_resolved = resolved(entry("a/1"), entry("b/1"), entry("c/1", ["a/1"]))
    failed = world.apply(world.plan(the_stack, the_resolved, only_built), failing=["a/1"], publish=False)
    assert failed.keys() == {"a/1", "c/1"}
    again = world.plan(the_stack, the_resolved, only_built)
    assert not again.plan.changed
    assert [item.module for item in again.failed] == ["a/1", "c/1"]
    # The release that is published later does without it, and the run after that changes nothing.
    world.apply(world.plan(the_stack, the_resolved))
    assert [item["module"] for item in world.releases[-1]["entries"]] == ["b/1"]
    assert not world.plan(the_stack, the_resolved).plan.changed
    # Built at last, without a publication: the next release has it.
    world.apply(world.plan(the_stack, the_resolved, PlanSettings("/opt/apps", False, ("a/1",))), publish=False)
    plan = world.plan(the_stack, the_resolved)
    assert not plan.builds
    world.apply(plan)
    assert [item["module"] for item in world.releases[-1]["entries"]] == ["a/1", "b/1", "c/1"]


def test_the_last_good_one_is_kept_with_what_it_loads() -> None:
    world = World()
    world.apply(
        world.plan(
            stack(of_stack("tool/1", optional=True, default=True)),
            resolved(entry("lib/1", requested=False), entry("tool/1", ["lib/1"])),
        )
    )
    the_stack = stack(of_stack("tool/2", optional=True, default=True))
    the_resolved = resolved(entry("tool/2"))
    plan = world.plan(the_stack, the_resolved)
    failed = world.apply(plan, failing=["tool/2"])
    assert {item["module"]: item["state"] for item in world.releases[-1]["entries"]} == {
        "lib/1": "kept",
        "tool/1": "kept",
    }
    assert world.releases[-1]["defaults"] == {}
    applied = applied_plan(plan, failed, world.releases[-1])
    assert "tool/2 is optional and failed: it failed; the release keeps tool/1" in applied.warnings()
    assert not world.plan(the_stack, the_resolved).plan.changed


class TestRebuild:
    def world(self) -> World:
        world = World()
        world.apply(
            world.plan(stack(of_stack("a/1")), resolved(entry("lib/1", requested=False), entry("a/1", ["lib/1"])))
        )
        return world

    def newer(self) -> Resolved:
        return resolved(entry("lib/1", requested=False, easybuild="5.5.0"), entry("a/1", ["lib/1"], easybuild="5.5.0"))

    def test_a_newer_easybuild_is_reported_and_builds_nothing(self) -> None:
        world, newer = self.world(), self.newer()
        assert rebuild_available(newer, world.tree) == ["lib/1", "a/1"]
        assert not world.plan(stack(of_stack("a/1")), newer).plan.changed

    def test_a_rebuild_has_a_place_of_its_own_and_is_not_repeated(self) -> None:
        world, newer, errors = self.world(), self.newer(), []
        again = with_rebuilds(newer, world.tree, ["lib/1"], errors)
        plan = world.plan(stack(of_stack("a/1")), again)
        [build] = plan.builds
        assert build.path.startswith("lib/1-")
        assert build.path != newer.by_module["lib/1"].path
        world.apply(plan)
        assert len(world.store) == 3
        # The next runs find the new one, whether they name it or not.
        assert world.releases[-1]["entries"][1]["hash"] == build.hash
        assert not world.plan(stack(of_stack("a/1")), newer).plan.changed
        named = with_rebuilds(newer, world.tree, ["lib/1"], errors)
        assert not world.plan(stack(of_stack("a/1")), named).plan.changed
        assert not errors

    def test_a_rebuild_whose_release_fails_the_checks_is_in_no_later_release(self) -> None:
        world, newer, errors = self.world(), self.newer(), []
        again = with_rebuilds(newer, world.tree, ["lib/1"], errors)
        world.apply(world.plan(stack(of_stack("a/1")), again), publish=False)
        world.store[-1]["built_at"] = "2026-11-30T10:00:00Z"
        assert len(world.store) == 3
        assert not world.plan(stack(of_stack("a/1")), newer).plan.changed
        assert rebuild_available(newer, world.tree) == ["lib/1", "a/1"]
        # Unless it is named again: it is not built once more.
        named = with_rebuilds(newer, world.tree, ["lib/1"], errors)
        plan = world.plan(stack(of_stack("a/1")), named)
        assert kinds(plan) == [("update", "module", "lib/1"), ("update", "release", "/opt/apps/current")]
        world.apply(plan)
        assert len(world.store) == 3
        assert world.releases[-1]["entries"][1]["hash"] == world.store[-1]["hash"]
        assert not world.plan(stack(of_stack("a/1")), newer).plan.changed
        # After a rollback, the stack gets it back, because its release was verified.
        world.releases.append({**world.releases[0], "id": "20261129T110000Z-0a1b2c3d"})
        assert kinds(world.plan(stack(of_stack("a/1")), newer)) == kinds(plan)
        assert not errors

    def test_an_installation_that_has_changed(self) -> None:
        world, errors = self.world(), []
        same = resolved(entry("lib/1", requested=False), entry("a/1", ["lib/1"]))
        tree = observed_tree({**world.tree.raw, "changed_entries": [same.by_module["lib/1"].path]})
        assert with_rebuilds(same, tree, ["a/1"], errors) == same
        assert with_rebuilds(same, tree, ["lib/1"], errors).by_module["lib/1"].is_rebuild

    def test_an_unknown_module(self) -> None:
        errors: list[str] = []
        with_rebuilds(self.newer(), self.world().tree, ["lib/2"], errors)
        assert errors == [
            "rebuild: lib/2 is no module of the stack (did you mean `lib/1`?): correct the name, or remove it"
        ]


class TestStackAgainstModules:
    """What only the resolved modules show to be wrong in a stack."""

    def errors(self, the_stack: Stack, the_resolved: Resolved) -> list[str]:
        errors: list[str] = []
        wanted(the_stack, the_resolved, errors)
        return errors

    def test_two_defaults(self) -> None:
        the_stack = stack(of_stack("a/1", 2, default=True), of_stack("a/2", 3, default=True))
        assert self.errors(the_stack, resolved(entry("a/1"), entry("a/2"))) == [
            "stack.yml:3: a has two default versions, 2 here and 1 at stack.yml:2: remove `default` from one of them"
        ]

    def test_tests_and_collections_of_no_module(self) -> None:
        the_stack = stack(
            of_stack("a/1"),
            tests=(Named("a/2", "stack.yml:5", ("a",)),),
            collections=(Named("mine", "stack.yml:7", ("a/1", "b/1")),),
        )
        assert self.errors(the_stack, resolved(entry("a/1"))) == [
            "stack.yml:5: there are tests for a/2, which is no module of the stack (did you mean `a/1`?): correct the name, "
            "or remove the tests",
            "stack.yml:7: the collection mine has b/1, which is no module of the stack (did you mean `a/1`?): correct the "
            "name, or remove it",
        ]

    def test_an_easyconfig_that_does_not_exist(self) -> None:
        found = resolved_stack(
            {"entries": [], "errors": [{"easyconfig": "a-1.eb", "message": "EasyBuild knows no easyconfig a-1.eb"}]}
        )
        assert self.errors(stack(of_stack("a/1", 4)), found) == ["stack.yml:4: EasyBuild knows no easyconfig a-1.eb"]

    @pytest.mark.parametrize("pinned", ["5.4.1", "5.4", "5"])
    def test_the_version_of_easybuild(self, pinned: str) -> None:
        assert not self.errors(stack(easybuild=pinned, easybuild_where="stack.yml:1"), resolved())

    @pytest.mark.parametrize(("pinned", "major"), [("4.9.4", "another major version, "), ("5.4.0", ""), ("5.40", "")])
    def test_another_version_of_easybuild(self, pinned: str, major: str) -> None:
        assert self.errors(stack(easybuild=pinned, easybuild_where="stack.yml:1"), resolved()) == [
            f"stack.yml:1: the stack is for EasyBuild {pinned}, and the environment has {major}5.4.1: install EasyBuild "
            f"{pinned}, or change the version here"
        ]


# --- Any stack ------------------------------------------------------------------------------------------------------------


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Stack, Resolved, set[str]]:
    """Return a stack, its entries in build order, and modules whose builds fail."""
    count = draw(st.integers(1, 7))
    modules = [f"{draw(st.sampled_from('abc'))}{number}/{draw(st.sampled_from('12'))}" for number in range(count)]
    entries, of = [], []
    for number, module in enumerate(modules):
        earlier = modules[:number]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        build = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        is_requested = draw(st.booleans())
        missing = draw(st.sampled_from([[], [], [], [MISSING]]))
        entries.append(
            entry(
                module,
                needs,
                [one for one in build if one not in needs],
                requested=is_requested,
                sources=missing,
                recipe=draw(st.sampled_from("xy")),
            )
        )
        if is_requested:
            of.append(of_stack(module, number + 1, optional=draw(st.booleans()), featured=draw(st.booleans())))
    failing = draw(st.sets(st.sampled_from(modules)))
    return stack(*of), resolved(*entries), failing


@given(st.lists(stacks(), min_size=1, max_size=3))
def test_a_second_run_never_changes_anything(runs: list[tuple[Stack, Resolved, set[str]]]) -> None:
    world = World()
    for the_stack, the_resolved, failing in runs:
        plan = world.plan(the_stack, the_resolved)
        if plan.plan.refusals:
            continue
        before = len(world.releases)
        failed = world.apply(plan, failing)
        if plan.wanted.required & failed.keys():
            assert len(world.releases) == before
            continue
        again = world.plan(the_stack, the_resolved)
        assert not again.plan.changed, kinds(again)
        assert {item.module for item in again.failed} >= failed.keys() & _relevant(plan.wanted)
        if plan.builds or len(world.releases) > before:
            assert plan.plan.changed
        _check_release(world, plan.wanted, failed)


def _relevant(found: Wanted) -> set[str]:
    return found.resolved.needed_by(found.requested, builds=True)


def _check_release(world: World, found: Wanted, failed: Mapping[str, Failed]) -> None:
    release, store = world.releases[-1], {item["path"]: item for item in world.store}
    modules = {item["module"]: item for item in release["entries"]}
    for module, item in modules.items():
        stored = store[item["path"]]
        assert stored["module"] == module
        assert stored["modulefile_digest"] == item["modulefile_digest"]
        # Everything that a module loads is in the release.
        assert stored["dependencies"].keys() <= modules.keys()
    for module in found.requested:
        assert module in modules or module in failed or found.resolved.needed_by([module]) & failed.keys()
