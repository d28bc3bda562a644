"""ACLs as a hub sees them: a reader that knows nothing of the collection's code, and shares for tests to publish."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.cluster import Cluster, Object

INDEX = "odh-persistency-acl"
KIND = "odh.persistency/kind"
DIGEST = "odh.persistency/digest"
PUBLISHED = "odh.persistency/published-at"
AGENT = "odh.persistency/"  # of the module's requests


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class BrokenAcl(Exception):
    """What a reader finds that it must not trust: a part that is missing, or one of another digest."""


@dataclass(frozen=True)
class View:
    """The result of one reading: the digest of the index, the shares, and the person's record; all None if there is no ACL."""

    digest: str | None
    shares: Object = field(default_factory=dict, compare=False)
    record: Object | None = field(default=None, compare=False)

    def mode(self, share: str) -> str | None:
        """What the person has of a share, the hub's groups aside: rw, ro or None."""
        if share not in self.shares:
            return None
        mine = self.record or {}
        found = self.shares[share]
        groups = set(mine.get("groups", ()))
        if share in mine.get("write", ()) or groups & set(found["write"]["groups"]):
            return "rw"
        if found["read"]["everyone"] or share in mine.get("read", ()) or groups & set(found["read"]["groups"]):
            return "ro"
        return None


def read(cluster: Cluster, namespace: str, person: str) -> View:
    """Read as a hub does at a spawn: the index, the shares, one membership part. Raises BrokenAcl."""
    index = cluster.get("configmaps", INDEX, namespace)
    if index is None:
        return View(None)
    text = index["data"]["index.json"]
    digest = index["metadata"]["annotations"][DIGEST]
    if digest_of(text) != digest:
        raise BrokenAcl(f"the index is {digest_of(text)}, not {digest}")
    content = json.loads(text)
    shares = _part(cluster, namespace, f"{INDEX}-shares-{content['shares'][:16]}", content["shares"])
    prefix = digest_of(person)[: content["digits"]]
    record = None
    if prefix in content["members"]:
        desired = content["members"][prefix]
        part = _part(cluster, namespace, f"{INDEX}-members-{prefix or 'all'}-{desired[:16]}", desired)
        record = part["people"].get(person)
    return View(digest, shares["shares"], record)


def _part(cluster: Cluster, namespace: str, name: str, digest: str) -> Any:
    found = cluster.get("configmaps", name, namespace)
    if found is None:
        raise BrokenAcl(f"the part {name} is missing")
    text = found["data"]["part.json"]
    if digest_of(text) != digest:
        raise BrokenAcl(f"the part {name} is {digest_of(text)}")
    return json.loads(text)


class Polling(threading.Thread):
    """Reads one person's view over and over: `views` has each other one as it came up, `broken` what could not be read."""

    def __init__(self, cluster: Cluster, namespace: str, person: str) -> None:
        super().__init__(daemon=True)
        self._arguments = (cluster, namespace, person)
        self._over = threading.Event()
        self.views: list[View] = []
        self.broken: list[str] = []
        self.readings = 0
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._read()
                time.sleep(0.01)
        except Exception as error:
            self._failure = error

    def _read(self) -> None:
        try:
            view = read(*self._arguments)
        except BrokenAcl as error:
            self.broken.append(str(error))
        else:
            if not self.views or self.views[-1] != view:
                self.views.append(view)
        self.readings += 1

    def __enter__(self) -> Polling:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """What ended the reading is raised here: a reader that is dead has seen nothing broken."""
        self._over.set()
        self.join(30)
        if self._failure is not None:
            raise self._failure
        assert self.readings, "nothing was read"

    def digests(self) -> list[str | None]:
        return [view.digest for view in self.views]


def objects(cluster: Cluster, namespace: str) -> dict[str, Object]:
    """The ACL's ConfigMaps, by name, whoever may name them."""
    found = cluster.list("configmaps", namespace)
    return {item["metadata"]["name"]: item for item in found if item["metadata"]["name"].startswith(INDEX)}


def parts(cluster: Cluster, namespace: str) -> set[str]:
    return set(objects(cluster, namespace)) - {INDEX}


def share(name: str, level: str = "private", **more: Any) -> Object:
    return {"name": name, "level": level, "size": "1Gi", **more}


def options(namespace: str, shares: Iterable[Object], **more: Any) -> Object:
    return {"namespace": namespace, "shares": list(shares), **more}
