"""The system calls of Lmod on a software tree, counted by strace."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.odh.persistency.plugins.module_utils._software.lmod import lmod_environment

from tests.support.software_tree import LMOD, SoftwareTree

#: What the environment of our servers has besides Lmod's own: without them Lmod has its defaults.
SERVER_SETTINGS = ("LMOD_RC", "LMOD_CACHED_LOADS", "LMOD_SHORT_TIME", "LMOD_PIN_VERSIONS")
_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)\) = ")
#: Of a file that is open already. A client of NFS knows the answer.
_OPEN_FILE = "AT_EMPTY_PATH"


def calls(tree: SoftwareTree, arguments: Sequence[str], without: Sequence[str] = ()) -> list[str]:
    """Return the calls that name a path below the prefix, in order."""
    environment = {**lmod_environment(tree.tree, LMOD), "PATH": "/usr/bin:/bin"}
    for name in without:
        del environment[name]
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        command = ["strace", "-f", "-e", "trace=%file,getdents64", "-y", "-o", trace, LMOD, "bash", *arguments]
        subprocess.run(command, env={**environment, "HOME": folder}, check=True, capture_output=True)
        lines = trace.read_text(errors="replace").splitlines()
    return [line for line in lines if str(tree.prefix) in line and _CALL.match(line) and _OPEN_FILE not in line]
