"""Other versions of Python on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def find_python(version: str) -> Path | None:
    """Return the interpreter of a version (such as "3.8") in PATH or of pyenv, None without one."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(name), *map(str, sorted(pyenv.glob(f"{version}*/bin/{name}")))]
    # pyenv's own command in PATH fails if no such version is active.
    works = (path for path in found if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0)
    return next((Path(path).resolve() for path in works), None)
