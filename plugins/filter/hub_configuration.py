# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

DOCUMENTATION = r"""
name: hub_configuration
short_description: Make the configuration of a hub
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Returns the Helm values with the spawn hook of this collection, and the permissions that the hub needs for it.
  - The role P(odh.persistency.hub#role) uses it. It is not meant for playbooks.
positional: _input
options:
  _input:
    description: The variables of the role without the prefix C(hub_).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the Helm values
  ansible.builtin.debug:
    msg: "{{ (variables | odh.persistency.hub_configuration).values_text }}"
  vars:
    variables: {flavor: z2jh, namespace: jupyterhub, service_account: hub}
"""

RETURN = r"""
_value:
  description:
    - C(errors) has a sentence for each error, and the rest is empty then.
    - C(values_text) is the YAML of the Helm values.
    - C(permissions) are a Role and a RoleBinding.
  type: dict
"""

import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.configuration import configure_hub
from ansible_collections.odh.persistency.plugins.module_utils._io.files.hub_package import hub_package


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that a diff is readable."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def hub_configuration(variables: Any) -> dict[str, Any]:
    """Return the configuration of a hub as a dictionary."""
    configuration = configure_hub(dict(variables), hub_package())
    text = yaml.dump(dict(configuration.values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10000)
    return {
        "errors": configuration.errors,
        "values_text": "" if configuration.errors else text,
        "permissions": configuration.permissions,
    }


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"hub_configuration": hub_configuration}
