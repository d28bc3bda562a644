# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an ACL the singleuser-profiles of classic Open Data Hub (jupyterhub-singleuser-profiles, JSP) can carry.

JSP merges all profiles that fit a person: those with `"*"` among their users, those with the name, and those with an empty
list or none, which fit everybody. Merging appends volumes, so one that two profiles have is mounted twice, and the pod refused.
So each profile here has users, each share is in two profiles at most, and no person is in both.

The profiles have no `resources`. JSP needs them on the first of all profiles (its own ConfigMap's `globals` has them), and on any
later one they would take the place of what the hub's administrators set.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ..._hub.access import place_error
from ..shares.groups import source_of
from ..text import quote_list
from ..validation import shown
from .descriptions import people_list
from .model import RO, RW, Acl, ended
from .reach import Reach

KEY = "jupyterhub-singleuser-profiles.yaml"
#: What everybody has to know who publishes profiles instead of the ACL.
WARNING = (
    "singleuser-profiles only offer mounts: nothing keeps other profiles, or people who may edit them, from mounting the same "
    "claims otherwise, nothing hides private shares, and the hub's first profile has to have `resources`"
)
#: Bytes that the text may have; the API server refuses ConfigMaps of 1 MiB.
MOST_TEXT = 1_000_000

_EVERYBODY = "*"
_LONGEST_LABEL = 63
# JSON is YAML, save for these: YAML's printable characters are fewer, and two are line breaks there.
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def unfit(share: Mapping[str, Any], home: str, roots: Sequence[str]) -> str:
    """Return why profiles cannot carry a share whatever the day is; "" when they can."""
    if share["level"] == "secret":
        return "it is secret, and with profiles nobody can ask for it"
    place = place_error(share["mount_path"], home, roots)
    return f"its mount path {place}" if place else ""


def profiles_of(acl: Acl, today: date, home: str, roots: Sequence[str] = ()) -> tuple[str, list[str]]:
    """Return the profiles as the value of the ConfigMap's key KEY, and a sentence for each thing that they do not carry.

    The text is JSON, which is YAML, indented for people; without shares to carry it is an empty list of profiles. `home` is
    where servers mount the home, `roots` the other places below which shares may be mounted. What is granted as of `today`,
    a day in UTC, is carried until the ConfigMap is written again. Raises ValueError where the text is too large for one.
    """
    left_out: list[str] = []
    profiles: list[dict[str, Any]] = []
    names = sorted(acl.by_name)
    reach = Reach(acl, names, today)
    rights = {person: reach.of_person(person) for person in sorted(acl.people)}
    for number, name in enumerate(names):
        share, bit = acl.by_name[name], 1 << number
        last = ended(share, today)
        why = f"it has ended on {last}" if last else unfit(share, home, roots)
        if why:
            left_out.append(f"{name} is left out: {why}")
            continue
        users: dict[str, list[str]] = {RO: [], RW: []}
        for person, right in rights.items():
            mode = right.mode(bit)
            if mode:
                users[mode].append(person)
        left_out += _not_carried(name, share)
        if share["read"]["everyone"]:
            if users[RW]:
                left_out.append(
                    f"writing to {name} is left out for {people_list(users[RW])}: everyone reads it, and profiles "
                    "cannot except anybody from that, so it is ro for all"
                )
            users = {RO: [_EVERYBODY], RW: []}
        else:
            for mode in (RO, RW):
                if _EVERYBODY in users[mode]:
                    users[mode].remove(_EVERYBODY)
                    left_out.append(
                        f"the person {shown(_EVERYBODY)} is left out of {name}: in profiles that is everybody"
                    )
        if not users[RO] and not users[RW]:
            left_out.append(f"{name} is left out: there is nobody whom profiles could name")
        profiles += [_profile(name, share, mode, users[mode]) for mode in (RO, RW) if users[mode]]
    text = _text({"profiles": profiles})
    if len(text.encode("utf-8")) > MOST_TEXT:
        raise ValueError(
            f"the profiles take {len(text.encode('utf-8')) // 1024} KiB, for they name each member of each group, and a "
            f"ConfigMap may take {MOST_TEXT // 1024} KiB: publish the ACL (`format: acl`), or grant to smaller groups"
        )
    return text, left_out


def volume_name(share: str) -> str:
    """Return the name of a share's volume in a pod: a DNS label, another one for each share, and JSP leaves it as it is."""
    label = f"odh-share-{share}"
    if "." not in share and len(label) <= _LONGEST_LABEL:
        return label
    return f"odh-hashed-{hashlib.sha256(share.encode('utf-8')).hexdigest()[:40]}"


def _not_carried(name: str, share: Mapping[str, Any]) -> Iterable[str]:
    hub_groups = sorted(
        {group for right in ("read", "write") for group in share[right]["groups"] if source_of(group) == "hub"}
    )
    if hub_groups:
        verb = "is" if len(hub_groups) == 1 else "are"
        yield f"{quote_list(hub_groups)} {verb} left out of {name}: only the hub knows who is in"
    if "gid" in share:
        yield f"gid {share['gid']} of {name} is left out: profiles give servers no groups"
    if "until" in share:
        yield f"the end of {name} on {share['until']} is left out: write the profiles again afterwards, for they do not end"


def _profile(name: str, share: Mapping[str, Any], mode: str, users: Sequence[str]) -> dict[str, Any]:
    return {
        # Names are joined for people to read, and one of JSP's own begins with "@".
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
    text = json.dumps(data, indent=1, ensure_ascii=False)
    return _ODD.sub(lambda odd: f"\\u{ord(odd.group()):04x}", text) + "\n"
