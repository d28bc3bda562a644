# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server was granted, as texts: the annotation of its pod, the variable inside the server, and Events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from .access import MODES, Mount
from .acl_format import canonical

GRANTED_ANNOTATION = "odh.persistency/granted"
GRANTED_VARIABLE = "ODH_PERSISTENCY_GRANTED"
REPORTER = "odh.persistency/spawn-hook"
NOTICE = (
    "No shares are mounted, because the access list cannot be read. Restart the server later, or ask the administrator."
)
NO_SOFTWARE = (
    "The shared software is not mounted, because its volume is not available. Ask the administrator of this hub."
)
NO_HOME = (
    "Your home is not mounted, because the profile that you chose, or the configuration of this hub, leaves it out. Files that "
    "you save outside of shares are lost when the server stops. Ask the administrator of this hub."
)


def not_read(claims: Sequence[str]) -> str:
    """Return the sentence for claims that are left out because they cannot be read."""
    return (
        f"Volumes that cannot be read at the moment are not mounted: {', '.join(claims)}. "
        "Restart the server later, or ask the administrator of this hub."
    )


#: The API server accepts 1024 bytes in the message of an Event.
_MOST_MESSAGE = 1000


class Outcome(NamedTuple):
    """What a server gets. `left_out` has the reasons that its user may know, by share. `notice` is a sentence, or "".

    `secret` are the names of secret shares, mounted or not.
    """

    digest: str
    mounts: Sequence[Mount]
    left_out: Mapping[str, str]
    notice: str = ""
    secret: frozenset[str] = frozenset()

    def noted(self, sentence: str) -> Outcome:
        """Return the outcome with a sentence more in the notice."""
        return self._replace(notice=f"{self.notice} {sentence}".strip())

    @property
    def secret_mounts(self) -> list[Mount]:
        """The mounts of secret shares."""
        return [mount for mount in self.mounts if mount.share in self.secret]


def stamp(outcome: Outcome) -> str:
    """Return the text of the annotation and the variable, in canonical JSON."""
    return canonical(
        {
            "acl": outcome.digest,
            "shares": {mount.share: mount.mode for mount in outcome.mounts},
            "left_out": dict(outcome.left_out),
            **({"notice": outcome.notice} if outcome.notice else {}),
        }
    )


def secret_record(person: str, server: str, mount: Mount, digest: str, requester: str) -> str:
    """Return the record of a mounted secret share for the hub's log, in canonical JSON."""
    return canonical(
        {
            "user": person,
            "server": server,
            "share": mount.share,
            "mode": mount.mode,
            "acl": digest,
            "requester": requester,
        }
    )


class Message(NamedTuple):
    """An Event of the pod, which the progress page shows: its type is Normal or Warning."""

    reason: str
    type: str
    text: str


def messages_of(outcome: Outcome) -> list[Message]:
    """Return what the progress page shows. Each secret share that is mounted has a message of its own, as a record."""
    messages: list[Message] = []
    if outcome.mounts:
        which = [f"{mount.share} ({MODES[mount.mode]})" for mount in outcome.mounts]
        messages += [Message("SharesMounted", "Normal", text) for text in _lists("Mounts shares: ", ", ", which)]
    messages += [
        Message("SecretShareMounted", "Normal", f"Mounts the secret share {mount.share} ({MODES[mount.mode]})")
        for mount in outcome.secret_mounts
    ]
    if outcome.left_out:
        reasons = sorted(outcome.left_out.items())
        why = [f"{share} ({reason.replace('not mounted: ', '', 1)})" for share, reason in reasons]
        texts = _lists("Shares that are not mounted: ", "; ", why)
        messages += [Message("SharesLeftOut", "Warning", text) for text in texts]
    if outcome.notice:
        messages.append(Message("Incomplete", "Warning", outcome.notice))
    return messages


def _lists(start: str, separator: str, items: Sequence[str]) -> list[str]:
    """Return texts that list the items after a start, as many as Events need to hold all."""
    texts: list[str] = []
    for item in items:
        longer = f"{texts[-1]}{separator}{item}" if texts else ""
        if texts and len(longer.encode("utf-8", "replace")) <= _MOST_MESSAGE:
            texts[-1] = longer
        else:
            texts.append(start + item)
    return texts


def messages_of_notes(notes: Sequence[str]) -> list[Message]:
    """Return the Events of what the init container of the mount points has reported."""
    return [Message("MountPoint", "Warning", note) for note in notes]


def event(pod: Mapping[str, str], message: Message, time: datetime) -> dict[str, Any]:
    """Return an Event of a pod (`name`, `namespace`) at a time in UTC.

    `eventTime` is required: KubeSpawner 7 fails every spawn in a namespace with an Event of a pod that has no time.
    """
    return {
        "metadata": {"generateName": "odh-persistency-", "namespace": pod["namespace"]},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": pod["name"], "namespace": pod["namespace"]},
        "type": message.type,
        "reason": message.reason,
        "message": _shortened(message.text),
        "action": "Mounting",
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingComponent": REPORTER,
        "reportingInstance": "hub",
    }


def _shortened(text: str) -> str:
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= _MOST_MESSAGE else encoded[:_MOST_MESSAGE].decode("utf-8", "ignore") + "..."
