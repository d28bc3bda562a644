"""The demo: homes, shares, software and a hub for everybody in examples/inventories/demo. `make demo` runs it.

On the testbed of this checkout the objects stay, so that you can look around, until `make demo-down` or the next demo. On
your own cluster (KUBECONFIG) the demo uses namespaces with generated names, and deletes them at the end.

    examples/demo/run [--namespace NAME]     NAME: another namespace on the testbed, which is deleted first if it exists
    examples/demo/run --down                 delete what is left of a demo
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import socket
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
import hub
import output
import software
import yaml
from cluster import DemoError
from output import command, heading, say

from testbed import audit
from testbed.progress import TestbedError

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = Path("examples/inventories/demo")
NOTE = ROOT / ".dev" / "demo-namespace"
"""The file with the namespace on the user's own cluster, for `make demo-down` after a demo that was killed."""


def folder_of(namespace: str) -> Path:
    """Return the folder with the files of a demo. `export` stands in for a file server. Each testbed has its own."""
    own = os.environ.get("ODHP_TESTBED_DATA")
    return (Path(own) if own else ROOT / ".dev") / "demo" / namespace


def remove(namespace: str) -> None:
    """Delete everything that a demo created."""
    if cluster.is_testbed():
        hub.stop(namespace)
    cluster.remove(namespace)
    software.remove(folder_of(namespace) / "software")
    shutil.rmtree(folder_of(namespace), ignore_errors=True)


