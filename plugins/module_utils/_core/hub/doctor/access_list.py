# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the access list: readable, the groups that it needs, the claims of its shares, and secret shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...._hub.acl_format import HUB
from ...kubernetes.claims import Claim
from ...metadata import KIND_LABEL, KIND_SHARE, SHARE_KEY
from ...text import quote_list
from .finding import ERROR, OK, UNKNOWN, WARNING, Finding, Unread, unknown
from .observed import ObservedHub
from .python_settings import COMPUTED
from .settings import UNSET, HubSettings, Setting
from .spawner_traits import computed, described

ACCESS_LIST = "access_list"
GROUPS = "groups"
SHARE_CLAIMS = "share_claims"
SERVER_SHARING = "server_sharing"

_TARGET = "access list"
_APPLY = "Run the playbook hub.yml, and apply what it writes"
#: The first JupyterHub with `auth_refresh_strict`.
_FIRST_STRICT = (6, 1)
#: Roles of JupyterHub that everybody has, or every server.
_EVERYBODYS = ("user", "server", "token")
_SCOPES = ("shares", "access:servers")


def check_access_list(hub: ObservedHub) -> list[Finding]:
    """Return the findings about the access list, and about what depends on it."""
    if hub.acl_error:
        remedy = "Run the playbook shares.yml, which writes it again."
        return [
            Finding(ACCESS_LIST, _TARGET, ERROR, f"It is invalid, so no share is mounted: {hub.acl_error}.", remedy)
        ]
    if isinstance(hub.shares, Unread):
        checks = (ACCESS_LIST, GROUPS, SHARE_CLAIMS, SERVER_SHARING)
        return [unknown(check, _TARGET, hub.shares) for check in checks]
    if hub.shares is None:
        return [
            Finding(
                ACCESS_LIST,
                _TARGET,
                WARNING,
                f"There is no access list in namespace {hub.place.namespace}, so no share is mounted.",
                "Run the playbook shares.yml, or ignore this if the hub has no shares.",
            )
        ]
    number = len(hub.shares)
    found = [Finding(ACCESS_LIST, _TARGET, OK, f"It is valid and has {number} share{'' if number == 1 else 's'}.")]
    return [*found, *_check_groups(hub), *_check_claims(hub), *_check_sharing(hub)]


# -- groups of the hub -----------------------------------------------------------------------------------------------------


def _check_groups(hub: ObservedHub) -> list[Finding]:
    named = sorted(
        {group for share in hub.known_shares.values() for mode in ("read", "write") for group in share[mode]["groups"]}
    )
    groups = [group for group in named if group.startswith(HUB)]
    if not groups:
        return [Finding(GROUPS, _TARGET, OK, "It names no groups of the hub.")]
    if isinstance(hub.settings, Unread):
        return [unknown(GROUPS, "Authenticator", hub.settings)]
    settings = hub.settings
    traits = {
        "manage_groups": "the hub does not take groups from the authenticator",
        "refresh_pre_spawn": "the groups of a login stay in force until the next login",
    }
    if settings.hub_version >= _FIRST_STRICT or not settings.hub_version:
        traits["auth_refresh_strict"] = "starts by administrators and the API go on with old groups"
    found = [_group_trait(settings, trait, without) for trait, without in traits.items()]
    problems = [finding for finding in (*found, _refresh_age(settings)) if finding is not None]
    if problems:
        return problems
    return [Finding(GROUPS, "Authenticator", OK, f"Groups are refreshed at each start (for {quote_list(groups)}).")]


def _group_trait(settings: HubSettings, trait: str, without: str) -> Optional[Finding]:
    target = f"Authenticator.{trait}"
    found = _authenticator(settings, trait)
    if found.value is True:
        return None
    remedy = f"{_APPLY}, or set `c.{target} = True` in the section of the authenticator's class."
    if not found.is_known:
        return computed(GROUPS, target, found, remedy)
    if found.value is UNSET and trait == "auth_refresh_strict" and not settings.hub_version:
        return Finding(GROUPS, target, UNKNOWN, "Whether this JupyterHub has the trait is not known.", remedy)
    return Finding(GROUPS, target, WARNING, f"It is {described(found, 'false')}, so {without}.", remedy)


def _refresh_age(settings: HubSettings) -> Optional[Finding]:
    """Return the finding about an age of 0, with which JupyterHub refreshes nothing (`refresh_auth`, handlers/base.py)."""
    target = "Authenticator.auth_refresh_age"
    found = _authenticator(settings, "auth_refresh_age")
    remedy = f"Remove it, or set `c.{target}` to a number of seconds in the section of the authenticator's class."
    if not found.is_known:
        return computed(GROUPS, target, found, remedy)
    if found.value is UNSET or found.value:
        return None
    reason = f"It is {described(found, '')}, so groups are not refreshed when a server starts."
    return Finding(GROUPS, target, WARNING, reason, remedy)


