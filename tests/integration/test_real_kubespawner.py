"""Homes that the real KubeSpawner creates and finds, compared with those of this collection.

The real one launches servers by its own code and with its own API client, up to the pod, which is not sent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from tests.oracle.real_kubespawner import RealKubeSpawner
from tests.support.cluster import wait_for
from tests.support.homes import KIND, OWNER, SERVERNAME, USERNAME, annotations, as_written, labels

KUBESPAWNERS_CLIENT = "OpenAPI-Generator"  # what kubernetes_asyncio calls itself
VERSIONS = ("hub.jupyter.org/kubespawner-version", "hub.jupyter.org/jupyterhub-version")


class Case(NamedTuple):
    """One KubeSpawner and how it names and makes claims."""

    version: str
    naming: str
    storage_class: str | None

    @property
    def slug_scheme(self):
        return "safe" if self.naming == "safe" else "escape"

    @property
    def template(self):
        return "jupyterhub-nb-{username}-pvc" if self.naming == "odh" else None

    @property
    def users(self):
        """Users, each with a server. The API server rejects the labels of KubeSpawner 6 for some people."""
        found = [
            ("alice", ""),
            ("bob.smith@example.org", ""),
            ("josé", ""),
            ("x" * 47, ""),
            ("bob.smith@example.org", "gpu 1"),
            ("carol", "lab"),
        ]
        return found if self.version == "6.2" else [*found, ("王小明", ""), ("Zoë-" + "z" * 60, "")]

    def options(self, namespace):
        """Those of user_pvc that ask for the same."""
        found = {"namespace": namespace, "naming": self.naming, "size": "3Gi"}
        found["users"] = [{"name": user, "server": server} for user, server in self.users]
        return found if self.storage_class is None else {**found, "storage_class": self.storage_class}


CASES = [
    Case("7.1", "safe", None),
    Case("7.1", "escape", "standard"),
    Case("7.1", "odh", ""),
    Case("7.0", "safe", "standard"),
    Case("6.2", "escape", None),
]


class Made(NamedTuple):
    """What a real KubeSpawner made: the case, where, and the claims as they were then, by (user, server)."""

    case: Case
    namespace: str
    claims: dict


@pytest.fixture(scope="module")
def kubespawner(cluster, request):
    """`kubespawner("7.1")`: the real one, with the cluster under test."""
    running = {}
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def get(version):
        if version not in running:
            report = terminal.write_line if terminal else print
            running[version] = RealKubeSpawner(version, report, cluster.kubeconfig)
        return running[version]

    yield get
    for spawner in running.values():
        spawner.close()


def launch(spawner, case, namespace, user, server=""):
    """Launch a server that must start; return the name of the claim that its pod mounts as its home."""
    config = {} if case.storage_class is None else {"storage_class": case.storage_class}
    answer = spawner.launch(
        namespace, user, server, scheme=case.slug_scheme, template=case.template, storage_capacity="3Gi", **config
    )
    assert "error" not in answer, answer
    assert answer["mounts"] == [answer["pvc_name"]]
    return answer["pvc_name"]


def settled(cluster, namespace):
    """The claims by name, once the controller manager has written into them what it has to."""

    def look():
        claims = cluster.claims(namespace)
        waiting = [name for name, claim in claims.items() if claim["spec"]["storageClassName"] and not noted(claim)]
        return None if waiting else claims

    def noted(claim):
        return "volume.kubernetes.io/storage-provisioner" in annotations(claim)

    return wait_for(look, "the provisioner of each claim noted on it")


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.version}-{case.naming}")
def made(request, cluster, kubespawner):
    """A namespace in which everybody's server was launched once, and the hub made all homes."""
    if cluster.testbed is None:
        pytest.skip("needs the testbed: elsewhere volumes are made, and claims change meanwhile")
    case = request.param
    namespace = cluster.make_namespace()
    spawner = kubespawner(case.version)
    names = {(user, server): launch(spawner, case, namespace, user, server) for user, server in case.users}
    claims = settled(cluster, namespace)
    assert set(claims) == set(names.values())
    yield Made(case, namespace, {person: claims[name] for person, name in names.items()})
    cluster.remove_namespace(namespace)


def without_labels_of_ours(claim):
    return {key: value for key, value in labels(claim).items() if not key.startswith("odh.persistency/")}


def test_homes_of_the_hub_get_two_labels_and_nothing_else(made, cluster, modules, audit):
    before = {claim["metadata"]["name"]: claim for claim in made.claims.values()}
    options = made.case.options(made.namespace)
    first = modules.ok("user_pvc", options)
    assert first.actions() == dict.fromkeys(before, "adopt")
    assert first.summary == {"adopt": len(before), "keep": 0}
    assert first.warnings == []

    with audit(user_agent="odh.persistency/", namespace=made.namespace) as log:
        second = modules.ok("user_pvc", options)
    assert second.summary == {"keep": len(before)}
    assert not second.changed
    assert not log.writes, log

    after, before = as_written(cluster.claims(made.namespace)), as_written(before)
    assert set(after) == set(before)
    for name, claim in after.items():
        assert labels(claim)[KIND] == "home"
        assert re.fullmatch("[0-9a-f]{32}", labels(claim)[OWNER])
        assert len(labels(claim)) == len(labels(before[name])) + 2
        claim["metadata"]["labels"] = without_labels_of_ours(claim)
        assert claim == before[name]


