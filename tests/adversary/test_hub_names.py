"""Names that users of a hub choose: they stop no run. Users who cannot have a home are left out and reported."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.homes import make_home


@contextmanager
def hub_with(users: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """A hub that lists these users with their servers; yields the option `hub`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found: object = {"scopes": ["list:users", "read:servers", "read:users:activity"]}
            if "/users" in self.path:
                items = [{"name": name, "servers": {server: {} for server in users[name]}} for name in users]
                found = {"items": items, "_pagination": {"limit": 200, "next": None}}
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {"url": f"http://127.0.0.1:{server.server_port}/hub/api", "token": "t" * 32}
    finally:
        server.shutdown()
        server.server_close()


def test_names_of_hub_users_stop_no_run(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-old-2dx", "other")
    users = {
        "ben": [""],
        # Under this template these two homes have one name,
        "a": ["2db"],
        "a-b": [""],
        # this one has the name of a home in the inventory, this one that of another home,
        "big": ["2done"],
        "old": ["2dx"],
        # and these two have no name at all.
        "x" * 250: [],
        "": [],
    }
    options = {"namespace": namespace, "users": ["big-one"], "users_from": "hub", "naming": "escape", "size": "1Gi"}
    options["name_template"] = "claim-{username}-{servername}"
    with hub_with(users) as hub:
        shown = modules.ok("user_pvc", {**options, "hub": hub}, check=True)
        result = modules.ok("user_pvc", {**options, "hub": hub})
        again = modules.ok("user_pvc", {**options, "hub": hub})
    made = {"claim-a", "claim-ben", "claim-big", "claim-big-2done", "claim-old"}
    assert set(cluster.claims(namespace)) == {*made, "claim-old-2dx"}
    big = cluster.claims(namespace)["claim-big-2done"]["metadata"]["annotations"]
    assert big["hub.jupyter.org/username"] == "big-one"
    assert set(result.actions()) == set(shown.actions()) == made
    assert not again.changed
    left_out = sorted(["a", "a-b", "big", "old", "x" * 250, ""])
    for found in (shown, result):
        assert sorted(item["owner"] for item in found.unreconcilable) == left_out
    assert any("would share claim claim-a-2db" in warning for warning in result.warnings)
    # What the operator writes is still rejected.
    del options["users_from"]
    colliding = [{"name": "a", "server": "2db"}, "a-b"]
    message = modules.refused("user_pvc", {**options, "users": colliding})
    assert "would share claim claim-a-2db" in message


def test_a_named_server_does_not_contradict_the_inventory(namespace, modules):
    with hub_with({"ann": ["", "lab"], "ben": ["lab"]}) as hub:
        options = {"namespace": namespace, "users_from": "hub", "hub": hub, "naming": "odh"}
        result = modules.ok("user_pvc", {**options, "users": [{"name": "ann", "size": "2Gi"}]}, check=True)
        assert result.summary["create"] == 2
        result = modules.ok("user_pvc", {**options, "retired": ["ann"]}, check=True)
        assert result.summary["create"] == 1
