# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of all modules with a connection that kubernetes.core does not have."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cluster:
    description:
      - The cluster that the connection must lead to. The URL of its API server, or the UID of its namespace C(kube-system).
        Any other cluster is rejected before anything is read or written.
      - A UID costs one request (C(get) of the namespace), a URL none. The roles pass C(persistency_cluster) to the first module
        of each play.
    type: str
notes:
  - Connection settings that contradict each other are rejected before any request. Examples are O(context) next to
    E(K8S_AUTH_HOST) of an AWX credential, and two different hosts.
"""
