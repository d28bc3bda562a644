# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims that are no share's by their names: homes, and the databases of hubs."""

from __future__ import annotations

import re
from typing import Optional

#: Databases of hubs: z2jh's, and classic Open Data Hub's.
_DATABASES = ("hub-db-dir", "jupyterhub-db")
#: Homes that carry no annotation: those that Open Data Hub's dashboard makes.
_DASHBOARD_HOME = re.compile(r"jupyterhub-nb-.+-pvc\Z")
#: KubeSpawner's names. A home that was restored from a backup may have lost its annotations.
_SPAWNER_HOME = re.compile(r"claim-.+\Z")


def reserved_name(claim: str) -> Optional[str]:
    """What a claim is by its name alone, whatever its labels say ("a home by its name"); None for all others."""
    if claim in _DATABASES:
        return "the hub's database"
    return "a home by its name" if _DASHBOARD_HOME.match(claim) else None


def is_spawner_name(claim: str) -> bool:
    """Whether KubeSpawner names homes like this; a share may be called so too."""
    return _SPAWNER_HOME.match(claim) is not None
