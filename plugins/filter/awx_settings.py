# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Callable

DOCUMENTATION = r"""
name: awx_settings
short_description: Validate the variables of the role awx of this collection
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Returns a sentence for each error in the variables of the role awx, before anything is sent to AWX. If the collection
    C(awx.awx) is missing, this is the only error.
  - The role uses it. It is not meant for playbooks.
positional: _input
options:
  _input:
    description: The variables by name. Those that are not set are empty.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Validate variables
  ansible.builtin.assert:
    that: not (__awx_settings | odh.persistency.awx_settings).errors
"""

RETURN = r"""
_value:
  description: C(errors) and C(warnings), a sentence each.
  type: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._core import awx_settings
from ansible_collections.odh.persistency.plugins.module_utils._core.visible import visible

MISSING = (
    "The collection awx.awx, which sets up AWX, is not installed: run `ansible-galaxy collection install awx.awx`, or install "
    "the package `ansible`."
)


def validate(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the errors and warnings of the variables of the role awx, as sentences with a full stop."""
    try:
        importlib.import_module("ansible_collections.awx.awx")
    except ImportError:
        return {"errors": [MISSING], "warnings": []}
    errors = [f"{visible(error)}." for error in awx_settings.setting_errors(settings)]
    return {"errors": errors, "warnings": awx_settings.setting_warnings(settings)}


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"awx_settings": validate}
