# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The version in the User-Agent of requests. A unit test compares it with galaxy.yml."""

from __future__ import annotations

VERSION = "0.1.0"
USER_AGENT = f"odh.persistency/{VERSION}"
