# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the package that runs in the hub."""

from __future__ import annotations

from ... import _hub
from ..._hub import hub_configuration
from .package_files import package_files

#: Imports everything that the hub needs.
ENTRY = hub_configuration


def hub_package() -> dict[str, str]:
    """Return the texts of the package's files by name."""
    return package_files(_hub)
