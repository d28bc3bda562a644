# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of a hub, and their findings as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from ...report.tables import columns_of, padded
from ...visible import visible
from .access_list import check_access_list
from .claim_deletion import check_claim_deletion
from .finding import SEVERITIES, Finding
from .nfs_port import check_nfs_port
from .observed import ObservedHub
from .permissions import check_old_permissions, check_permissions
from .spawn_hook import check_spawn_hook
from .spawner_traits import check_spawner_traits
from .volumes import check_volumes

_CHECKS = (
    check_spawn_hook,
    check_spawner_traits,
    check_permissions,
    check_old_permissions,
    check_claim_deletion,
    check_access_list,
    check_volumes,
    check_nfs_port,
)


#: The width of the column with reasons and remedies.
_WIDTH = 90


def examine(hub: ObservedHub) -> list[Finding]:
    """Return the findings of all checks, the most urgent first."""
    found = [finding for check in _CHECKS for finding in check(hub)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def summary(findings: Iterable[Finding]) -> dict[str, int]:
    """Return the number of findings by severity."""
    listed = [finding.severity for finding in findings]
    return {severity: listed.count(severity) for severity in SEVERITIES}


def findings_text(findings: Sequence[Finding]) -> str:
    """Return the findings as a table. What to do is in a line of its own below a finding."""
    lines = [("SEVERITY", "CHECK", "OBJECT", "FINDING")]
    for finding in findings:
        texts = _wrapped(finding.reason) + (_wrapped(finding.remedy, "-> ") if finding.remedy else [])
        lines.append((finding.severity, finding.check, visible(finding.object), texts[0]))
        lines += [("", "", "", text) for text in texts[1:]]
    widths = [max(columns_of(line[number]) for line in lines) for number in range(3)]
    return "\n".join("  ".join((*map(padded, line, widths), line[3])) for line in lines)


def _wrapped(text: str, start: str = "") -> list[str]:
    return textwrap.wrap(
        visible(text), _WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_long_words=False
    )
