# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection options, without the kubernetes package, which takes half a second to import."""

from __future__ import annotations

from typing import Any, Optional

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

    OPTIONS_ERROR: Optional[Exception] = None
except ImportError as error:  # the module reports it
    AUTH_ARG_SPEC = {}
    OPTIONS_ERROR = error


def argument_spec() -> dict[str, Any]:
    """Return the connection options: those of kubernetes.core, and `cluster`."""
    return {**{name: dict(spec) for name, spec in AUTH_ARG_SPEC.items()}, "cluster": {"type": "str"}}
