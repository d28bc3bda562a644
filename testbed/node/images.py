"""The images of a node: `pause`, and the notebook image, whose files are bind-mounted when a node starts.

No registry is needed. The notebook image is a root file system in the per-user cache, built once for each recipe
(`build-image`, requirements/singleuser.txt and requirements/easybuild.txt). containerd imports an image of one file, and the
supervisor mounts the root file system read-only over the folder that it unpacked it to, so that nothing is copied.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from .. import binaries, locks
from ..paths import HERE, ROOT, cache_dir
from ..progress import TestbedError, minutes, say
from .support import PATH

RECIPE = HERE / "node" / "build-image"
REQUIREMENTS = ROOT / "requirements" / "singleuser.txt"
EASYBUILD = ROOT / "requirements" / "easybuild.txt"
PAUSE = "odh.persistency/pause:testbed"
#: JupyterLab, jupyterhub-singleuser, Lmod, jupyterlmod and ipykernel; also EasyBuild and a compiler, for Jobs that build.
NOTEBOOK = "odh.persistency/singleuser:testbed"
#: The same files, but the Python that it finds has no kernel: a server image in which somebody forgot something.
WITHOUT_KERNEL = "odh.persistency/without-kernel:testbed"
#: The one file of the notebook image that containerd unpacks.
PLACEHOLDER = ".bound-image"
EXPECT = "about half a minute"

_PAUSE_CONFIG = {"Entrypoint": ["/pause"], "User": "65535:65535"}
_NOTEBOOK_CONFIG = {
    "User": "1000:100",
    "WorkingDir": "/home/jovyan",
    "Cmd": ["jupyterhub-singleuser"],
    "Env": [
        "PATH=/opt/jupyter/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME=/home/jovyan",
        "LANG=C.UTF-8",
        "SHELL=/bin/bash",
        "LMOD_CMD=/usr/share/lmod/lmod/libexec/lmod",
    ],
}
_WITHOUT_KERNEL_CONFIG = {**_NOTEBOOK_CONFIG, "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/jovyan"]}


def notebook_root() -> Path:
    """Return the path of the notebook image's root file system, built or not. It depends on everything in the image."""
    recipe = b"\0".join(
        [*(path.read_bytes() for path in (RECIPE, REQUIREMENTS, EASYBUILD)), platform.machine().encode()]
    )
    return cache_dir() / "images" / hashlib.sha256(recipe).hexdigest()[:12]


def ensure_notebook() -> Path:
    """Build the notebook image if it is missing. Return its root file system. Raises TestbedError."""
    root = notebook_root()
    if root.exists():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with open(root.with_name(f"{root.name}.lock"), "w") as lock:
        locks.acquire(lock, "builds the notebook image", EXPECT)
        if not root.exists():
            _build(root, lock.fileno())
    return root


def _build(root: Path, lock: int) -> None:
    say(f"building the notebook image, once for this user; expect {EXPECT}")
    temporary = root.with_name(f"{root.name}.building")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(mode=0o755)
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), PATH]))
    if uv is None:
        raise TestbedError("building the notebook image needs uv: run this with bin/dev")
    cache = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    Path(cache).mkdir(parents=True, exist_ok=True)
    # In its own namespaces, so that no mount and no process is left, however it ends.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    command += [str(RECIPE), str(temporary), str(REQUIREMENTS), str(EASYBUILD), uv, cache]
    complaints: deque[str] = deque(maxlen=25)
    began = time.monotonic()
    with subprocess.Popen(
        command,
        env=os.environ | {"PATH": PATH},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[lock],
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if line.startswith("== "):
                    say(f"notebook image: {line[3:].rstrip()}")
                else:
                    complaints.append(line.rstrip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise TestbedError("building the notebook image failed:\n" + "\n".join(complaints))
    temporary.rename(root)
    say(f"built the notebook image in {minutes(time.monotonic() - began)}, kept in {root}")


def write_archive(path: Path) -> None:
    """Write both images to one file, in the format of `docker save`."""
    pause = binaries.locate()["pause"].read_bytes()
    # Both images unpack to the same folder.
    placeholder = {PLACEHOLDER: b"The root file system of this image is mounted here.\n"}
    contents: dict[str, tuple[dict[str, bytes], dict[str, Any]]] = {
        PAUSE: ({"pause": pause}, _PAUSE_CONFIG),
        NOTEBOOK: (placeholder, _NOTEBOOK_CONFIG),
        WITHOUT_KERNEL: (placeholder, _WITHOUT_KERNEL_CONFIG),
    }
    manifest, files = [], {}
    for name, (content, config) in contents.items():
        layer = _tar(content, 0o755)
        short = re.sub(r"\W", "-", name)
        files[f"{short}.tar"] = layer
        files[f"{short}.json"] = json.dumps(_image(layer, config)).encode()
        manifest.append({"Config": f"{short}.json", "RepoTags": [name], "Layers": [f"{short}.tar"]})
    files["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(_tar(files, 0o644))


def _image(layer: bytes, config: dict[str, Any]) -> dict[str, Any]:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    rootfs = {"type": "layers", "diff_ids": [digest]}
    return {"architecture": architecture, "os": "linux", "config": config, "rootfs": rootfs}


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
