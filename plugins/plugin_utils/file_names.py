# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Relative names of files: looked up beside the inventory and in the project, so that one inventory works everywhere.

Ansible itself runs a local module in the folder of the playbook, which for a playbook of a collection is the collection. AWX
copies the inventory into the job without the files next to it, and runs the job in the folder of the project.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible import context

#: The options of modules that name a file of the operator. A kubeconfig may also be data.
_READ = (
    *("users_file", "shares_file", "groups_file", "stack_file", "kubeconfig"),
    # With the other names that kubernetes.core gives them.
    *("ca_cert", "ssl_ca_cert", "client_cert", "cert_file", "client_key", "key_file"),
)
#: Lists of folders of the operator.
_LISTS = ("robot_paths", "source_paths")
#: These are created if they do not exist.
_WRITTEN = ("values_file", "report_file", "report_folder")


def folders(variables: Mapping[str, Any]) -> list[str]:
    """Return where relative names are looked up: inventory, playbook, playbooks of the command line, current folder."""
    arguments = context.CLIARGS.get("args")
    playbooks = arguments if isinstance(arguments, (list, tuple)) else ()  # of `ansible` it is a pattern of hosts
    found = [variables.get("inventory_dir"), variables.get("playbook_dir"), *map(os.path.dirname, playbooks), "."]
    return list(dict.fromkeys(os.path.abspath(folder) for folder in found if folder))


def resolve(options: Mapping[str, Any], places: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options that have relative names, with paths, and errors without a full stop. The last place is the project."""
    changed: dict[str, Any] = {}
    errors: list[str] = []

    def path_of(name: Any, option: str, is_written: bool = False) -> Any:
        if not isinstance(name, str) or not name or name.startswith(("/", "~", "$")):
            return name
        candidates = [os.path.join(place, name) for place in places]
        found = {os.path.realpath(path): path for path in reversed(candidates) if os.path.exists(path)}
        if len(found) > 1:
            errors.append(
                f"the name {name} of `{option}` is relative, and there are {' and '.join(reversed(found.values()))}: remove "
                "one of them, or set the whole path"
            )
            return name
        if not found and not is_written:
            errors.append(
                f"the file {name} of `{option}` is not in {', '.join(places)}: put it next to the inventory or, for AWX, which "
                "leaves such files out, into the project, and set its path from there"
            )
            return name
        return next(iter(found.values()), candidates[-1])

    for option in (*_READ, *_WRITTEN):
        changed[option] = path_of(options.get(option), option, option in _WRITTEN)
    for option in _LISTS:
        listed = options.get(option)
        changed[option] = [path_of(name, option) for name in listed] if isinstance(listed, list) else listed
    hub = options.get("hub")
    if isinstance(hub, Mapping) and hub.get("ca_cert"):
        changed["hub"] = {**hub, "ca_cert": path_of(hub.get("ca_cert"), "hub.ca_cert")}
    return {option: value for option, value in changed.items() if value != options.get(option)}, errors
