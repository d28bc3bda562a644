# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EasyBuild's module naming scheme for the store: an installation goes where its entry says.

EasyBuild loads this file alone (`--include-module-naming-schemes`), so it imports nothing of ours. The environment variable
ODH_PERSISTENCY_STORE_PATHS has a JSON object from module names to paths below the store.
"""

from __future__ import annotations

import json
import os
from typing import Any

try:
    from easybuild.tools.module_naming_scheme.easybuild_mns import EasyBuildMNS
except ImportError:  # on the Ansible controller, which packs this file
    EasyBuildMNS = object

VARIABLE = "ODH_PERSISTENCY_STORE_PATHS"


class StoreNamingScheme(EasyBuildMNS):
    """EasyBuild's own names of modules, and content-addressed folders of installations."""

    REQUIRED_KEYS = ("name", "version", "versionsuffix", "toolchain")

    def det_install_subdir(self, ec: Any) -> str:
        """Return the folder of an installation below the store."""
        module = self.det_full_module_name(ec)
        return str(json.loads(os.environ.get(VARIABLE, "{}")).get(module, module))

    def det_module_symlink_paths(self, _ec: Any) -> list[str]:
        """Return no folders of links by category, because they would point at the module path of a run."""
        return []
