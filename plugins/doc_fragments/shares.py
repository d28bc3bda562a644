# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules for shares: the shares, where they may be mounted, and the groups that they name."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  shares:
    description:
      - The shares, a list of dictionaries. All modules for shares take the same list and validate all of it, so the first
        module reports every error before anything is written.
      - The modules validate the keys themselves, and report all errors of a list at once.
    type: list
    elements: raw
    suboptions:
      name:
        description:
          - The name of the share, and of its claim in each namespace.
          - Lower-case letters, digits, C(-) and C(.).
        type: str
        required: true
      level:
        description:
          - How the share may be granted.
          - V(public) is readable by everyone on the hub. V(private) is readable by the people and groups named in
            O(shares[].read) and O(shares[].write). V(secret) is V(private), and mounted only when requested at spawn.
          - Required, unless the share is V(retired) or V(absent).
        type: str
        choices: [public, private, secret]
      size:
        description:
          - The requested size, as a Kubernetes quantity such as V(100Gi). Not needed for an existing claim.
          - Defaults to O(odh.persistency.share_pvc#module:size).
        type: str
      mount_path:
        description:
          - The absolute path at which servers mount the share. Defaults to the share's name below O(home_path).
          - Mount paths are unique, not nested, and lie below O(home_path) or one of O(mount_roots).
        type: str
      gid:
        description:
          - The group ID that owns the files. Pods that mount the share run with this supplemental group.
          - Without it, new directories get the group of the process that creates them.
        type: int
      until:
        description:
          - The last day on which the share is granted, such as V(2027-03-31), in UTC.
        type: str
      backend:
        description:
          - Where the data is stored. Without it, the cluster's default storage class provisions the volume.
        type: dict
        suboptions:
          type:
            description:
              - The type of the backend.
              - V(storage_class) provisions the volume dynamically. V(nfs), V(csi) and V(host_path) use static volumes.
                V(existing_claim) uses a claim that something other than this collection manages.
            type: str
            choices: [storage_class, nfs, csi, host_path, existing_claim]
            required: true
          storage_class:
            description:
              - With V(storage_class), the name of the class. Defaults to the cluster's default class.
            type: str
          server:
            description:
              - With V(nfs), the host name or address of the server. Required.
            type: str
          path:
            description:
              - With V(nfs), the exported path. With V(host_path), the path on the node. Required for both.
            type: str
          mount_options:
            description:
              - With V(nfs) and V(csi), the mount options of the volume.
            type: list
            elements: str
          driver:
            description:
              - With V(csi), the name of the CSI driver. Required.
            type: str
          volume_handle:
            description:
              - With V(csi), the handle of the volume. For C(nfs.csi.k8s.io) and CephFS each namespace gets a handle
                derived from it.
            type: str
          volume_handles:
            description:
              - With V(csi), the handle for each namespace, for drivers other than C(nfs.csi.k8s.io) and CephFS.
            type: dict
          attributes:
            description:
              - With V(csi), the volume attributes of the driver.
            type: dict
          fs_type:
            description:
              - With V(csi), the file system type.
            type: str
          node_stage_secret:
            description:
              - With V(csi), and with V(storage_class) for static volumes that O(shares[].backend.clone) creates from
                CephFS volumes, the Secret that the node uses to mount the volume.
            type: dict
            suboptions:
              name:
                description: The name of the Secret.
                type: str
                required: true
              namespace:
                description: The namespace of the Secret.
                type: str
                required: true
          clone:
            description:
              - With V(csi) and V(storage_class), whether the driver can mount one volume under several PersistentVolumes.
                Needed to use a volume of such a driver in several namespaces.
              - Not needed for NFS volumes and C(nfs.csi.k8s.io).
            type: bool
            default: false
          claim:
            description:
              - With V(existing_claim), the name of the claim. Required.
            type: str
      adopt:
        description:
          - Consent to take an existing claim that merely has the share's name, with the data that it holds. Only for shares
            of a storage class. With the state V(absent) such a claim is released instead of deleted.
          - It also confirms once that the claim from which other namespaces get their copies is the one that is meant, if
            no run recorded that on its PersistentVolume.
        type: bool
        default: false
      namespaces:
        description:
          - The namespaces in which the share has a claim. Defaults to the namespaces of the run.
        type: list
        elements: str
      read:
        description:
          - Who may read the share. An empty list means nobody.
          - Everyone reads a V(public) share.
        type: dict
        suboptions:
          users:
            description:
              - Names of users, exactly as the hub has them.
            type: list
            elements: str
            default: []
          groups:
            description:
              - Groups with their source. V(analysts) is a group of the inventory, V(hub:analysts) a group of the hub,
                V(openshift:analysts) a group of the cluster. The same name from two sources means two groups.
            type: list
            elements: str
            default: []
          everyone:
            description:
              - Whether everyone on the hub may read the share. Always V(true) for V(public) shares, and not allowed for
                other levels.
            type: bool
      write:
        description:
          - Who may write to the share. Includes reading. An empty list means nobody.
        type: dict
        suboptions:
          users:
            description:
              - Names of users, exactly as the hub has them.
            type: list
            elements: str
            default: []
          groups:
            description:
              - Groups with their source, as in O(shares[].read.groups).
            type: list
            elements: str
            default: []
          everyone:
            description:
              - Not allowed to be V(true), because no level lets everyone write.
            type: bool
      distinct_from:
        description:
          - Names of shares whose data differs from this share's, although all that can be compared is equal.
          - Static volumes of a CSI driver that the collection does not know are compared by handle and attributes. If only
            their handles differ, there is a warning, or an error if the levels of the shares differ, until one of them names
            the other here.
          - Each must be a share of the list, or have a volume on the cluster.
        type: list
        elements: str
        default: []
      directories:
        description:
          - Directories that M(odh.persistency.share_directory) creates inside the share, as relative paths.
        type: list
        elements: str
        default: []
      directory:
        description:
          - The directory of the share for M(odh.persistency.share_directory), relative to the module's path.
          - Defaults to the path of the backend below the export, or to the name of the share.
        type: str
      owner:
        description:
          - The user ID that owns the directories.
        type: int
      mode:
        description:
          - The mode of the directories, as a quoted octal string.
        type: str
        default: "2770"
      labels:
        description:
          - Labels for the claims and static volumes of the share. They are added and updated, never removed.
        type: dict
        default: {}
      annotations:
        description:
          - Annotations for the claims and static volumes of the share. They are added and updated, never removed.
        type: dict
        default: {}
      state:
        description:
          - The state of this share. Overrides the state of the run.
        type: str
        choices: [present, retired, absent]
  shares_file:
    description:
      - Path of a JSON or YAML file of shares on the host that runs the task. The module opens it.
      - A relative name is looked up next to the inventory, next to the playbook and in the current folder, which in AWX
        is the project. Two files of that name are rejected. On another host it is a name on that host.
      - The file holds what O(shares) takes, or a dictionary with the single key C(shares).
      - Can be combined with O(shares). A share in both is rejected.
    type: path
  retired:
    description:
      - Shares that are retired, a list of names, or of dictionaries with C(name) and C(namespaces). The same as O(shares)
        with O(shares[].state) set to V(retired), and rejected if an entry says something else.
      - A share in two of O(shares), O(shares_file), O(retired) and O(absent) is rejected.
    type: raw
  absent:
    description:
      - Shares that are deleted, a list of names, or of dictionaries with C(name) and C(namespaces). The same as O(shares)
        with O(shares[].state) set to V(absent), and rejected if an entry says something else.
    type: raw
  overrides:
    description:
      - What differs from O(shares), a dictionary of dictionaries by the name of the share. Each key replaces the share's own
        value completely, so O(shares[].read) with one group means that group and nobody else.
      - Useful if several environments have one list. A name that is not in O(shares) is rejected.
    type: raw
  home_path:
    description:
      - Where servers mount the home. Shares are mounted below it by default, because the file browser of a notebook shows
        them there.
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
      - The groups of the inventory. Either a dictionary that maps the name of each group to the list of its members, or a
        list of dictionaries with the keys below.
      - Names of users are exactly those of the hub. They are not trimmed or case-folded.
    type: raw
    suboptions:
      name:
        description:
          - The name of the group, without a prefix.
        type: str
        required: true
      users:
        description:
          - The members of the group. An empty list is a group without members.
        type: list
        elements: str
        required: true
  groups_file:
    description:
      - Path of a file of groups on the host that runs the task. The module opens it. A relative name is looked up as that of
        O(shares_file).
      - JSON and YAML files hold what O(groups) takes, or a dictionary with the single key C(groups). CSV files have the
        columns C(group) and C(user), and one row for each membership.
      - Can be combined with O(groups). A group in both is rejected.
    type: path
"""
