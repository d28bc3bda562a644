# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `hub`: how modules connect to a JupyterHub. What they need it for differs, and so do the scopes."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  hub:
    description:
      - The JupyterHub that is asked for its users, and for the time when they were last active.
      - The token belongs to a service with the scopes C(list:users), C(read:users:name), C(read:users:activity) and
        C(read:servers). With C(read:users), it also shows that a user who was never active is not a new record of somebody
        who used a home.
    type: dict
    suboptions:
      url:
        description:
          - URL of the hub or of its API, such as V(https://hub.example.org/hub/api).
        type: str
        required: true
      token:
        description:
          - API token.
        type: str
        required: true
      validate_certs:
        description:
          - Whether to verify the hub's certificate.
        type: bool
        default: true
      ca_cert:
        description:
          - File with the CA certificates that verify the hub's certificate, instead of the system's.
        type: path
"""

    SERVERS = r"""
options:
  hub:
    description:
      - The JupyterHub that started the servers.
      - The token belongs to a service with the scopes C(list:users), C(read:users:groups) and C(read:servers), and with
        O(state=revoked) also C(delete:servers). JupyterHub 1.5 has no scopes and needs the token of an administrator.
      - The scope C(admin:server_state) is optional. With it the hub says which pod belongs to which server. Without it the
        module compares the time when the server was started with the creation of the pod.
    required: true
    type: dict
    suboptions:
      url:
        description:
          - URL of the hub or of its API, such as V(https://hub.example.org/hub/api).
        type: str
        required: true
      token:
        description:
          - API token.
        type: str
        required: true
      validate_certs:
        description:
          - Whether to verify the hub's certificate.
        type: bool
        default: true
      ca_cert:
        description:
          - File with the CA certificates that verify the hub's certificate, instead of the system's.
        type: path
"""
