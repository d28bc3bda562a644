# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of a module's `tests` succeed with the module loaded."""

from __future__ import annotations

import tempfile

from .loading import Loaded
from .processes import describe, run_limited
from .subject import Failure, Subject

CHECK = "tests"


def check(subject: Subject, loaded: Loaded) -> list[Failure]:
    """Run each command in a shell with the environment of the loaded module, in an empty folder."""
    failures = []
    for command in subject.manifest["tests"][loaded.module]:
        with tempfile.TemporaryDirectory(prefix="gate-") as home:
            own = {**loaded.environment, "HOME": home, "TMPDIR": home}
            ended = run_limited(["bash", "--noprofile", "--norc", "-c", command], own, home, subject.limits.test)
        if ended.status != 0:
            reason = f"the test `{command}` {describe(ended, subject.limits.test)}"
            failures.append(Failure(loaded.module, CHECK, reason))
    return failures
