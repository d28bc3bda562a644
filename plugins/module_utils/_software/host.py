# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host that builds: its architecture and operating system."""

from __future__ import annotations

import os
import platform


def architecture() -> str:
    """Return the architecture, such as `x86_64`."""
    return platform.machine()


def operating_system() -> str:
    """Return the name and the version of the operating system, such as `debian-12`."""
    values: dict[str, str] = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    key, _equals, value = line.strip().partition("=")
                    values[key] = value.strip("\"'")
            break
    return "-".join(filter(None, [values.get("ID", "linux"), values.get("VERSION_ID", "")]))