def test_the_hub_mounts_the_homes_created_here(made, cluster, namespace, modules, audit, kubespawner):
    case = made.case
    result = modules.ok("user_pvc", case.options(namespace))
    before = settled(cluster, namespace)
    assert result.actions() == dict.fromkeys(before, "create")

    with audit(user_agent=KUBESPAWNERS_CLIENT, namespace=namespace) as log:
        spawner = kubespawner(case.version)
        names = {(user, server): launch(spawner, case, namespace, user, server) for user, server in case.users}
    assert [(write.verb, write.code) for write in log.writes] == [("create", 409)] * len(case.users), log
    # Its pods mount what was there, and what was there is as it was.
    assert set(names.values()) == set(before)
    assert as_written(cluster.claims(namespace)) == as_written(before)

    for person, real in made.claims.items():
        ours = before[names[person]]
        assert ours["metadata"]["name"] == real["metadata"]["name"]
        assert ours["spec"] == real["spec"]
        expected = {key: value for key, value in annotations(real).items() if key not in VERSIONS}
        if case.naming == "odh":
            # One home a user: whichever server came first has left its name on the hub's, and ours has none.
            expected.pop(SERVERNAME, None)
        assert annotations(ours) == expected
        if case.version >= "7":  # labels are version 7's under every scheme
            assert without_labels_of_ours(ours) == labels(real)


def test_the_upgrade_from_6_2_to_7_1(cluster, namespace, modules, kubespawner):
    """Who would find an empty home, and who somebody else's: the census predicts it, and nobody's home is lost."""
    old, new = kubespawner("6.2"), kubespawner("7.1")
    people = [("alice", ""), ("alice", "lab 1"), ("alice-smith", ""), ("stop.ped", ""), ("josé", "")]
    answers = {person: old.launch(namespace, *person, storage_capacity="1Gi") for person in people}
    homes = {person: answer["mounts"][0] for person, answer in answers.items()}
    before = cluster.claims(namespace)
    assert set(before) == set(homes.values())
    # Since the upgrade two more may log in, whose names are what others' claims were called.
    newcomers = [("stop-2eped", ""), ("alice-2dsmith", ""), ("nora", "")]

    users = [{"name": user, "server": server} for user, server in people + newcomers]
    census = modules.ok("user_pvc_info", {"namespace": namespace, "naming": "safe", "users": users}).census
    move = census["moves"]["given"]
    assert [(row["name"], row["claim"], row["belongs_to"]) for row in move["takeovers"]] == [
        ("stop-2eped", "claim-stop-2eped", "stop.ped"),
        ("alice-2dsmith", "claim-alice-2dsmith", "alice-smith"),
    ]
    assert {(row["name"], row["server"]): row["claim"] for row in move["empty"]} == {
        person: home for person, home in homes.items() if person != ("alice", "")
    }
    assert census["adoption"] == [
        {"name": "alice", "server": "lab 1", "claim": "claim-alice--lab-201"},
        {"name": "alice-smith", "claim": "claim-alice-2dsmith"},
        {"name": "stop.ped", "claim": "claim-stop-2eped"},
        {"name": "josé", "claim": "claim-jos-c3-a9"},
    ]

    everybody = [*census["adoption"], "alice"]
    result = modules.ok("user_pvc", {"namespace": namespace, "naming": "safe", "size": "1Gi", "users": everybody})
    assert result.actions() == dict.fromkeys(before, "adopt")
    after = cluster.claims(namespace)
    assert set(after) == set(before)
    assert {
        (annotations(claim)[USERNAME], annotations(claim).get(SERVERNAME, "")): name for name, claim in after.items()
    } == homes
    result = modules.ok("user_pvc", {"namespace": namespace, "users": [*everybody, "stop-2eped"]})
    assert any("claim-stop-2eped, is taken by the home of stop.ped" in warning for warning in result.warnings)
    assert cluster.claims(namespace) == after

    # What the hub keeps of a stopped server is enough for the real 7.1 to find the old home ...
    person = ("josé", "")
    again = new.launch(namespace, *person, scheme="safe", state=answers[person]["state"])
    assert again["mounts"] == [homes[person]]
    # ... and with its database lost it does to each one what the census said.
    predicted = {(row["name"], row["server"]): row["would_get"] for row in move["empty"]}
    predicted |= {(row["name"], row["server"]): row["claim"] for row in move["takeovers"]}
    predicted |= {("alice", ""): homes["alice", ""], ("nora", ""): "claim-nora"}
    mounted = {
        person: new.launch(namespace, *person, scheme="safe", storage_capacity="1Gi")["mounts"] for person in predicted
    }
    assert mounted == {person: [name] for person, name in predicted.items()}
    assert set(cluster.claims(namespace)) - set(before) == {row["would_get"] for row in move["empty"]} | {"claim-nora"}