class Demo:
    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.on_testbed = cluster.is_testbed()
        self.folder = folder_of(namespace)
        self.export = self.folder / "export"
        self.address = ""  # of the hub
        self.no_hub = (
            hub.missing() if self.on_testbed else "the nodes of the cluster in KUBECONFIG are not this machine's"
        )
        self.no_software = software.missing()
        self.extra = [] if namespace == cluster.NAMESPACE else ["-e", f"homes_namespace={namespace}"]

    def playbook(self, name: str, inventory: Path, *flags: str) -> str:
        """Print and run a playbook. Raises DemoError if it fails."""
        words = ["ansible-playbook", "-i", str(inventory), f"playbooks/{name}.yml", *self.extra, *flags]
        command(words)
        code, text = output.ansible(words, {})
        if code:
            raise DemoError(f"the playbook failed ({code}): see its output above")
        return text

    def first_run(self) -> None:
        heading("1. Provision a home for everybody")
        say(f"{INVENTORY}/ describes one hub and its users:")
        say("  group_vars/all/homes.yml   sizes, names, and a few people")
        say("  group_vars/all/users.csv   all other people, as the company directory exports them")
        self.playbook("homes", INVENTORY, "--diff", *self.options())
        if self.on_testbed:
            count = cluster.bind(self.namespace, self.folder / "volumes")
            say(f"The testbed has no storage driver, so the demo created the {count} volumes in its place.")

    def shares(self) -> None:
        heading("2. Provision shared data and notebooks, and grant access")
        say(
            "group_vars/all/shares.yml lists four shares, and common.yml the groups that get access. Three shares are on a file"
        )
        say("server. A folder on this machine stands in for it.")
        self.playbook("shares", INVENTORY, "--diff", *self.options())
        if self.on_testbed:
            for namespace in (self.namespace, cluster.jobs(self.namespace)):
                cluster.bind(namespace, self.folder / "volumes")
        say("The claims, and the content of the folder:\n")
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

    def software(self) -> None:
        heading("3. Build and publish software")
        folder = self.folder / "software"
        if self.no_software is None:
            try:
                self.add_options(software.options(folder, None if self.no_hub else self.namespace, say))
            except software.FAILURES as error:
                self.no_software = str(error)
        if self.no_software:
            say(f"No software is built here: {self.no_software}.")
            return
        say(
            "EasyBuild builds a small stack in a tree on this machine (testbed/software/stack/stack.yml). The demo builds one"
        )
        say("module now, and has the others from earlier demos. One module is optional, and fails on purpose.")
        self.playbook("software", INVENTORY, "--diff", *self.options())
        self.show_modules()
        say("\nThe stack gets a new version, which becomes the default one. Sessions that loaded the old one keep it.")
        self.playbook(
            "software",
            INVENTORY,
            "--diff",
            *self.options(),
            "-e",
            f"software_stack_file={software.second_stack(folder)}",
        )
        self.show_modules()
        say("\nBack to the release before:")
        self.playbook("software", INVENTORY, "--tags", "rollback", "--diff", *self.options())
        self.show_modules()

    def show_modules(self) -> None:
        arguments = "module avail; module load hello; hello"
        say(f"Lmod, where the tree is mounted:\n\n$ {arguments}")
        say(software.module(json.loads(self.options_file.read_text()), arguments))

    def options(self) -> list[str]:
        """Return the options that replace the file server of the inventory by a folder, and that name the expected cluster."""
        path = self.options_file
        if not path.exists():
            self.add_options(hub.options(INVENTORY, self.folder, with_hub=self.no_hub is None))
        self.add_options({"persistency_cluster": cluster.address()})
        return ["-e", f"@{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}"]

    @property
    def options_file(self) -> Path:
        return self.folder / "options.json"

    def add_options(self, more: dict[str, Any]) -> None:
        path = self.options_file
        content = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(content | more, indent=2) + "\n")

    def matrix(self) -> None:
        heading("6. Show who gets what, and why")
        everybody = self.asked("share_access_info")["text"].splitlines()
        one = self.asked("share_access_info", for_users=[edit.LEAVES])["text"].splitlines()
        say(
            "The playbook shares_report answers the same for an inventory. ro: read, rw: read and write, ask: a secret share, on"
        )
        say("request when the server starts, -: no access.\n")
        say("\n".join(everybody))
        say("\n".join(one[next(number for number, line in enumerate(one) if line.startswith(f"{edit.LEAVES},")) - 1 :]))
        say("\nThe answers come from the access rules that also run in the hub.")

    def asked(self, module: str, **options: Any) -> dict[str, Any]:
        """Run an info module of the collection on the demo's namespace and return its result."""
        words = ["ansible", "demo-hub", "-i", str(INVENTORY), "-m", f"odh.persistency.{module}"]
        words += ["-a", json.dumps({"namespace": self.namespace} | options)]
        answer = subprocess.run(words, capture_output=True, text=True)
        if answer.returncode:
            raise DemoError(f"{' '.join(words)}: {answer.stdout}{answer.stderr}")
        found: dict[str, Any] = json.loads(answer.stdout[answer.stdout.index("{") :])
        return found

    def second_run(self) -> None:
        heading("5. Run everything again: nothing to do")
        with self.recorded() as writes:
            text = self.playbook("site", INVENTORY, *self.options())
        if output.changed(text):
            raise DemoError("the second run changed something. Please report this as a bug")
        if writes:
            raise DemoError(f"the second run sent writes. Please report this as a bug: {'; '.join(writes)}")
        proof = " The audit log of the API server confirms it: not one write." if self.on_testbed else ""
        say(f"changed=0.{proof}")

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """Yield the list of writes to the demo's namespaces in the audit log. Empty outside of the testbed."""
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
                # Volumes have no namespace, but their names contain it.
                or (request.resource == "persistentvolumes" and self.namespace in request.name)
            )
            and not request.user.startswith("system:")
        ]

    def edited_run(self) -> None:
        heading("7. Preview an edit of the inventory")
        with tempfile.TemporaryDirectory(prefix="odh-persistency-demo-") as folder:
            inventory, difference = edit.edited_copy(INVENTORY, Path(folder) / "edited")
            say(f"In a temporary copy of the inventory, {edit.EXPANDS} gets a larger home,")
            say(f"{edit.JOINS} joins, {edit.LEAVES} leaves, and {edit.NARROWED}")
            say("becomes private:\n")
            say(difference)
            self.playbook("site", inventory, "--check", "--diff", *self.options())
        say(
            "In check mode the API server validated each change and stored none. Nobody loses data by leaving: the home is"
        )
        say(
            "marked as retired and kept. Changes of access are described in sentences, with the people who lose access."
        )

    def show_homes(self) -> None:
        heading("8. Show the homes")
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

    def configure_hub(self) -> None:
        heading("4. Configure the hub")
        say("The playbook hub writes the values for the Helm chart Zero to JupyterHub, and gives the hub its rights.")
        self.playbook("hub", INVENTORY, *self.options())

    def start_hub(self) -> None:
        heading("9. Start the hub")
        if self.no_hub:
            say(f"No hub is started here: {self.no_hub}.")
            return
        say("A JupyterHub with these values starts on this machine. Its servers are pods on the testbed's node.")
        variables = yaml.safe_load((INVENTORY / "group_vars" / "all" / "common.yml").read_text())
        self.address = hub.start(self.namespace, self.folder, variables["persistency_home_path"])

    def show_hub(self) -> None:
        say(f"Open {self.address} in a browser on this machine, and log in as one of these users, with any password:\n")
        say(output.table(("USER", "IS"), [(user, role) for role, user in hub.USERS.items()]))
        port = self.address.rpartition(":")[2]
        if not self.no_software:
            say(
                "\nThe tab Softwares of JupyterLab lists the modules of section 3. New kernels use what is loaded there."
            )
        say(f"\nFrom another machine: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}\n")

    def farewell(self, seconds: float) -> None:
        heading("Next")
        if self.address:
            self.show_hub()
        if self.on_testbed:
            say("Everything stays until `make demo-down`. To look around:")
            say(f"  bin/dev kubectl get pvc -n {self.namespace} -L example.org/team")
            say(f"  bin/dev kubectl get pv,configmaps -n {self.namespace} -l odh.persistency/kind")
            say("Edit users.csv or shares.yml in examples/inventories/demo/group_vars/all, and preview your edit:")
            extra = "".join(f" {word}" for word in self.extra)
            options = shlex.join(self.options())
            say(f"  bin/dev ansible-playbook -i {INVENTORY} playbooks/site.yml --check --diff {options}{extra}")
            say("Show who gets what, and what your edit would change:")
            say(f"  bin/dev ansible-playbook -i {INVENTORY} playbooks/shares_report.yml {options}{extra}")
            say("Show who would get an empty home if this hub ran KubeSpawner 6:")
            say(f"  bin/dev ansible-playbook -i {INVENTORY} playbooks/homes_report.yml -e homes_naming=escape{extra}")
        else:
            say(
                "The demo's namespaces and volumes are deleted. For your own hub, README.md has a first inventory in 15 lines."
            )
            say(
                "Without KUBECONFIG, `make demo` runs on its own control plane, and keeps it up so that you can look around."
            )
        say(f"\nThe demo took {seconds:.0f} s.")


