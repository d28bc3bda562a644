# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a package of this collection that runs elsewhere, as they are installed."""

from __future__ import annotations

import pkgutil
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def package_files(package: ModuleType) -> dict[str, str]:
    """Return the texts of a package's files by their path in it.

    Ansible packs a module into an archive with every file that it imports, even if the import never runs. So the caller has an
    import of each file of the package, and the texts are read with the loader.
    """
    prefix = package.__name__ + "."
    found = {"__init__.py": _source(package.__name__)}
    for info in pkgutil.walk_packages(package.__path__, prefix):
        path = info.name[len(prefix) :].replace(".", "/")
        found[f"{path}/__init__.py" if info.ispkg else f"{path}.py"] = _source(info.name)
    return dict(sorted(found.items()))


def _source(name: str) -> str:
    spec: Any = find_spec(name)
    return str(spec.loader.get_source(name) or "")
