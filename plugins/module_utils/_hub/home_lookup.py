# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose the home of a server: read the claims that may be it, and tell KubeSpawner its name."""

from __future__ import annotations

import inspect
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from .home_rules import Server, owns, select_home
from .kubernetes_client import KubernetesClient, selector_of
from .observed_claims import (
    HOME,
    KIND_LABEL,
    OWNER_LABEL,
    OWNER_OF_SHARES,
    USERNAME,
    Claim,
    owner_hash,
    username_labels,
)


class HomeChoice(NamedTuple):
    """The name of the claim that is the home of a server. `claims` are those that were read: they need not include it."""

    name: str
    server: Server
    claims: Sequence[Claim]


async def choose_home(spawner: Any, client: KubernetesClient) -> HomeChoice:
    """Return the home of a server. Raises HomeRefused and ApiFailure.

    A home in use with our owner label settles the matter with one request: that is what administrators manage. Otherwise
    the claims that only KubeSpawner has labelled count as well, and then those with a name that it computed before. The
    claims of shares come with the first request.

    The claim with the name that the hub computes now is not read here. KubeSpawner creates it, or finds that it exists, and
    then it is in the pod and `check_home` judges it: one request instead of two, and nobody can create it in between.
    """
    server = _server_of(spawner)
    found = await client.claims(selector_of(OWNER_LABEL, [owner_hash(server.user), OWNER_OF_SHARES]))
    labels = username_labels(server.user, _own_label(spawner))
    if labels and not any(owns(claim, server) and not claim.terminating and not claim.is_retired for claim in found):
        found += await client.claims(selector_of(USERNAME, labels))
    present, *earlier = server.computed
    if not _has_home(found, server):
        # The name from before KubeSpawner 7: otherwise a home without labels would be lost in an upgrade.
        found += await _with_names(client, earlier, found)
        if _has_home(found, server):
            found += await _with_names(client, [present], found)
    return HomeChoice(select_home(found, server) or present, server, found)


def check_home(choice: HomeChoice, claim: Claim) -> None:
    """Check the claim of the home that was not read when it was chosen. Raises HomeRefused."""
    select_home([*choice.claims, claim], choice.server)


def _has_home(claims: Sequence[Claim], server: Server) -> bool:
    return any(owns(claim, server) and not claim.terminating for claim in claims)


async def _with_names(client: KubernetesClient, names: Sequence[str], found: Sequence[Claim]) -> list[Claim]:
    """Return the claims with these names that exist and were not found before."""
    known = {claim.name for claim in found}
    claims = [await client.claim(name) for name in names if name not in known]
    return [claim for claim in claims if claim is not None]


def apply_home(spawner: Any, choice: HomeChoice) -> None:
    """Make KubeSpawner use the home, and label it as ours if KubeSpawner creates it."""
    spawner.pvc_name = choice.name
    labels = dict(spawner.storage_extra_labels or {})
    # KubeSpawner formats the values: a hash has no braces.
    labels.update({KIND_LABEL: HOME, OWNER_LABEL: owner_hash(spawner.user.name)})
    spawner.storage_extra_labels = labels


def _server_of(spawner: Any) -> Server:
    template = str(spawner.pvc_name_template)
    expand = spawner._expand_user_properties
    computed = [expand(template)]
    if "slug_scheme" in inspect.signature(expand).parameters:
        computed.append(expand(template, slug_scheme="escape"))  # as KubeSpawner 6 computed it
    is_shared = not has_server(template, str(spawner.pod_name_template))
    return Server(spawner.user.name, spawner.name or "", list(dict.fromkeys(computed)), is_shared)


def _own_label(spawner: Any) -> str:
    return str(spawner._build_common_labels({}).get(USERNAME, ""))


def has_server(template: str, pod_template: str = "") -> bool:
    """Return whether a template of claim names has a field for the server: {servername}, {user_server}, or a variant.

    {pod_name} is one if the template of names of pods has one.
    """
    fields = [field or "" for _text, field, _spec, _conversion in string.Formatter().parse(template)]
    return any("server" in field for field in fields) or ("pod_name" in fields and has_server(pod_template))
