# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check for bindings, other than the hub's, that allow deleting claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ...text import quote_list
from .finding import ERROR, OK, UNKNOWN, WARNING, Finding, Unread, unknown
from .observed import Binding, ObservedHub, Subject

CLAIM_DELETION = "claim_deletion"
#: Groups that have everybody, or every service account.
_EVERYBODY = (
    "system:authenticated",
    "system:authenticated:oauth",
    "system:unauthenticated",
    "system:serviceaccounts",
)
#: A group for each namespace has its service accounts.
_ACCOUNTS = "system:serviceaccounts:"
_ACCOUNT = "system:serviceaccount:"
#: The users and groups of the control plane and of its administrators, also those of k3s, RKE2 and OpenShift.
_SYSTEM_USERS = (
    "system:admin",
    "system:apiserver",
    "system:cloud-controller-manager",
    "system:k3s-controller",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:openshift-master",
    "system:rke2-controller",
)
_SYSTEM_GROUPS = ("kubeadm:cluster-admins", "system:cluster-admins", "system:masters")
#: Kubernetes' own roles whose rules are the same everywhere.
_KNOWN = {"cluster-admin": True, "admin": True, "edit": True, "view": False}


def check_claim_deletion(hub: ObservedHub) -> list[Finding]:
    """Return a finding for each binding that lets somebody delete claims in the namespace of the servers."""
    target = f"namespace {hub.place.servers}"
    if isinstance(hub.bindings, Unread):
        return [unknown(CLAIM_DELETION, target, hub.bindings)]
    found = []
    unread = []
    for binding in hub.bindings:
        allows = allows_deletion(binding)
        if allows is None:
            unread.append(f"{binding.kind} {binding.name}")
        subjects = [subject for subject in binding.subjects if not _is_expected(subject, binding, hub)]
        if allows and subjects:
            found.append(_finding(binding, subjects))
    if unread:
        found.append(
            Finding(
                CLAIM_DELETION,
                target,
                UNKNOWN,
                f"The rules of the roles of {quote_list(sorted(unread))} could not be read.",
                "Grant the right to list roles and clusterroles, and run this again.",
            )
        )
    return found or [Finding(CLAIM_DELETION, target, OK, "No other binding allows deleting claims.")]


def allows_deletion(binding: Binding) -> Optional[bool]:
    """Return whether a binding allows deleting any claim, None if its rules are not known."""
    if binding.rules is None:
        return _KNOWN.get(binding.role) if binding.is_cluster_role else None
    return any(_rule_allows(rule) for rule in binding.rules)


def _rule_allows(rule: Mapping[str, Any]) -> bool:
    def has(key: str, *values: str) -> bool:
        return any(value in (rule.get(key) or ()) for value in (*values, "*"))

    return (
        has("apiGroups", "")
        and has("resources", "persistentvolumeclaims")
        and has("verbs", "delete", "deletecollection")
    )


def _is_expected(subject: Subject, binding: Binding, hub: ObservedHub) -> bool:
    """Return whether a subject is the control plane, an administrator, the hub (which is reviewed), or the login of this run."""
    if subject.kind != "Group" and subject.name in (hub.place.user, hub.myself):
        return True
    # A binding can also name a service account as a user.
    prefix = _ACCOUNTS if subject.kind == "Group" else _ACCOUNT
    if subject.name.startswith(prefix):
        return _is_system(subject.name[len(prefix) :].partition(":")[0])
    if _is_everybody(subject):
        return False
    if subject.name in (_SYSTEM_GROUPS if subject.kind == "Group" else _SYSTEM_USERS):
        return True
    return binding.role == "cluster-admin" and binding.kind == "ClusterRoleBinding"


def _is_everybody(subject: Subject) -> bool:
    return subject.kind == "Group" and subject.name in _EVERYBODY


def _is_system(namespace: str) -> bool:
    """Return whether a namespace belongs to the control plane. Only administrators create those of OpenShift."""
    return namespace == "kube-system" or namespace.startswith("openshift-")


def _finding(binding: Binding, subjects: Sequence[Subject]) -> Finding:
    names = quote_list([f"{subject.kind} {subject.name}" for subject in subjects])
    return Finding(
        CLAIM_DELETION,
        f"{binding.kind} {binding.name}",
        ERROR if any(map(_is_everybody, subjects)) else WARNING,
        f"It lets {names} delete claims (role {binding.role}).",
        "Remove the verb or the binding, unless this login manages homes and shares.",
    )
