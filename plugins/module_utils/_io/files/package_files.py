# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a package of this collection that runs elsewhere, as they are installed."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Any


def package_files(package: ModuleType) -> dict[str, str]:
    """Return the texts of a package's files by their path in it.

    Ansible packs a module into an archive with the files that it imports. So the caller imports what the package needs, and the
    texts are read with its loader.
    """
    prefix = package.__name__ + "."
    found = {"__init__.py": _source(package.__name__)}
    for info in pkgutil.walk_packages(package.__path__, prefix):
        path = info.name[len(prefix) :].replace(".", "/")
        found[f"{path}/__init__.py" if info.ispkg else f"{path}.py"] = _source(info.name)
    return dict(sorted(found.items()))


def _source(name: str) -> str:
    module: Any = import_module(name)
    return str(module.__loader__.get_source(name) or "")
