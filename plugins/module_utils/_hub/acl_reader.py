# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the ACL at a spawn: the index, the shares part and one membership part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

from .access import MembersPart, SharesPart, load_index, load_members, load_shares
from .acl_format import INDEX_KEY, INDEX_NAME, PART_KEY, AccessError, members_name, prefix_of, shares_name
from .kubernetes_client import ApiFailure, KubernetesClient

DIGEST_ANNOTATION = "odh.persistency/digest"
#: The number of parts that are kept: they never change, and a hub has few that are in use.
MOST_PARTS = 64


class AclUnreadable(Exception):
    """The ACL is missing, invalid, or cannot be read. The text is for administrators."""


class PersonalAcl(NamedTuple):
    """What one spawn reads of the ACL: the digest of the index, all shares, and the part with the person, if any."""

    digest: str
    shares: SharesPart
    members: Optional[MembersPart]


class AclReader:
    """Reads the ACL. The only state is a cache of parts by digest."""

    def __init__(self) -> None:
        self._parts: OrderedDict[str, Any] = OrderedDict()

    async def read(self, client: KubernetesClient, person: str) -> PersonalAcl:
        """Return what a spawn of this person needs. Raises AclUnreadable."""
        try:
            config_map = await client.config_map(INDEX_NAME)
            digest = (config_map["metadata"].get("annotations") or {}).get(DIGEST_ANNOTATION, "")
            index = load_index(_text(config_map, INDEX_KEY), digest)
            shares = await self._part(client, shares_name(index["shares"]), index["shares"], load_shares)
            members = None
            prefix = prefix_of(person, index["digits"])
            wanted = index["members"].get(prefix)
            if wanted is not None:
                members = await self._part(client, members_name(prefix, wanted), wanted, load_members)
        except (ApiFailure, AccessError) as error:
            raise AclUnreadable(str(error)) from error
        return PersonalAcl(digest, shares, members)

    async def _part(self, client: KubernetesClient, name: str, digest: str, load: Callable[[str, str], Any]) -> Any:
        part = self._parts.get(digest)
        if part is None:
            part = load(_text(await client.config_map(name), PART_KEY), digest)
            self._parts[digest] = part
            while len(self._parts) > MOST_PARTS:
                self._parts.popitem(last=False)
        else:
            self._parts.move_to_end(digest)
        return part


def _text(config_map: Mapping[str, Any], key: str) -> str:
    text = (config_map.get("data") or {}).get(key)
    if not isinstance(text, str):
        raise AccessError([f"the ConfigMap {config_map['metadata']['name']} lacks the key {key}"])
    return text
