# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of a file of Helm values: its plan, and its write."""

from __future__ import annotations

import os
import tempfile
from typing import Any, NamedTuple, Optional

from ..._core.hub.configuration import HubOptions
from ..._core.hub.helm_values import Entries, described, helm_entries, our_entries
from ..._core.outcome import Outcome
from ..._core.plan import CREATE, DELETE, KEEP, UPDATE, Change, Plan
from . import values_file
from .hub_package import hub_package
from .values_file import ValuesFile

VALUES = "HelmValues"


class FileWrite(NamedTuple):
    """The operation that writes the file of Helm values, or deletes it (None)."""

    path: str
    text: Optional[str]


class ValuesChange(NamedTuple):
    """The change of the file, and its entries as a diff (None if nothing changes)."""

    change: Change
    diff: Optional[dict[str, str]] = None


def plan_values(file: ValuesFile, options: HubOptions, manages_groups: bool) -> ValuesChange:
    """Return the change of the file. Raises ValueError, with a sentence, for a conflict with keys of others."""
    namespace, path = options.account.namespace, file.path
    entries: Entries = {}
    text = file.restored
    if options.is_present:
        entries = helm_entries(hub_package(), options.settings, manages_groups)
        if options.replaces_rbac:
            entries = {**entries, ("rbac",): {"create": False}}
        text = values_file.merged(file, entries, options.settings, manages_groups)
    if text == file.text:
        return ValuesChange(Change(KEEP, VALUES, namespace, path, "it is up to date"))
    old = {} if file.text is None else our_entries(values_file.data_of(file.text))
    diff = {"before_header": path, "after_header": path, "before": described(old), "after": described(entries)}
    action = CREATE if file.text is None else UPDATE if text is not None else DELETE
    reason = {
        CREATE: "it does not exist",
        UPDATE: "its keys of this role change" if options.is_present else "its keys of this role are removed",
        DELETE: "it has only keys of this role",
    }[action]
    change = Change(
        action,
        VALUES,
        namespace,
        path,
        reason,
        before=None if file.text is None else f"{path}: {len(file.text)} characters",
        after=None if text is None else f"{path}: {len(text)} characters",
        operations=(FileWrite(path, text),),
    )
    return ValuesChange(change, diff)


def write_values(module: Any, change: Change) -> Outcome:
    """Write the file, or, in check mode, only report it."""
    outcome = Outcome(Plan((change,)))
    if not change.operations or module.check_mode:
        return outcome
    write: FileWrite = change.operations[0]
    path = os.path.realpath(write.path)
    if write.text is None:
        os.remove(path)
    else:
        with tempfile.NamedTemporaryFile("wb", dir=module.tmpdir, delete=False) as temporary:
            temporary.write(write.text.encode("utf-8"))
        module.atomic_move(temporary.name, path)
    outcome.wrote = True
    return outcome
