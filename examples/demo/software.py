"""The demo's software: a tree on this machine, in which EasyBuild builds, and from which Lmod loads."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._core.hub.software_tree import lmod_environment
from ansible_collections.odh.persistency.plugins.module_utils._io.errors import ExternalError
from cluster import DemoError

from testbed.software import stack
from testbed.software.environment import LMOD_CMD, notebook, public, shared_cache
from testbed.software.sources import EASYCONFIGS, sources

#: The modules that the demo builds. All others come from the cache of earlier demos, where the demo builds them too.
BUILT = ("hello/1.0", "hello/1.1")
#: What `options` raises if this machine cannot build the stack, for instance without a network.
FAILURES = (RuntimeError, ExternalError, OSError)
#: What Lmod prints below a list.
_ADVICE = re.compile(r'\n*If the avail list .* of the "keys"\.\n*', re.DOTALL)
_NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def missing() -> str | None:
    """Return why this machine cannot build and load software, in one sentence; None if it can."""
    absent = [name for name in ("gcc", "make", "unshare") if shutil.which(name) is None]
    absent += [] if Path(LMOD_CMD).exists() else ["lmod"]
    if absent:
        return f"install {', '.join(absent)} (bin/system-packages)"
    tried = subprocess.run([*_NAMESPACE, "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, text=True)
    if tried.returncode:
        reason = tried.stderr.strip().splitlines()[-1:] or [f"exit code {tried.returncode}"]
        return f"neither root nor a user namespace can mount the tree at its prefix here ({reason[0]})"
    return None


def _place(folder: Path) -> Path:
    """Return where the files of a demo's software are: `folder`, or a folder of the cache if the build user cannot reach it.

    `options` leaves a link to that at `folder`.
    """
    if folder.is_symlink():
        return folder.resolve()
    if os.geteuid() != 0 or public(folder):
        return folder
    return shared_cache() / "demo" / f"{folder.parent.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def options(folder: Path, namespace: str | None, report: Callable[[str], object]) -> dict[str, Any]:
    """Create the tree in `folder`, and return the variables of the role. Raises FAILURES.

    Servers in `namespace` mount the tree. If it is None, no server runs on this machine, and others could not mount it.
    """
    demo = stack.demo_stack(report)
    remove(folder)
    place = _place(folder)
    if place != folder and not folder.is_symlink():
        folder.symlink_to(place)
    tree = demo.copy(place / "tree", [module for module in demo.entries if module not in BUILT])
    # The second publication: a new version, which becomes the default one.
    text = stack.STACK_FILE.read_text()
    new = "  - hello-1.1.eb:\n      default: true\n"
    second = text.replace("  - hello-1.0.eb:\n      default: true\n", f"{new}  - hello-1.0.eb:\n")
    if new not in second:
        raise ValueError(f"{stack.STACK_FILE} has no longer the entry that the demo edits")
    second_stack(folder).write_text(second)
    return {
        "software_prefix": str(demo.prefix),
        "software_path": str(tree),
        "software_easybuild": str(demo.python.parent.parent),
        "software_build_user": stack.build_user() or "",
        "software_lmod_cmd": LMOD_CMD,
        "software_server_python": str(notebook(report)),
        "software_stack_file": str(stack.STACK_FILE),
        "software_robot_paths": [str(EASYCONFIGS)],
        "software_source_paths": [str(sources(report))],
        **(_claims(tree, namespace) if namespace else {"hub_software": {}}),
    }


def _claims(tree: Path, namespace: str) -> dict[str, Any]:
    """Return the variables with which servers get a claim of the tree. They run on this machine."""
    return {
        "software_backend": {"type": "host_path", "path": str(tree)},
        "software_size": "1Gi",
        "software_namespaces": [namespace],
    }


def second_stack(folder: Path) -> Path:
    """Return the file of the stack with a new version."""
    return folder / "stack-2.yml"


def module(variables: dict[str, Any], arguments: str) -> str:
    """Run `module` with the environment of servers, where the tree is at its prefix, and return what it prints."""
    prefix, path = variables["software_prefix"], variables["software_path"]
    environment = lmod_environment({"prefix": prefix, "lmod_cmd": LMOD_CMD})
    init = Path(LMOD_CMD).parent.parent / "init" / "bash"
    script = f'mount --bind "$0" "$1" && . "$2" && {{ {arguments}; }} 2>&1'
    done = subprocess.run(
        [*_NAMESPACE, "bash", "-c", script, path, prefix, init],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": "/nowhere",
            "TERM": "dumb",
            "LMOD_PAGER": "none",
            "LMOD_AVAIL_EXTENSIONS": "no",
            **environment,
        },
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise DemoError(f"{arguments}: {done.stdout}{done.stderr}")
    return _ADVICE.sub("\n\n", done.stdout).strip()


def remove(folder: Path) -> None:
    """Remove the tree, whose installations are read-only."""
    place = _place(folder)
    if place.exists():
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)
        shutil.rmtree(place)