@contextlib.contextmanager
def namespace_for_demo(name: str) -> Iterator[str]:
    """Yield the name of the demo's namespace. On the user's own cluster, always delete it at the end."""
    if cluster.is_testbed():
        if cluster.exists(name):
            say(f"Deleting what the last demo left in {name}.")
            remove(name)
        (folder_of(name) / "export").mkdir(parents=True, exist_ok=True)
        yield name
        return
    namespace = cluster.generated_name()
    NOTE.write_text(namespace)
    say(f"Running on the cluster of KUBECONFIG, in the namespace {namespace}, which is deleted at the end,")
    say(f"with {cluster.jobs(namespace)} and all volumes that were created for the two.")
    (folder_of(namespace) / "export").mkdir(parents=True, exist_ok=True)
    try:
        yield namespace
    finally:
        say(f"\nDeleting the namespaces {namespace} and {cluster.jobs(namespace)}.")
        remove(namespace)
        NOTE.unlink(missing_ok=True)


def down(name: str) -> None:
    """Delete what a demo left: its namespace on the testbed, or the namespace of a demo that was killed elsewhere."""
    if not cluster.is_testbed():
        name = NOTE.read_text() if NOTE.exists() else ""
    if name and cluster.exists(name):
        remove(name)
        say(f"The demo's namespaces {name} and {cluster.jobs(name)} are deleted.")
    NOTE.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Homes and shares for everybody in examples/inventories/demo, on a real API server."
    )
    parser.add_argument("--down", action="store_true", help="delete what is left of a demo, and do nothing else")
    parser.add_argument("--namespace", default=cluster.NAMESPACE, help="another namespace on the testbed")
    options = parser.parse_args()
    os.chdir(ROOT)
    begun = time.monotonic()
    try:
        if not os.environ.get("KUBECONFIG"):
            raise DemoError("a kubeconfig is needed: set KUBECONFIG, or unset K8S_AUTH_HOST to run on the testbed")
        if options.down:
            down(options.namespace)
            return 0
        with namespace_for_demo(options.namespace) as namespace:
            demo = Demo(namespace)
            demo.first_run()
            demo.shares()
            demo.software()
            demo.configure_hub()
            demo.second_run()
            demo.matrix()
            demo.edited_run()
            demo.show_homes()
            demo.start_hub()
        demo.farewell(time.monotonic() - begun)
    except (DemoError, TestbedError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo-down` deletes what is left", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
