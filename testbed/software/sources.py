"""The sources of the demo stack, downloaded once per user: from Debian's archive, the Python package index, and our own files.

Debian's `.orig` archives are the very files that EasyBuild's stock easyconfigs expect.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from .environment import shared_cache

STACK = Path(__file__).parent / "stack"
EASYCONFIGS = STACK / "easyconfigs"
APPLICATIONS = STACK / "applications"
PACKAGES = STACK / "packages.txt"
#: Source packages of Debian, their files, and the files of EasyBuild with the same content.
DEBIAN = {
    "bzip2": ("bzip2_1.0.8.orig.tar.gz", "bzip2-1.0.8.tar.gz"),
    "unzip": ("unzip_6.0.orig.tar.gz", "unzip60.tar.gz"),
}
SUITE = "bookworm"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def sources(report: Callable[[str], object] = print) -> Path:
    """Return the folder with the sources, which everybody can read."""
    files = [PACKAGES, *sorted(path for path in APPLICATIONS.rglob("*") if path.is_file())]
    key = hashlib.sha256(f"{SUITE} {DEBIAN}".encode() + b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    home = shared_cache() / f"software-sources-{key}"
    if home.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.with_name(home.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            report("downloading the sources of the demo stack (2 MB), once per user")
            _download(home)
    return home


def _download(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as temporary:
        new = Path(temporary, "sources")
        new.mkdir(mode=0o755)
        for application in sorted(APPLICATIONS.iterdir()):
            pack(application, new / f"{application.name}.tar")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q", "download", "--no-deps"]
        _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(PACKAGES), "-d", str(new)])
        _from_debian(Path(temporary, "debian"), new)
        for path in new.iterdir():
            path.chmod(0o644)
        new.rename(home)


def pack(folder: Path, archive: Path) -> None:
    """Pack a folder so that the archive is the same everywhere: no times, no owners, and no compression."""
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as file:
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(f"{folder.name}/{path.name}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with open(path, "rb") as content:
                file.addfile(entry, content)


def _from_debian(folder: Path, target: Path) -> None:
    """Download source packages with lists of our own, so that the machine's configuration of apt stays as it is."""
    for name in ("lists/partial", "archives/partial", "empty"):
        Path(folder, name).mkdir(parents=True)
    mirror = os.environ.get("ODHP_DEBIAN_MIRROR") or "http://deb.debian.org/debian"
    folder.joinpath("sources.list").write_text(f"deb-src [signed-by={KEYS}] {mirror} {SUITE} main\n")
    settings = {
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder,
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "empty",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in settings.items())]
    _run([*apt, "update"], folder)
    _run([*apt, "source", "--download-only", "--only-source", *DEBIAN], folder)
    for theirs, ours in DEBIAN.values():
        shutil.copyfile(folder / theirs, target / ours)


def _run(command: list[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ... failed:\n{(done.stdout + done.stderr)[-3000:]}")
