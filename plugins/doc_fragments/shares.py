# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules about shares: which, where they may be mounted, and the groups that they name."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  shares:
    description:
      - The shares, each a dictionary. All modules about shares take the same list and check all of it, so that what is
        wrong is said by the first of them, before anything is written.
      - C(name) is also the name of the claim in each namespace. C(level) is C(public), C(private) or C(secret).
      - C(backend) is a dictionary with a C(type) and its keys. C(storage_class) takes C(storage_class), C(clone) and
        C(node_stage_secret) (for what C(clone) makes of CephFS);
        C(nfs) takes C(server), C(path) and C(mount_options); C(csi) takes C(driver), C(volume_handle), C(volume_handles)
        (one for each namespace), C(attributes), C(fs_type), C(node_stage_secret), C(mount_options) and C(clone);
        C(host_path) takes C(path); C(existing_claim) takes C(claim). Without it the cluster's default class is used.
      - C(size) is a Kubernetes quantity. C(namespaces) takes the place of those of the run. C(labels) and C(annotations)
        go on its claims.
      - C(mount_path) is where servers mount it; without it at its name below O(home_path). C(gid) is the group that owns
        its files. C(until) is the last day on which it is granted (C(2027-03-31), in UTC).
      - C(read) and C(write) each take C(users) and C(groups). A group is named with its source, C(analysts) of the
        inventory, C(hub:analysts) of the hub, C(openshift:analysts) of the cluster, and the same word from two sources is
        two groups. Everyone reads a public share; nobody else is anybody without being named. C(write) includes C(read).
      - C(directory), C(directories), C(owner) and C(mode) are for M(odh.persistency.share_directory).
      - C(state) goes before that of the run.
    type: list
    elements: raw
  shares_file:
    description:
      - Path of a JSON or YAML file of shares on the host that runs the task, opened by the module itself. It holds what
        O(shares) takes, or a dictionary with the one key C(shares).
      - May be given beside O(shares); a share in both is refused.
    type: path
  home_path:
    description:
      - Where servers mount the home. Shares are mounted below it unless they say otherwise, for there the file browser of
        a notebook shows them.
    type: str
    default: /opt/app-root/src
  mount_roots:
    description:
      - Other paths below which shares may be mounted.
    type: list
    elements: str
    default: []
"""

    GROUPS = r"""
options:
  groups:
    description:
      - The groups of the inventory, each name with the list of its members. Names of users are those of the hub, exactly;
        nothing is trimmed or folded.
      - An empty list is a group without members.
    type: raw
  groups_file:
    description:
      - Path of a file of groups on the host that runs the task, opened by the module itself.
      - JSON and YAML files hold what O(groups) takes, or a list of dictionaries with C(name) and C(users), either of them
        also below the one key C(groups). CSV files have the columns C(group) and C(user), and a row for each membership.
      - May be given beside O(groups); a group in both is refused.
    type: path
"""
