"""The demo: homes and shares for everybody in examples/inventories/demo, on a real API server. `make demo` runs it.

On the testbed of this checkout what it made stays for a look around, until `make demo-down` or the next demo. On a cluster
of your own (KUBECONFIG) it works in namespaces with generated names, which it removes in the end.

    examples/demo/run [--namespace NAME]     NAME: another namespace, on the testbed; removed first where it exists
    examples/demo/run --down                 remove what is left of a demo
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cluster
import edit
import output
from cluster import DemoError
from output import command, heading, say

from testbed import audit

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = Path("examples/inventories/demo")
NOTE = ROOT / ".dev" / "demo-namespace"
"""Where a namespace on somebody's own cluster is remembered, for `make demo-down` after a demo that was killed."""


def export_of(namespace: str) -> Path:
    """The folder that stands in for what a file server exports."""
    return ROOT / ".dev" / "demo-export" / namespace


def remove(namespace: str) -> None:
    """Remove all that a demo made."""
    cluster.remove(namespace)
    shutil.rmtree(export_of(namespace), ignore_errors=True)


class Demo:
    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.on_testbed = cluster.is_testbed()
        self.export = export_of(namespace)
        self.extra = [] if namespace == cluster.NAMESPACE else ["-e", f"homes_namespace={namespace}"]

    def playbook(self, name: str, inventory: Path, *flags: str) -> str:
        """Show and run a playbook. Raises DemoError when it fails."""
        words = ["ansible-playbook", "-i", str(inventory), f"playbooks/{name}.yml", *self.extra, *flags]
        command(words)
        code, text = output.ansible(words, {})
        if code:
            raise DemoError(f"that playbook failed ({code}); its output above says why")
        return text

    def first_run(self) -> None:
        heading("1. Everybody gets a home")
        say(f"{INVENTORY}/ describes one hub and who works there:")
        say("  group_vars/all/homes.yml   sizes, names, and a few people")
        say("  group_vars/all/users.csv   the others, as the directory exports them")
        self.playbook("homes", INVENTORY, "--diff")
        if self.on_testbed:
            count = cluster.bind(self.namespace)
            say(f"The testbed has no storage driver, so the demo made the {count} volumes that one would have made.")

    def shares(self) -> None:
        heading("2. Shared data and notebooks, and who may use them")
        say(
            "group_vars/all/shares.yml lists four shares, common.yml the groups that they are granted to. Three shares lie on"
        )
        say("a file server, for which a folder of this machine stands in.")
        self.playbook("shares", INVENTORY, "--diff", *self.directories())
        if self.on_testbed:
            cluster.bind(self.namespace)
        say("The claims, and what is in the folder:\n")
        rows = [
            (
                claim["metadata"]["namespace"],
                claim["metadata"]["name"],
                claim["spec"]["resources"]["requests"]["storage"],
                claim["status"]["phase"],
                claim["spec"].get("storageClassName") or "-",
            )
            for namespace in (self.namespace, cluster.jobs(self.namespace))
            for claim in cluster.claims(namespace, "odh.persistency/kind=share")
        ]
        say(output.table(("NAMESPACE", "SHARE", "SIZE", "PHASE", "CLASS"), rows))
        say("")
        for path in sorted(self.export.rglob("*")):
            say(f"{stat.filemode(path.stat().st_mode)}  {path.relative_to(self.export)}")

    def directories(self) -> list[str]:
        """What stands in for the file server of the inventory: a folder on this machine."""
        return ["-e", f"shares_path={self.export}"]

    def matrix(self) -> None:
        heading("4. Who gets what, and why")
        everybody = self.asked("share_access_info")["text"].splitlines()
        one = self.asked("share_access_info", for_users=[edit.LEAVES])["text"].splitlines()
        say(
            "The playbook shares_report asks the same of an inventory. ro: may read, rw: may change, ask: a secret share, when"
        )
        say("the person asks for it as the server starts, -: is not there.\n")
        say("\n".join(everybody))
        say("\n".join(one[next(number for number, line in enumerate(one) if line.startswith(f"{edit.LEAVES},")) - 1 :]))
        say("\nThe rules that answer here are those by which a hub decides, in the same file.")

    def asked(self, module: str, **options: Any) -> dict[str, Any]:
        """What an info module of the collection says of the demo's namespace."""
        words = ["ansible", "demo-hub", "-i", str(INVENTORY), "-m", f"odh.persistency.{module}"]
        words += ["-a", json.dumps({"namespace": self.namespace} | options)]
        answer = subprocess.run(words, capture_output=True, text=True)
        if answer.returncode:
            raise DemoError(f"{' '.join(words)}: {answer.stdout}{answer.stderr}")
        found: dict[str, Any] = json.loads(answer.stdout[answer.stdout.index("{") :])
        return found

    def second_run(self) -> None:
        heading("3. Run it all again: nothing to do")
        with self.recorded() as writes:
            text = self.playbook("site", INVENTORY, *self.directories())
        if output.changed(text):
            raise DemoError("the second run changed something, which it must not; please report this as a bug")
        if writes:
            raise DemoError(
                f"the second run wrote, which it must not; please report this as a bug: {'; '.join(writes)}"
            )
        proof = " The audit log of the API server agrees: not one write." if self.on_testbed else ""
        say(f"changed=0.{proof}")

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """The writes into the demo's namespace that the API server saw meanwhile; on the testbed, which has the log."""
        writes: list[str] = []
        if not self.on_testbed:
            yield writes
            return
        with audit.record() as log:
            yield writes
        writes += [
            str(request)
            for request in log.writes
            if (
                {self.namespace, cluster.jobs(self.namespace)} & {request.namespace, request.name}
                # Volumes are in no namespace, and have it in their names.
                or (request.resource == "persistentvolumes" and self.namespace in request.name)
            )
            and not request.user.startswith("system:")
        ]

    def edited_run(self) -> None:
        heading("5. The inventory is edited; what would happen?")
        with tempfile.TemporaryDirectory(prefix="odh-persistency-demo-") as folder:
            inventory, difference = edit.edited_copy(INVENTORY, Path(folder) / "edited")
            say(f"In a copy of it, which goes when this is over, {edit.GROWS} gets more room,")
            say(f"{edit.JOINS} joins, {edit.LEAVES} leaves, and {edit.NARROWED}")
            say("is public no more:\n")
            say(difference)
            self.playbook("site", inventory, "--check", "--diff", *self.directories())
        say(
            "Check mode asked the API server to validate each change, and made none. Nobody loses data by leaving: the home is"
        )
        say("marked as retired and kept. What changes of access is said in sentences, and who loses what is named.")

    def show_homes(self) -> None:
        heading("6. The homes")
        rows = [
            (
                f"{home['owner']} ({home['server']})" if home["server"] else home["owner"],
                home["size"],
                home["phase"],
                home["storage_class"] or "-",
                home["age"],
                f"retired {home['retired_at']}" if home["retired_at"] else "mounted" if home["pods"] else "managed",
            )
            for home in sorted(self.asked("user_pvc_info")["homes"], key=lambda item: (item["owner"], item["server"]))
        ]
        say(output.table(("OWNER (SERVER)", "SIZE", "PHASE", "CLASS", "AGE", "STATE"), rows))

    def farewell(self, seconds: float) -> None:
        heading("Next")
        if self.on_testbed:
            say("All of this stays until `make demo-down`. To look around:")
            say(f"  bin/dev kubectl get pvc -n {self.namespace} -L example.org/team")
            say(f"  bin/dev kubectl get pv,configmaps -n {self.namespace} -l odh.persistency/kind")
            say(
                "Edit users.csv or shares.yml in examples/inventories/demo/group_vars/all, and see what your edit would do:"
            )
            directories = shlex.join(self.directories())
            say(f"  bin/dev ansible-playbook -i {INVENTORY} playbooks/site.yml --check --diff {directories}")
            say("Who gets what, and what would your edit change of it?")
            say("  bin/dev ansible-playbook -i examples/inventories/demo playbooks/shares_report.yml")
            say("Who would find an empty home, if this hub still ran KubeSpawner 6?")
            say(
                "  bin/dev ansible-playbook -i examples/inventories/demo playbooks/homes_report.yml -e homes_naming=escape"
            )
        else:
            say(
                "The demo's namespaces and volumes are gone again. For a hub of your own, README.md has a first inventory in 15"
            )
            say(
                "lines. Without KUBECONFIG, `make demo` runs on a control plane of its own, and leaves it up to look around in."
            )
        say(f"\nThe demo took {seconds:.0f} s.")


