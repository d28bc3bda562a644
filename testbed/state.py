"""The stored state of a testbed, and its paths."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import api, binaries
from .paths import DEV, MANIFESTS, data_dir
from .progress import TestbedError


@dataclass(frozen=True)
class Testbed:
    """Where a testbed is and how to reach it."""

    __test__ = False  # for pytest, which would collect the class for its name

    data: Path
    server: str

    @property
    def kubeconfig(self) -> Path:
        return self.data / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.data / "logs" / "audit.log"

    @property
    def pki(self) -> Path:
        return self.data / "pki"

    def client(self) -> api.Client:
        """A client with all rights."""
        return api.Client(self.server, self.pki / "ca.crt", self.pki / "admin.crt", self.pki / "admin.key")


def load(data: Path | None = None) -> Testbed:
    """Return the testbed in `data` as it was last started. Raises TestbedError if it never was."""
    data = data or data_dir()
    state = read(data)
    if not state.get("ports"):
        raise TestbedError(f"there is no testbed in {data}; start one with: bin/dev python -m testbed up")
    return Testbed(data, f"https://127.0.0.1:{state['ports']['kube-apiserver']}")


def read(data: Path) -> dict[str, Any]:
    """Return `{"ports": {name: port}, "manifests": digest}`: empty before the first start, no digest during a start."""
    try:
        state = json.loads((data / "state.json").read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write(data: Path, state: dict[str, Any]) -> None:
    temporary = data / "state.json.new"
    temporary.write_text(json.dumps(state, indent=2) + "\n")
    os.replace(temporary, data / "state.json")


def digest_of_manifests() -> str:
    files = sorted(MANIFESTS.glob("*.yaml"))
    return hashlib.sha256(
        b"\0".join(part for file in files for part in (file.name.encode(), file.read_bytes()))
    ).hexdigest()


def link_kubectl() -> None:
    """`.dev/bin/kubectl`, which bin/dev has in PATH."""
    link, target = DEV / "bin" / "kubectl", binaries.locate()["kubectl"]
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".kubectl.{os.getpid()}")
    temporary.symlink_to(target)
    os.replace(temporary, link)
