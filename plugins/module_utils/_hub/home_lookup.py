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
from .observed_claims import HOME, KIND_LABEL, OWNER_LABEL, USERNAME, Claim, owner_hash, username_labels


class HomeChoice(NamedTuple):
    """The home of a server. `claims` are those that were read. `computed` are the names that the hub computes."""

    name: str
    computed: Sequence[str]
    claims: Sequence[Claim]


async def choose_home(spawner: Any, client: KubernetesClient) -> HomeChoice:
    """Return the home of a server. Raises HomeRefused and ApiFailure.

    A home in use with our owner label settles the matter with one request: that is what administrators manage. Otherwise
    the claims that only KubeSpawner has labelled count as well.
    """
    server = _server_of(spawner)
    found = await client.claims(f"{OWNER_LABEL}={owner_hash(server.user)}")
    labels = username_labels(server.user, _own_label(spawner))
    if labels and not any(owns(claim, server) and not claim.terminating and not claim.is_retired for claim in found):
        found += await client.claims(selector_of(USERNAME, labels))
    if not any(owns(claim, server) and not claim.terminating for claim in found):
        known = {claim.name for claim in found}
        for name in server.computed:
            claim = None if name in known else await client.claim(name)
            if claim is not None:
                found.append(claim)
    return HomeChoice(select_home(found, server) or server.computed[0], server.computed, found)


def apply_home(spawner: Any, choice: HomeChoice) -> None:
    """Make KubeSpawner use the home, and label it as ours if KubeSpawner creates it."""
    spawner.pvc_name = choice.name
    labels = dict(spawner.storage_extra_labels or {})
    # KubeSpawner formats the values: a hash has no braces.
    labels.update({KIND_LABEL: HOME, OWNER_LABEL: owner_hash(spawner.user.name)})
    spawner.storage_extra_labels = labels


def configured_homes(spawner: Any, home: str) -> frozenset[str]:
    """Return the claims that the hub mounts as the home, by its configuration before any profile changes it."""
    volumes, mounts = (_expanded(spawner, value) for value in (spawner.volumes, spawner.volume_mounts))
    at_home = [mount for mount in mounts if (home + "/").startswith(str(mount.get("mountPath")).rstrip("/") + "/")]
    names = {mount.get("name") for mount in at_home}
    claims = [volume.get("persistentVolumeClaim") or {} for volume in volumes if volume.get("name") in names]
    return frozenset(str(claim["claimName"]) for claim in claims if claim.get("claimName"))


def _expanded(spawner: Any, value: Any) -> list[dict[str, Any]]:
    """Return volumes or mounts as plain dictionaries. KubeSpawner 7 also accepts a dictionary of them."""
    plain = spawner.api.api_client.sanitize_for_serialization(spawner._expand_all(value)) or []
    return [entry for entry in (plain.values() if isinstance(plain, dict) else plain) if isinstance(entry, dict)]


def _server_of(spawner: Any) -> Server:
    template = str(spawner.pvc_name_template)
    expand = spawner._expand_user_properties
    computed = [expand(template)]
    if "slug_scheme" in inspect.signature(expand).parameters:
        computed.append(expand(template, slug_scheme="escape"))  # as KubeSpawner 6 computed it
    # Fields for the server are {user_server}, {servername} and variants of these.
    return Server(spawner.user.name, spawner.name or "", list(dict.fromkeys(computed)), not has_server(template))


def _own_label(spawner: Any) -> str:
    return str(spawner._build_common_labels({}).get(USERNAME, ""))


def has_server(template: str) -> bool:
    """Return whether a template of claim names has a field for the server: {servername}, {user_server}, or a variant."""
    return any("server" in (field or "") for _text, field, _spec, _conversion in string.Formatter().parse(template))
