# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package that runs the phases, as files.

Ansible packs a module into an archive with the files that it imports, so there is an import of every phase here. A new phase
is a file in `_software` with `run(request, emit)`, and one line below.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ... import _software
from ..files.package_files import package_files

if TYPE_CHECKING:
    # For the archive alone. This process runs none of them, and compiling them takes a while.
    from ..._software import (  # noqa: F401
        adopt,
        assemble,
        build,
        cache,
        job,
        lock,
        mounted_view,
        observe,
        phases,
        promote,
        prune,
        publish,
        remote_observe,
        remote_prune,
        resolve,
        roll_back,
        sync,
        unlock,
        verify,
        verify_image,
    )

PACKAGE = "odh_persistency_software"


def software_package() -> dict[str, str]:
    """Return the texts of the package's files by their path in it."""
    return package_files(_software)


def write_package(folder: Path) -> None:
    """Write the package into a folder, which is then part of PYTHONPATH."""
    for name, text in software_package().items():
        path = folder / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        # Another user reads it, whatever the umask is.
        path.chmod(0o644)
        for parent in path.relative_to(folder).parents:
            (folder / parent).chmod(0o755)
