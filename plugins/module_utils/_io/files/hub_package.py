# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the package that runs in the hub, as they are installed with this collection.

Ansible packs a module into an archive with the files that it imports, so the package is imported, and read with its loader.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from ... import _hub
from ..._hub import hub_configuration  # imports everything that the hub needs


def hub_package() -> dict[str, str]:
    """Return the texts of the package's files by name."""
    package = hub_configuration.__name__.rpartition(".")[0]
    found = {"__init__.py": _source(package)}
    for info in pkgutil.iter_modules(_hub.__path__):
        found[f"{info.name}.py"] = _source(f"{package}.{info.name}")
    return dict(sorted(found.items()))


def _source(name: str) -> str:
    module: Any = import_module(name)
    return str(module.__loader__.get_source(name) or "")
