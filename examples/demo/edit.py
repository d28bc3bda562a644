"""An edit of the demo's inventory, in a copy: a home grows, a person joins, a person leaves, a public share becomes private."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

EXPANDS = "wei.zhang@students.example.org"
JOINS = "mei.lin@students.example.org"
LEAVES = "farid.haddad@example.org"
GROUP = "analysts"
"""The group of the person who leaves."""
NARROWED = "shared-notebooks"
"""The share that becomes private."""

_FILES = (
    "group_vars/all/users.csv",
    "group_vars/all/homes.yml",
    "group_vars/all/common.yml",
    "group_vars/all/shares.yml",
)


def edited_copy(inventory: Path, target: Path) -> tuple[Path, str]:
    """Copy an inventory into a new folder `target` and edit it. Return the folder and the edit as a diff."""
    shutil.copytree(inventory, target)
    users, homes, common, shares = (target / name for name in _FILES)
    _replace(users, f"{EXPANDS},,5Gi,interns\n", f"{EXPANDS},,25Gi,interns\n{JOINS},,5Gi,interns\n")
    _replace(users, f"{LEAVES},,,analysts\n", "")
    _replace(homes, "homes_retired: []\n", f"homes_retired:\n  - {LEAVES}\n")
    _replace(common, f"    - {LEAVES}\n", "")
    _replace(common, "  interns:\n", f"  interns:\n    - {JOINS}\n")
    _replace(
        shares,
        f"  - name: {NARROWED}\n    level: public\n",
        f"  - name: {NARROWED}\n    level: private\n    read:\n      groups: [interns]\n",
    )
    lines: list[str] = []
    for name in _FILES:
        before, after = ((folder / name).read_text().splitlines() for folder in (inventory, target))
        lines += difflib.unified_diff(before, after, name, f"{name} (edited)", n=0, lineterm="")
    return target, "\n".join(lines)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if text.count(old) != 1:
        raise ValueError(f"{path} contains {old!r} {text.count(old)} times, but the demo edits exactly one place")
    path.write_text(text.replace(old, new))
