# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

DOCUMENTATION = r"""
name: differing_objects
short_description: Return the objects that a cluster does not have as they are defined
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Compares definitions of Kubernetes objects with observed objects. Fields that a definition does not mention are ignored.
  - The role P(odh.persistency.hub#role) uses it, so that a second run sends no write. It is not meant for playbooks.
positional: _input, results
options:
  _input:
    description: The definitions.
    type: list
    elements: dict
    required: true
  results:
    description: The results of M(kubernetes.core.k8s_info), registered in a loop over the definitions.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Create or change what differs
  kubernetes.core.k8s:
    resource_definition: "{{ item }}"
  loop: "{{ definitions | odh.persistency.differing_objects(observed.results) }}"
"""

RETURN = r"""
_value:
  description: The definitions of objects that are missing or different.
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._core.hub.permissions import differing


def differing_objects(definitions: Any, results: Any) -> list[dict[str, Any]]:
    """Return the definitions of objects that are missing or different."""
    observed = [item for result in results for item in result.get("resources") or ()]
    return differing(definitions, observed)


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"differing_objects": differing_objects}
