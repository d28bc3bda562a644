"""Two hundred shares, ten thousand people in five hundred groups, each person in ten: what is stored and what is read."""

from __future__ import annotations

import json

import pytest

from tests.support.acl import AGENT, INDEX, objects, read

PEOPLE = [f"some.body.{number:05}@research.example.org" for number in range(10_000)]
GROUPS = [f"/faculty/research/group-{number:03}" for number in range(500)]
LEVELS = ("public", "private", "secret")
LARGEST_OBJECT = 512 * 1024
ONE_SPAWN = 300 * 1024


def files(folder):
    """Shares and groups as files; six groups a share."""
    shares = []
    for number in range(200):
        level = LEVELS[number % 3]
        named = [GROUPS[(number * 7 + step * 61) % len(GROUPS)] for step in range(6)]
        read_by = {} if level == "public" else {"groups": named[:4], "users": [PEOPLE[number]]}
        shares.append({"name": f"share-{number:03}", "level": level, "read": read_by, "write": {"groups": named[4:]}})
    members = {name: [] for name in GROUPS}
    for number, person in enumerate(PEOPLE):
        for step in range(10):
            members[GROUPS[(number * 31 + step * 47) % len(GROUPS)]].append(person)
    assert sum(map(len, members.values())) == 100_000
    (folder / "shares.json").write_text(json.dumps(shares))
    (folder / "groups.json").write_text(json.dumps(members))
    return {"shares_file": str(folder / "shares.json"), "groups_file": str(folder / "groups.json")}


def weight(item):
    """What an object takes on the wire, and about what it takes in etcd."""
    return len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("person", [PEOPLE[0]])
def test_ten_thousand_people(cluster, namespace, modules, audit, tmp_path, person):
    chosen = {"namespace": namespace, **files(tmp_path)}
    environment = cluster.environment | {"ODH_PERSISTENCY_TIMINGS": "1"}
    made = modules.ok("share_acl", chosen, environment=environment, diff=True)
    assert (made.acl["shares"], made.acl["people"]) == (200, 10_000)
    print("timings", made.timings, "parts", made.acl["parts"])

    # Everybody gains something: told so that people can read it, and the result stays one that Ansible can carry.
    assert len(made.diff["after"].splitlines()) <= 1002
    assert weight(made.output) < 4 * 1024 * 1024

    found = objects(cluster, namespace)
    assert len(found) == made.acl["parts"] + 1
    largest = max(weight(item) for item in found.values())
    print("largest object", largest)
    assert largest < LARGEST_OBJECT

    # One spawn's worth of reading.
    with audit(user_agent="odh-persistency-tests", namespace=namespace) as log:
        view = read(cluster, namespace, person)
    assert [request.verb for request in log.requests] == ["get", "get", "get"]
    assert {request.resource for request in log.requests} == {"configmaps"}
    assert [request.code for request in log.requests] == [200, 200, 200]
    spawn = sum(weight(found[request.name]) for request in log.requests)
    print("one spawn", spawn)
    assert spawn < ONE_SPAWN
    assert view.digest == made.acl["digest"]
    assert len(view.record["groups"]) == 10

    # Nothing to do costs lists, however much there is: the ACL, the claims of shares, and all claims, because none of
    # the granted claims exists here.
    with audit(user_agent=AGENT) as log:
        again = modules.ok("share_acl", chosen, environment=environment, diff=True)
    assert not again.changed
    assert sorted((request.verb, request.resource) for request in log.requests) == [
        ("list", "configmaps"),
        ("list", "persistentvolumeclaims"),
        ("list", "persistentvolumeclaims"),
    ]
    print("timings", again.timings)

    # One person leaves a group: that person's part, and the index.
    members = json.loads((tmp_path / "groups.json").read_text())
    group = next(name for name in GROUPS if person in members[name])
    members[group].remove(person)
    (tmp_path / "groups.json").write_text(json.dumps(members))
    with audit(user_agent=AGENT) as log:
        left = modules.ok("share_acl", chosen, diff=True)
    assert sorted(request.verb for request in log.writes) == ["create", "patch"]
    assert {item.get("owner") for item in left.changes if item["kind"] == "acl"} <= {person, None}
    assert left.actions()[INDEX] == "update"
    assert read(cluster, namespace, person).record["groups"] == sorted(set(view.record["groups"]) - {group})
