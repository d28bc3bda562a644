#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The baseline of a whole task: takes the same users, shares and groups as the modules, and does nothing."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    options = {
        "namespace": {"type": "str"},
        "namespaces": {"type": "list", "elements": "str"},
        "users": {"type": "list", "elements": "raw"},
        "users_file": {"type": "path"},
        "storage_class": {"type": "str"},
        "shares_file": {"type": "path"},
        "groups_file": {"type": "path"},
    }
    AnsibleModule(argument_spec=options, supports_check_mode=True).exit_json(changed=False)


if __name__ == "__main__":
    main()
