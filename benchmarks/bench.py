"""What all cases share: the cluster, sizes, users, and the types of runs."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from ansible_collections.odh.persistency.plugins.module_utils._io.kubernetes.api import PAGE
from ansible_collections.odh.persistency.plugins.module_utils._io.kubernetes.parallel import CONNECTIONS

from testbed import audit, control_plane, state
from testbed.paths import DEV
from testbed.state import Testbed

from . import bare
from .run import Run, command, current_environment, play

MODULE = "odh.persistency.user_pvc"
STORAGE_CLASS = "wait-first"
SETTLED = 0.15  # of a core: the load of an idle control plane
SETTLES_WITHIN = 180.0
FIRST_NAMES = ("maria", "josé", "ana.paula", "li", "o'brien", "anne-marie", "Ивана", "mohammed", "søren", "zoë")
LAST_NAMES = ("silva", "schmidt", "rossi", "okafor", "tanaka", "dupont", "kowalski", "garcía", "nguyen", "smith")


@dataclass(frozen=True)
class Sizes:
    """The numbers of homes, shares and people in the cases, and the number of rounds."""

    many: int  # nothing to do
    new: int  # created, or planned in check mode
    sample: int  # for peers that take too long for `new`
    loop: int  # for a module in a loop
    huge: int  # 0: omitted
    rounds: int
    shares: int
    namespaces: int  # of each share
    people: int  # of the ACL, each in ten groups
    groups: int
    modules: int  # of a software tree
    tree_files: int  # in its store


FULL = Sizes(
    many=10_000,
    new=2_000,
    sample=300,
    loop=20,
    huge=100_000,
    rounds=3,
    shares=200,
    namespaces=20,
    people=10_000,
    groups=500,
    modules=2_000,
    tree_files=100_000,
)
QUICK = Sizes(
    many=1_200,
    new=100,
    sample=30,
    loop=2,
    huge=0,
    rounds=1,
    shares=20,
    namespaces=4,
    people=400,
    groups=30,
    modules=100,
    tree_files=10_000,
)


class Bench:
    """One run of the benchmarks. `judged` is False if the bounds do not apply to the sizes."""

    def __init__(self, sizes: Sizes, folder: Path, kubeconfig: Path, testbed: Testbed | None, *, judged: bool) -> None:
        self.sizes = sizes
        self.judged = judged
        self.testbed = testbed
        self.environment = {**current_environment(kubeconfig), "KUBECACHEDIR": str(folder / "kubectl")}
        self.page, self.connections = PAGE, CONNECTIONS
        self._folder = folder
        self._word = secrets.token_hex(3)
        self._namespaces: list[str] = []
        os.environ["KUBECONFIG"] = str(kubeconfig)
        self._bare = bare.Bare(CONNECTIONS)

    # -- the cluster ---------------------------------------------------------------------------------------------

    def namespace(self) -> str:
        """Create a namespace with a new name."""
        name = f"bench-{self._word}-{len(self._namespaces)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self._bare.request("POST", "/api/v1/namespaces", json.dumps(body).encode())
        self._namespaces.append(name)
        return name

    def drop_namespaces(self) -> None:
        """Delete all created objects and wait until they are gone, so that nothing is left on a user's cluster."""
        self.drop(self._namespaces)
        self._namespaces = []

    def drop(self, namespaces: Sequence[str]) -> None:
        """Delete these namespaces and the volumes of their claims, and wait until they are gone."""
        for name in namespaces:
            self._bare.request("DELETE", f"/api/v1/namespaces/{name}")
        dropped = set(namespaces)
        waiting = set(dropped)
        while waiting:
            time.sleep(1)
            waiting &= {item["metadata"]["name"] for item in self.items("/api/v1/namespaces")}
        while volumes := [
            item["metadata"]
            for item in self.items(bare.VOLUMES)
            if item["spec"].get("claimRef", {}).get("namespace") in dropped
        ]:
            going = [one["name"] for one in volumes if "deletionTimestamp" not in one]
            with ThreadPoolExecutor(self.connections) as threads:
                list(threads.map(lambda name: self._bare.request("DELETE", f"{bare.VOLUMES}/{name}"), going))
            time.sleep(1)
        self._namespaces = [name for name in self._namespaces if name not in dropped]

    def settle(self) -> None:
        """Wait until the control plane has done what it does after many claims were made, so that no run pays for another.

        On a cluster that cannot be looked into: ten seconds.
        """
        if self.testbed is None:
            time.sleep(10)
            return
        found = control_plane.status(self.testbed.data)["processes"].values()
        processes = [psutil.Process(one["pid"]) for one in found if one]
        end = time.monotonic() + SETTLES_WITHIN
        while time.monotonic() < end:
            before = sum(sum(one.cpu_times()[:2]) for one in processes)
            time.sleep(2)
            if (sum(sum(one.cpu_times()[:2]) for one in processes) - before) / 2 < SETTLED:
                return
        say(f"the control plane was still busy after {SETTLES_WITHIN:.0f} s")

    def storage_class(self) -> dict[str, str]:
        """The option that a task needs: on the testbed a class that waits for its first consumer, as most clusters have."""
        return {"storage_class": STORAGE_CLASS} if self.testbed else {}

    @contextlib.contextmanager
    def recorded(self) -> Iterator[audit.Log | None]:
        """The requests of the block, whoever made them but the control plane; None where there is no audit log."""
        if self.testbed is None:
            yield None
            return
        with audit.record(user="testbed-admin", testbed=self.testbed) as log:
            yield log

    def request(self, path: str) -> bytes:
        """GET a path."""
        return self._bare.request("GET", path)

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return all objects of a collection. `path` may have a query."""
        return bare.list_pages(self._bare, path, PAGE)[1]

    def write(self, name: str, value: Any) -> Path:
        """Write a JSON file in the run's folder."""
        path = self._folder / name
        path.write_text(json.dumps(value), encoding="utf-8")
        return path

    # -- users and definitions -----------------------------------------------------------------------------------

    def users_file(self, count: int) -> Path:
        """Write a JSON file with this number of users as dictionaries."""
        return self.write(f"users-{count}.json", [{"name": name, "size": "10Gi"} for name in names(count)])

    def variables_file(self, count: int, kind: str) -> Path:
        """Write the same users as the variable `users`: `names` or `dicts`."""
        users: list[Any] = list(names(count))
        if kind == "dicts":
            users = [{"name": name, "size": "10Gi"} for name in users]
        return self.write(f"variables-{kind}-{count}.json", {"users": users})

    def definitions(self, namespace: str) -> list[dict[str, Any]]:
        """Return manifests that create the claims of a namespace as our module does."""
        return [_definition(item) for item in self.items(bare.claims(namespace))]

    def definitions_file(self, definitions: Sequence[Mapping[str, Any]], namespace: str, *, kind: str = "list") -> Path:
        """Write manifests for another namespace to a JSON file: a plain list, or a `List` for kubectl."""
        moved: Any = [{**one, "metadata": {**one["metadata"], "namespace": namespace}} for one in definitions]
        if kind == "List":
            moved = {"apiVersion": "v1", "kind": "List", "items": moved}
        return self.write(f"definitions-{namespace}-{len(definitions)}-{kind}.json", moved)

    # -- runs ----------------------------------------------------------------------------------------------------

    def ours(self, namespace: str, *, expect: Mapping[str, int], **options: Any) -> Run:
        """Run our module over users. `expect` is the summary that it must return, `options` are those of `_users_task`."""
        return expected(self._users_task(MODULE, namespace, **options), MODULE, expect)

    def nothing(self, namespace: str, **options: Any) -> Run:
        """Run the module that does nothing over the same users."""
        return self._users_task("do_nothing", namespace, **options)

    def bare_list(self, *paths: str) -> tuple[float, int]:
        """Return the seconds of the whole script that lists these collections, and the number of requests."""
        run = command([sys.executable, "-m", "benchmarks.bare", "list", str(self.page), *paths], self.environment)
        return run.seconds, json.loads(run.output)["requests"]

    def bare_create(self, *files: Path) -> tuple[float, float]:
        """Return the seconds of the whole script, and of its requests alone. Files are processed in sequence."""
        arguments = [sys.executable, "-m", "benchmarks.bare", "create", str(self.connections), *map(str, files)]
        run = command(arguments, self.environment)
        return run.seconds, json.loads(run.output)["seconds"]

    def task(self, task: Mapping[str, Any], **options: Any) -> Run:
        """Run a playbook with this one task."""
        return play(task, self._folder, self.environment, **options)

    def kubectl(self, *arguments: str | Path) -> Run:
        return command(["kubectl", *arguments], self.environment)

    def module(self, name: str, options: Mapping[str, Any], *, expect: Mapping[str, int], check: bool = False) -> Run:
        """Run a module of ours, which must return this summary."""
        return expected(self.task({f"odh.persistency.{name}": dict(options)}, check=check), name, expect)

    def do_nothing(self, options: Mapping[str, Any]) -> Run:
        """Run the module that does nothing with these options."""
        return self.task({"do_nothing": dict(options)})

    def _users_task(
        self,
        module: str,
        namespace: str,
        *,
        users_file: Path | None = None,
        variables: Path | None = None,
        check: bool = False,
        watch_memory: bool = False,
    ) -> Run:
        options: dict[str, Any] = {"namespace": namespace, **self.storage_class()}
        if users_file is not None:
            options["users_file"] = str(users_file)
        if variables is not None:
            options["users"] = "{{ users }}"
        files = [] if variables is None else [variables]
        return self.task({module: options}, check=check, variables=files, watch_memory=watch_memory)


