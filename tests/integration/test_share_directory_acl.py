"""`share_directory` and POSIX access control lists, which grant access that a directory's mode does not show."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.directories import as_root, attributes, snapshot
from tests.support.directory_fixtures import *  # noqa: F403

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
STRANGER = 1234
# Tags of entries (linux/posix_acl.h): the owner, a user by name, the group, the mask, others.
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY = 0xFFFFFFFF


def give(path: Path, kind: str, *, mask: int = 7, group: int = 5) -> None:
    """What `setfacl -m u:1234:rwx,g::GROUP,m::MASK,o::---` writes (linux/posix_acl_xattr.h)."""
    entries = [(_OWNER, 7, _NOBODY), (_USER, 7, STRANGER), (_GROUP, group, _NOBODY), (_MASK, mask, _NOBODY)]
    entries.append((_OTHER, 0, _NOBODY))
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, kind, value)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("the file system of temporary folders has no access control lists")


def lists(path: Path) -> set[str]:
    return {ACCESS, DEFAULT} & set(os.listxattr(path))


def may_write(path: Path, uid: int, gid: int) -> bool:
    """Whether a user can create a file there, according to the kernel."""
    program = (
        f"import os; os.setgroups([]); os.setgid({gid}); os.setuid({uid}); open({str(path / 'trace')!r}, 'w').close()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd="/").returncode == 0
    (path / "trace").unlink(missing_ok=True)
    return done


PRIVATE = {"name": "s", "directory": "way/s", "gid": 5000, "directories": ["d"]}
MADE = {"way": "0755 0:0", "way/s": "2770 0:5000", "way/s/d": "2770 0:5000"}


@as_root
@pytest.mark.parametrize("mask", [7, 5, 0])
def test_acls_inherited_from_the_root_admit_nobody(directories, root, mask) -> None:
    give(root, DEFAULT, mask=mask)
    shown = directories.ok([PRIVATE], check=True)
    done = directories.ok([PRIVATE])
    assert shown.output["diff"] == done.output["diff"]
    assert attributes(root) == MADE
    assert not any(lists(root / path) for path in MADE)
    assert not may_write(root / "way/s", STRANGER, STRANGER)
    assert may_write(root / "way/s", 4321, 5000)
    assert directories.ok([PRIVATE]).summary == {"keep": 3}
    # The root itself is the operator's.
    assert lists(root) == {DEFAULT}


@as_root
@pytest.mark.parametrize("kind", [ACCESS, DEFAULT])
@pytest.mark.parametrize("mode", [0o2770, 0o700])
def test_an_empty_directory_loses_its_list(directories, root, kind, mode) -> None:
    folder = root / "way" / "s"
    folder.mkdir(parents=True)
    os.chown(folder, 0, 5000)
    give(folder, kind, mask=mode >> 3 & 7)
    folder.chmod(mode)
    share = {**PRIVATE, "directories": []}
    result = directories.ok([share])
    assert result.actions() == {str(folder): "update"}
    assert "with an access control list" in result.output["diff"]["before"]
    assert lists(folder) == set()
    assert attributes(root)["way/s"] == "2770 0:5000"
    assert not may_write(folder, STRANGER, STRANGER)
    assert directories.ok([share]).summary == {"keep": 2}


@as_root
def test_an_acl_on_a_directory_with_content_is_reported_and_kept(directories, root) -> None:
    folder = root / "s"
    folder.mkdir()
    os.chown(folder, 0, 5000)
    give(folder, ACCESS)
    folder.chmod(0o2770)
    (folder / "file").write_text("data")
    share = {"name": "s", "directory": "s", "gid": 5000}
    before = snapshot(root)
    message = directories.refused([share])
    assert "is 2770 root:5000 with an access control list (`getfacl`), not 2770 root:5000" in message
    assert "set `adopt: true`" in message
    assert snapshot(root) == before
    assert lists(folder) == {ACCESS}
    assert directories.ok([share], adopt=True).actions() == {str(folder): "adopt"}
    assert lists(folder) == set()
    assert attributes(root) == {"s": "2770 0:5000"}
    assert (folder / "file").read_text() == "data"
    assert directories.ok([share], adopt=True).summary == {"keep": 1}
