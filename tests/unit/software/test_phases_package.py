"""The files of the phases, which another user reads."""

from __future__ import annotations

import os

from ansible_collections.odh.persistency.plugins.module_utils._io.software.package import write_package


def test_every_user_reads_the_package_whatever_the_umask_is(tmp_path):
    folder = tmp_path / "package"
    before = os.umask(0o077)
    try:
        folder.mkdir()
        write_package(folder)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*")) if path.is_dir()}
    assert (modes, folders) == ({0o644}, {0o755})
