"""Publications through a real NFS server: the builder's link, rename and read-back, and what other clients see meanwhile."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.support.nfs import *  # noqa: F403
from tests.support.nfs import Export, Nfs, NfsError
from tests.support.nfs_client import NfsClient
from tests.support.software_tree import SoftwareTree


def test_clients_see_one_release_or_the_other_and_cannot_write(nfs: Nfs) -> None:
    tree = SoftwareTree(Path(nfs.folder) / "apps")
    tree.add("tool/1.0")
    tree.add("tool/2.0")
    releases = [tree.publish("tool/1.0"), tree.publish("tool/1.0", "tool/2.0")]
    staged = tree.stage("tool/2.0", "tool/1.0")
    # From here on everything that the server has seen changes through it, because it caches.
    server = nfs(Export(str(tree.path), "/rw/apps"), Export(str(tree.path), "/apps", "RO"))
    seen: list[str] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(str(json.loads(server.get("/apps/current/manifest.json"))["id"]))
            assert b"VERSION_TOOL" in server.get("/apps/current/modules/all/tool/1.0.lua")

    class Client(dict):  # type: ignore[type-arg]
        """Connects in the process of the phase."""

        def items(self) -> list[tuple[str, object]]:  # type: ignore[override]
            return list(NfsClient(server.address("/rw/apps"), tree.path).functions().items())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for release in releases * 5:
            assert tree.run("roll_back", release=release, faults=Client())["current"] == release
            count = len(seen)
            while len(seen) < count + 2 and reader.is_alive():
                ended.wait(0.01)
            assert seen[-1] == release
        tree.run("publish", release=staged, faults=Client())
    finally:
        ended.set()
        reader.join()
    assert set(seen) <= {*releases, staged}
    assert json.loads(server.get("/apps/current/manifest.json"))["id"] == staged
    tree.assert_whole()
    for path in ("/apps/current/manifest.json", "/apps/store/new"):
        with pytest.raises(NfsError, match="ROFS"):
            server.put(path, b"x")
