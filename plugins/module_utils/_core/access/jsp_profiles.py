# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The singleuser-profiles of classic Open Data Hub (jupyterhub-singleuser-profiles, JSP) that express an ACL.

JSP merges all profiles that apply to a person: those with `"*"` in their users, those with the name, and those with an empty
list or none, which apply to everybody. Merging appends volumes, so a volume in two profiles is mounted twice and the pod is
rejected. Therefore each profile here has users, each share is in at most two profiles, and no person is in both.

The profiles have no `resources`. JSP needs them in the first of all profiles (its own ConfigMap's `globals` has them), and in
any later one they would override what the administrators of the hub set.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ..._hub.acl_format import place_error
from ..shares.groups import source_of
from ..text import quote_list
from ..validation import quoted
from .descriptions import people_list
from .model import RO, RW, Acl, last_day_if_expired
from .rights import AccessIndex

#: The warning for everybody who publishes profiles instead of the ACL.
WARNING = (
    "singleuser-profiles only offer mounts: other profiles, and people who may edit them, can mount the same claims with more "
    "access, private shares are not hidden, and the first profile of the hub needs `resources`"
)
#: The size limit of the text in bytes; the API server rejects ConfigMaps over 1 MiB.
MOST_TEXT = 1_000_000

_EVERYBODY = "*"
_LONGEST_LABEL = 63
# PyYAML before 5.1, which old hubs have, reads no characters above U+FFFF, and does not join surrogate pairs as JSON does.
# So such a character is written as YAML's own escape, with eight digits.
_PAIR = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)", re.DOTALL)


def unsupported_reason(share: Mapping[str, Any], home: str, roots: Sequence[str]) -> str:
    """Return why profiles cannot offer a share on any day, or ""."""
    if share["level"] == "secret":
        return "it is secret, and profiles have no way to ask for it"
    place = place_error(share["mount_path"], home, roots)
    return f"its mount path {place}" if place else ""


def profiles_of(acl: Acl, today: date, home: str, roots: Sequence[str] = ()) -> tuple[str, list[str]]:
    """Return the profiles as the value of the key KEY of the ConfigMap, and a sentence for each thing that they omit.

    The text is YAML in ASCII, which is indented JSON except for the escapes of characters above U+FFFF. Without shares it is
    an empty list of profiles. `home` is where servers mount the home, `roots` are the other paths below which shares may be
    mounted. The profiles offer the grants of `today`, a day in UTC, until the ConfigMap is written again. Raises ValueError
    if the text is too large for a ConfigMap.
    """
    omitted: list[str] = []
    profiles: list[dict[str, Any]] = []
    names = sorted(acl.by_name)
    index = AccessIndex(acl, names, today)
    rights = {person: index.of_person(person) for person in sorted(acl.people)}
    for number, name in enumerate(names):
        share, bit = acl.by_name[name], 1 << number
        last = last_day_if_expired(share, today)
        why = f"it expired after {last}" if last else unsupported_reason(share, home, roots)
        if why:
            omitted.append(f"{name} is omitted: {why}")
            continue
        users: dict[str, list[str]] = {RO: [], RW: []}
        for person, right in rights.items():
            mode = right.mode(bit)
            if mode:
                users[mode].append(person)
        omitted += _omissions(name, share)
        if share["read"]["everyone"]:
            if users[RW]:
                omitted.append(
                    f"write access to {name} is omitted for {people_list(users[RW])}: everyone reads it, and profiles "
                    "allow no exceptions, so it is ro for all"
                )
            users = {RO: [_EVERYBODY], RW: []}
        else:
            for mode in (RO, RW):
                if _EVERYBODY in users[mode]:
                    users[mode].remove(_EVERYBODY)
                    omitted.append(
                        f"the person {quoted(_EVERYBODY)} is omitted from {name}: in profiles that means everybody"
                    )
        if not users[RO] and not users[RW]:
            omitted.append(f"{name} is omitted: it names nobody whom profiles could name")
        profiles += [_profile(name, share, mode, users[mode]) for mode in (RO, RW) if users[mode]]
    text = _text({"profiles": profiles})
    if len(text.encode("utf-8")) > MOST_TEXT:
        raise ValueError(
            f"the profiles take {len(text.encode('utf-8')) // 1024} KiB, because they name each member of each group, but the "
            f"limit for a ConfigMap is {MOST_TEXT // 1024} KiB: publish the ACL (`format: acl`), or grant to smaller groups"
        )
    return text, omitted


def volume_name(share: str) -> str:
    """Return the name of a share's volume in a pod: a DNS label, unique per share, that JSP does not change."""
    label = f"odh-share-{share}"
    if "." not in share and len(label) <= _LONGEST_LABEL:
        return label
    return f"odh-hashed-{hashlib.sha256(share.encode('utf-8')).hexdigest()[:40]}"


def _omissions(name: str, share: Mapping[str, Any]) -> Iterable[str]:
    hub_groups = sorted(
        {group for right in ("read", "write") for group in share[right]["groups"] if source_of(group) == "hub"}
    )
    if hub_groups:
        verb = "is" if len(hub_groups) == 1 else "are"
        yield f"{quote_list(hub_groups)} {verb} omitted from {name}: only the hub knows the members"
    if "gid" in share:
        yield f"gid {share['gid']} of {name} is omitted: profiles cannot set groups of a server"
    if "until" in share:
        yield f"the end of {name} on {share['until']} is omitted: profiles do not expire, so publish them again afterwards"


def _profile(name: str, share: Mapping[str, Any], mode: str, users: Sequence[str]) -> dict[str, Any]:
    return {
        # The name is for people. Names of JSP's own profiles may begin with "@".
        "name": f"odh.persistency/{name}/{mode}",
        "users": list(users),
        "volumes": [
            {
                "name": volume_name(name),
                "persistentVolumeClaim": {"claimName": share["claim"], "readOnly": mode == RO},
                "mountPath": share["mount_path"],
            }
        ],
    }


def _text(data: Mapping[str, Any]) -> str:
    return _PAIR.sub(_as_long_escape, json.dumps(data, indent=1, ensure_ascii=True)) + "\n"


def _as_long_escape(escape: re.Match[str]) -> str:
    high, low = escape.groups()
    if high is None:
        return escape.group()
    return f"\\U{0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00:08x}"
