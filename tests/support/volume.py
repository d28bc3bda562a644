"""A volume of its own for a tree: a small ext4 file system that a test takes away in the middle of a run, and gives back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["Volume", "volume"]

#: include/uapi/linux/fs.h: EXT4_IOC_SHUTDOWN, with EXT4_GOING_FLAGS_NOLOGFLUSH.
_SHUTDOWN, _AT_ONCE = 0x8004587D, 2
_SIZE = "64M"


class Volume:
    """A file system that is mounted at `path`."""

    def __init__(self, folder: Path) -> None:
        self.image, self.path = folder / "image", folder / "volume"
        self.path.mkdir()
        subprocess.run(["truncate", "-s", _SIZE, self.image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.mount()

    def mount(self) -> None:
        """Mount it."""
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True, capture_output=True)

    def unmount(self) -> None:
        """Unmount it, whoever uses it."""
        subprocess.run(["umount", "--lazy", self.path], check=True)

    def lose(self) -> None:
        """Let every access fail from now on, and forget what is not on the disk yet, as when the power fails."""
        shut_down(self.path)

    def recover(self) -> None:
        """Mount it again, as after a power failure: a copy of it, because other mount namespaces may still have it."""
        self.unmount()
        copy = self.image.with_name(f"{self.image.name}-again")
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        self.image = copy
        self.mount()

    @property
    def command_that_loses_it(self) -> str:
        """A command for a shell."""
        return f"{sys.executable} {__file__} {self.path}"


def shut_down(path: Path) -> None:
    """Shut an ext4 file system down."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _AT_ONCE))
    os.close(descriptor)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """A file system of its own; see the docstring of this file."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    try:
        found = Volume(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine mounts no image: {error}")
    tmp_path.chmod(0o755)
    yield found
    with contextlib.suppress(subprocess.CalledProcessError):
        found.unmount()


if __name__ == "__main__":
    shut_down(Path(sys.argv[1]))