def _authenticator(settings: HubSettings, trait: str) -> Setting:
    """Return a trait of the authenticator. A hub has one, so the section of any class counts, and its own class wins."""
    specific = [name for name in settings.sections_with(trait, "Authenticator") if name != "Authenticator"]
    values = [settings.last(section, trait) for section in specific]
    different = {repr(one.value) for one in values if one is not None}
    if len(different) > 1:
        return Setting(COMPUTED, f"the sections {quote_list(specific)} differ")
    return settings.lookup((*specific, "Authenticator"), trait)


# -- claims of shares ------------------------------------------------------------------------------------------------------


def _check_claims(hub: ObservedHub) -> list[Finding]:
    if not hub.known_shares:
        return []
    if isinstance(hub.claims, Unread):
        return [unknown(SHARE_CLAIMS, f"namespace {hub.place.servers}", hub.claims)]
    found = []
    for name, share in sorted(hub.known_shares.items()):
        claim = hub.claims.get(share["claim"])
        target = f"share {name}, claim {share['claim']}"
        problem = _claim_problem(name, claim)
        if problem is not None:
            reason, remedy = problem
            found.append(Finding(SHARE_CLAIMS, target, ERROR, f"{reason}, so the share is not mounted.", remedy))
        elif claim is not None and claim.phase != "Bound":
            found += _unbound(target, claim, hub.waiting_classes)
    if not found:
        text = f"The claims of all {len(hub.known_shares)} shares exist, and have their labels and volumes."
        found.append(Finding(SHARE_CLAIMS, f"namespace {hub.place.servers}", OK, text))
    return found


def _claim_problem(share: str, claim: Optional[Claim]) -> Optional[tuple[str, str]]:
    """Return why the spawn hook does not mount a claim, and what to do, None if it does."""
    again = "Run the playbook shares.yml."
    if claim is None:
        return "The claim does not exist", again
    if claim.labels.get(KIND_LABEL) != KIND_SHARE or claim.annotations.get(SHARE_KEY) != share:
        return "The claim is not marked as this share", again
    if claim.deleting:
        return "The claim is being deleted", "Wait until it is gone, then run the playbook shares.yml."
    return None


def _unbound(target: str, claim: Claim, waiting: Optional[frozenset[str]]) -> list[Finding]:
    """Return the finding about a claim without a volume. Some storage classes wait for the first pod."""
    blocks = "so no server that mounts it starts"
    if claim.phase == "Lost":
        reason = f"The claim has lost its volume {claim.volume}, {blocks}."
        return [Finding(SHARE_CLAIMS, target, ERROR, reason, "Restore the volume, or replace the claim.")]
    remedy = f"Look at the events: kubectl describe pvc {claim.name}"
    if waiting is None:
        reason = "The claim is not bound, and whether its storage class waits for a pod is not known."
        return [
            Finding(
                SHARE_CLAIMS, target, UNKNOWN, reason, "Grant the right to list storageclasses, and run this again."
            )
        ]
    if (claim.storage_class or "") in waiting and not claim.volume:
        return []
    return [Finding(SHARE_CLAIMS, target, ERROR, f"The claim is {claim.phase or 'Pending'}, {blocks}.", remedy)]


# -- users who let others into their servers -------------------------------------------------------------------------------


def _check_sharing(hub: ObservedHub) -> list[Finding]:
    secret = sorted(name for name, share in hub.known_shares.items() if share["level"] == "secret")
    if not secret:
        return [Finding(SERVER_SHARING, _TARGET, OK, "There is no secret share.")]
    if isinstance(hub.settings, Unread):
        return [unknown(SERVER_SHARING, "load_roles", hub.settings)]
    roles, doubt = hub.settings.items("JupyterHub", "load_roles")
    found = [finding for role in roles for finding in [_role_finding(role, secret)] if finding is not None]
    if not found and doubt:
        found.append(
            Finding(
                SERVER_SHARING,
                "load_roles",
                UNKNOWN,
                f"The roles are not all known, because code may add some: {doubt}.",
                "Look for roles with the scopes `shares` or `access:servers` that users have.",
            )
        )
    return found or [
        Finding(
            SERVER_SHARING, "load_roles", OK, "No role lets users share servers. Administrators can enter all of them."
        )
    ]


def _role_finding(role: Any, secret: list[str]) -> Optional[Finding]:
    if not isinstance(role, Mapping):
        return Finding(
            SERVER_SHARING, "load_roles", UNKNOWN, "A role is not a mapping that can be read.", "Look at it."
        )
    name, scopes = str(role.get("name", "")), role.get("scopes") or ()
    held = sorted(scope for scope in map(str, scopes) if scope.partition("!")[0] in _SCOPES)
    if not held or not (role.get("users") or role.get("groups") or name in _EVERYBODYS):
        return None
    return Finding(
        SERVER_SHARING,
        f"role {name}",
        WARNING,
        f"Its scopes {quote_list(held)} let people enter the servers of others, and so reach the secret shares "
        f"{quote_list(secret)} that are mounted there.",
        "Remove these scopes, or lower the level of the shares.",
    )
