# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of OpenShift Groups, read through the dynamic client of the `openshift` package.

The resource (user.openshift.io/v1 Groups) is known, so nothing is discovered: one Group takes one request, several take
one list. Retries, pagination and error messages are those of `Api`. A Group that cannot be read is never an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._core.metadata import ABSENT, RETIRED
from ..._core.requests import Resource
from ..._core.shares.groups import source_of
from ..._core.shares.spec import ShareSpec, named_groups
from ..._core.text import did_you_mean
from ..._core.validation import describe_value, quoted
from ..._hub.acl_format import OPENSHIFT
from ..module import PlanRejected
from .api import Api
from .connection import Connection
from .errors import ApiError
from .openshift_client import OpenShiftConnection, OpenShiftResource

GROUPS = Resource("user.openshift.io", "v1", "groups", namespaced=False)
#: In bytes. Kubernetes sets no limit, and one huge name would not fit into an access list.
LONGEST_USER = 1024
_GROUPS = OpenShiftResource(
    GROUPS,
    "Group",
    "groups of openshift:",
    "This cluster has no Groups (user.openshift.io/v1), so groups of openshift: cannot be read: check that it is OpenShift",
)


def groups_in_use(shares: Iterable[ShareSpec]) -> list[str]:
    """Return the names, without `openshift:`, of the OpenShift Groups that shares in use name."""
    named = named_groups(share for share in shares if share.state not in (RETIRED, ABSENT))
    return [group[len(OPENSHIFT) :] for group in named if source_of(group) == "openshift"]


def members_of_groups(connection: Connection, names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return the members of OpenShift Groups by name with `openshift:`.

    Raises PlanRejected if a Group cannot be read, and ExternalError if the cluster cannot be asked.
    """
    members, errors = readable_members(connection, names)
    if errors:
        raise PlanRejected(list(errors.values()))
    return members


def readable_members(connection: Connection, names: Sequence[str]) -> tuple[dict[str, Sequence[str]], dict[str, str]]:
    """Return the members of OpenShift Groups by name with `openshift:`, and why others cannot be read.

    Raises ExternalError if the cluster cannot be asked.
    """
    if not names:
        return {}, {}
    errors: dict[str, str] = {}
    members = read_members(connection, names, errors)
    return {OPENSHIFT + name: users for name, users in members.items()}, errors


def read_members(connection: Connection, names: Sequence[str], errors: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the current members of these Groups by name, and add to `errors` (by name with `openshift:`) what cannot be read.

    Names have no prefix. Raises ExternalError if the cluster cannot be asked at all (no answer, no permission, no such
    API), and MissingLibrary.
    """
    desired = list(dict.fromkeys(names))
    valid = [name for name in desired if not _is_impossible(name)]
    for name in desired:
        if name not in valid:
            errors[OPENSHIFT + name] = f"openshift:{name} is not a valid name of a Group: correct it"
    if not valid:
        return {}
    found = _read(Api(OpenShiftConnection.of(connection, _GROUPS)), valid)
    members = {}
    for name in valid:
        group = found.get(name)
        if group is None:
            errors[OPENSHIFT + name] = (
                f"openshift:{name} cannot be read: the cluster has no Group {name}{did_you_mean(name, found)}; create it, or "
                "correct the name"
            )
            continue
        # OpenShift writes an empty list as null, or omits it.
        users = [] if group.get("users") is None else group["users"]
        error = _error_of_users(users)
        if error:
            errors[OPENSHIFT + name] = (
                f"openshift:{name} cannot be read: `users` of Group {name} {error}; correct the Group"
            )
            continue
        members[name] = tuple(dict.fromkeys(users))
    return members


def _read(api: Api, names: Sequence[str]) -> Mapping[str, Any]:
    if len(names) > 1:
        try:
            return dict(api.list_all(GROUPS, None, lambda item: (str(item["metadata"]["name"]), item)))
        except ApiError as error:
            if not error.is_rbac:
                raise
    # A single Group, or a login without the permission to list: one request per Group.
    found = {name: api.get(GROUPS, None, name) for name in names}
    return {name: group for name, group in found.items() if group is not None}


def _is_impossible(name: str) -> bool:
    return name in ("", ".", "..") or "/" in name or "%" in name


def _error_of_users(users: Any) -> str:
    """Return what is wrong with the members of a Group, or ""."""
    if not isinstance(users, list):
        return f"must be a list of names, but has {describe_value(users)}"
    for user in users:
        if not isinstance(user, str) or not user:
            return f"must be a list of names, but has {describe_value(user)}"
        if len(user.encode("utf-8", "surrogatepass")) > LONGEST_USER:
            return f"has the name {quoted(user)}, which is longer than {LONGEST_USER} bytes"
    return ""
