"""Somebody edits the demo's inventory, in a copy: a home grows, a person joins, a person leaves."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

GROWS = "wei.zhang@students.example.org"
JOINS = "mei.lin@students.example.org"
LEAVES = "farid.haddad@example.org"

_FILES = ("group_vars/all/users.csv", "group_vars/all/homes.yml")


def edited_copy(inventory: Path, target: Path) -> tuple[Path, str]:
    """Copy an inventory into a new folder `target` and edit it; return it, and what was edited as a diff."""
    shutil.copytree(inventory, target)
    users, homes = (target / name for name in _FILES)
    _replace(users, f"{GROWS},,5Gi,interns\n", f"{GROWS},,25Gi,interns\n{JOINS},,5Gi,interns\n")
    _replace(users, f"{LEAVES},,,analysts\n", "")
    _replace(homes, "homes_retired: []\n", f"homes_retired:\n  - {LEAVES}\n")
    lines: list[str] = []
    for name in _FILES:
        before, after = ((folder / name).read_text().splitlines() for folder in (inventory, target))
        lines += difflib.unified_diff(before, after, name, f"{name} (edited)", n=0, lineterm="")
    return target, "\n".join(lines)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if text.count(old) != 1:
        raise ValueError(
            f"{path} has {old!r} {text.count(old)} times, and the demo edits the one place where it stands"
        )
    path.write_text(text.replace(old, new))