@contextlib.contextmanager
def namespace_for_demo(name: str) -> Iterator[str]:
    """The demo's namespace, not made yet; on somebody's own cluster it goes in the end, come what may."""
    if cluster.is_testbed():
        if cluster.exists(name):
            say(f"Removing what the last demo left in {name}, to begin anew.")
            remove(name)
        export_of(name).mkdir(parents=True, exist_ok=True)
        yield name
        return
    namespace = cluster.generated_name()
    NOTE.write_text(namespace)
    say(f"Running on the cluster of KUBECONFIG, in the namespace {namespace}, which goes in the end,")
    say(f"and so do {cluster.jobs(namespace)} and all volumes made for the two.")
    export_of(namespace).mkdir(parents=True, exist_ok=True)
    try:
        yield namespace
    finally:
        say(f"\nRemoving the namespaces {namespace} and {cluster.jobs(namespace)}.")
        remove(namespace)
        NOTE.unlink(missing_ok=True)


def down(name: str) -> None:
    """Remove what a demo left: on the testbed its namespace, elsewhere that of a demo that was killed."""
    if not cluster.is_testbed():
        name = NOTE.read_text() if NOTE.exists() else ""
    if name and cluster.exists(name):
        remove(name)
        say(f"The demo's namespaces {name} and {cluster.jobs(name)} are removed.")
    NOTE.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Homes and shares for everybody in examples/inventories/demo, on a real API server."
    )
    parser.add_argument("--down", action="store_true", help="remove what is left of a demo, and do nothing else")
    parser.add_argument("--namespace", default=cluster.NAMESPACE, help="on the testbed: another namespace")
    options = parser.parse_args()
    os.chdir(ROOT)
    begun = time.monotonic()
    try:
        if not os.environ.get("KUBECONFIG"):
            raise DemoError("it takes a kubeconfig: set KUBECONFIG, or unset K8S_AUTH_HOST to run on the testbed")
        if options.down:
            down(options.namespace)
            return 0
        with namespace_for_demo(options.namespace) as namespace:
            demo = Demo(namespace)
            demo.first_run()
            demo.shares()
            demo.second_run()
            demo.matrix()
            demo.edited_run()
            demo.show_homes()
        demo.farewell(time.monotonic() - begun)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo-down` removes what is left", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
