"""The files of the demo stack agree with each other."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.software.stack_parser import parse_stack
from ansible_collections.odh.persistency.plugins.module_utils._io.files.stack_file import read_stack

from testbed.software.sources import APPLICATIONS, EASYCONFIGS, PACKAGES, pack
from testbed.software.stack import STACK_FILE

OWN = sorted(EASYCONFIGS.glob("*.eb"))


def test_the_stack_is_valid() -> None:
    errors: list[str] = []
    stack = parse_stack(read_stack(str(STACK_FILE)), str(STACK_FILE), str(STACK_FILE.parent), errors)
    assert errors == []
    assert [entry.easyconfig for entry in stack.entries if entry.optional] == ["broken-1.0.eb"]


@pytest.mark.parametrize(
    "easyconfig", [path for path in OWN if "hello.tar" in path.read_text()], ids=lambda path: path.name
)
def test_an_archive_of_our_own_is_the_one_that_easyconfigs_expect(tmp_path: Path, easyconfig: Path) -> None:
    pack(APPLICATIONS / "hello", tmp_path / "hello.tar")
    digest = hashlib.sha256((tmp_path / "hello.tar").read_bytes()).hexdigest()
    assert f"checksums = ['{digest}']" in easyconfig.read_text()


def test_the_package_index_gives_what_the_bundle_expects() -> None:
    [digest] = re.findall("--hash=sha256:([0-9a-f]{64})", PACKAGES.read_text())
    assert f"'checksums': ['{digest}']" in (EASYCONFIGS / "tables-1.0.eb").read_text()
