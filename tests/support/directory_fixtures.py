"""Fixtures of tests of directories. A test file takes them with `from tests.support.directory_fixtures import *`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.directories import Directories, open_folder

__all__ = ["directories", "folder", "root"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the test's own."""
    with open_folder() as found:
        yield found


@pytest.fixture
def root(folder: Path) -> Path:
    """The folder that directories are made in."""
    (folder / "root").mkdir(mode=0o755)
    return folder / "root"


@pytest.fixture
def directories(root: Path) -> Directories:
    """`share_directory` in that folder."""
    return Directories(root)