def expected(run: Run, module: str, summary: Mapping[str, int]) -> Run:
    """Return the run of a module of ours if it returned this summary (without counts of 0). Raises AssertionError."""
    found = {action: number for action, number in run.result["summary"].items() if number}
    if found != summary or run.result["changed"] != (set(summary) != {"keep"}):
        raise AssertionError(f"{module} returned {run.result}, not the summary {dict(summary)}")
    return run


def names(count: int) -> Iterator[str]:
    """Return distinct e-mail addresses."""
    for number in range(count):
        first = FIRST_NAMES[number % len(FIRST_NAMES)]
        last = LAST_NAMES[number // len(FIRST_NAMES) % len(LAST_NAMES)]
        yield f"{first}.{last}{number}@example.org"


def _definition(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    spec = {key: item["spec"][key] for key in ("accessModes", "resources", "storageClassName") if key in item["spec"]}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


@contextlib.contextmanager
def opened(sizes: Sizes, cluster: str, *, judged: bool) -> Iterator[Bench]:
    """A bench on a testbed of its own (`own`), which is wiped before and after, or on the `current` cluster."""
    data = DEV / "benchmarks"
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        if cluster == "current":
            # Where the current cluster is the checkout's testbed, its audit log and its processes can be looked into.
            kubeconfig = Path(os.environ["KUBECONFIG"])
            is_testbed = (kubeconfig.parent / control_plane.MARKER).exists()
            testbed = state.load(kubeconfig.parent) if is_testbed else None
            bench = Bench(sizes, Path(folder), kubeconfig, testbed, judged=judged)
            try:
                yield bench
            finally:
                bench.drop_namespaces()
            return
        control_plane.reset(data)
        testbed = control_plane.up(data)
        try:
            yield Bench(sizes, Path(folder), testbed.kubeconfig, testbed, judged=judged)
        finally:
            control_plane.reset(data)


def say(sentence: str) -> None:
    print(f"[bench {time.strftime('%H:%M:%S')}] {sentence}", file=sys.stderr, flush=True)
