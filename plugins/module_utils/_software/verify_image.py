# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `verify_image`: check a release in an image of servers, in the view `release`. It writes nothing to the tree.

The Python that runs this phase is that of the kernels. It must start one under each module, with the variables that the image
sets and with the Lmod of the image.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .gate import cache_validity, kernel, loading
from .gate.workers import Workers
from .lmod import USER_SETTINGS, lmod_version
from .releases import open_tree
from .verify import subject_of

#: What does not come from the image.
_OF_POD = ("HOSTNAME", "KUBERNETES_")


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Check the release at `<prefix>/current`, without the modules of `skip`, and return what failed."""
    subject = subject_of(open_tree(request["prefix"]), {**request, "python": sys.executable})
    subject = subject._replace(image_environment=_environment())
    _check_lmod(subject.manifest.get("lmod"), lmod_version(subject.lmod_cmd))
    used = kernel.without_modules(subject)
    failures = cache_validity.check(subject)
    broken = {*request["skip"], *(failure.module for failure in failures)}
    modules = [module for module in subject.modules if module not in broken]
    with Workers(emit) as workers:
        loads = workers.map("load", lambda module: loading.load(subject, module), modules)
        failures += [failure for loaded in loads for failure in loaded.failures if failure.check == loading.LOAD]
        loads = [loaded for loaded in loads if loaded.environment]
        groups = kernel.groups(used, subject, loads)
        failures += workers.check("start a kernel", partial(kernel.check, used), subject, groups)
    return {"checked": len(modules), "failures": [failure._asdict() for failure in failures]}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith((*_OF_POD, *USER_SETTINGS))}


def _check_lmod(of_cache: Any, of_image: str) -> None:
    """Raise PhaseError if the caches of these versions of Lmod may differ."""
    if of_cache and str(of_cache).split(".")[:2] != of_image.split(".")[:2]:
        raise PhaseError(
            f"its Lmod is {of_image}, and Lmod {of_cache} made the cache: install the same Lmod in both", REJECTED
        )
