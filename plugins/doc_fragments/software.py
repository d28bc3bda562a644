# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules for software trees."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  prefix:
    description:
      - The path at which servers see the tree, such as V(/opt/apps). Installations and modulefiles contain it.
      - It must not be, or be below, a symbolic link.
    type: path
    required: true
  path:
    description:
      - Where the tree is on the host that runs the task. It must have the directories that M(odh.persistency.lmod_tree)
        creates.
      - If it is not O(prefix), every step runs in a private mount namespace that shows the tree at O(prefix), where an empty
        directory must exist. This needs root, or a host that lets users create user namespaces.
      - Defaults to O(prefix).
    type: path
  easybuild:
    description:
      - The virtual environment of EasyBuild, with C(bin/python) and the packages C(easybuild) and C(pyyaml).
      - Steps that do not need EasyBuild run with C(/usr/bin/python3) if this is not set.
    type: path
  build_user:
    description:
      - The user who owns the tree and runs every step, if the task runs as root. EasyBuild never runs as root.
      - If a server squashes root, this user must be one that it lets write.
    type: str
  lmod_cmd:
    description:
      - Lmod's command on the host that runs the task, of the same version as that of the servers.
    type: path
    default: /usr/share/lmod/lmod/libexec/lmod
requirements:
  - Linux
  - python >= 3.9
"""
