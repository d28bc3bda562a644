"""No withdrawal of access waits for what others made: claims, quotas, homes, directories. The run fails afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.acl import read
from tests.support.cluster import Cluster
from tests.support.homes import make_home
from tests.support.modules import Modules
from tests.support.playbooks import Playbooks
from tests.support.shares import KIND, SHARE, make_claim, nfs, share

pytestmark = pytest.mark.usefixtures("share_volumes")

SITE = "odh.persistency.site"
USER = "hub.jupyter.org/username"
DYNAMIC = {"type": "storage_class", "storage_class": "standard"}


class Role:
    """Runs the modules of the role shares in its order, as it does, without the cost of a playbook."""

    def __init__(self, modules: Modules, namespace: str) -> None:
        self.modules = modules
        self.namespace = namespace

    def run(self, variables: dict[str, Any], check: bool = False) -> tuple[str, bool]:
        """Return why the run failed, "" if it did not, and whether the access list was written."""
        given = {"shares": variables["shares_list"], "absent": variables.get("shares_absent", [])}
        namespaces = {"namespaces": [self.namespace]}
        first = self.modules.run("share_preflight", {**given, **namespaces, "namespace": self.namespace}, check=check)
        if first.failed:
            return str(first.msg), False
        results, why = first.volumes_results, first.rejection
        if not why:
            made = self.modules.run("share_pvc", {**given, **namespaces, "only_states": ["present"]}, check=check)
            registered = {key: made.output.get(key) for key in ("msg", "failed_items") if key in made.output}
            results, why = [registered], made.output.get("msg", "")
        options = {**given, "namespace": self.namespace, "volumes_results": results}
        return str(why), bool(self.modules.ok("share_acl", options, check=check).changed)


@pytest.fixture
def role(modules: Modules, namespace: str) -> Role:
    return Role(modules, namespace)


def hub(namespace: str, *people: str, **variables: Any) -> dict[str, Any]:
    """A hub with the share lab of these people, and the dynamic share data."""
    lab = share("lab", nfs(f"/{namespace}/lab"), level="private", read={"users": list(people)})
    shares = [lab, share("data", DYNAMIC), *variables.pop("more", ())]
    return {"shares_namespace": namespace, "shares_list": shares, **variables}


def modes(cluster: Cluster, namespace: str) -> dict[str, str | None]:
    return {person: read(cluster, namespace, person).mode("lab") for person in ("ann", "ben")}


def metadata(cluster: Cluster, namespace: str, **body: Any) -> None:
    cluster.patch("persistentvolumeclaims", "data", {"metadata": body}, namespace)


def becomes_a_home(cluster: Cluster, namespace: str) -> str:
    metadata(cluster, namespace, annotations={USER: "bob"})
    return "is the home of bob"


def becomes_another_share(cluster: Cluster, namespace: str) -> str:
    metadata(cluster, namespace, labels={SHARE: "x"}, annotations={SHARE: "x"})
    return "belongs to the share x"


def is_being_deleted(cluster: Cluster, namespace: str) -> str:
    metadata(cluster, namespace, finalizers=["example.org/keep", "kubernetes.io/pvc-protection"])
    cluster.delete("persistentvolumeclaims", "data", namespace)
    return "claim data"


def gets_a_second_claim(cluster: Cluster, namespace: str) -> str:
    marks = {"labels": {KIND: "share", SHARE: "data"}, "annotations": {SHARE: "data"}}
    make_claim(cluster, namespace, "forged", storageClassName="standard", **marks)
    return "the share already has the claim forged"


def gets_an_unmarked_claim(cluster: Cluster, namespace: str) -> str:
    make_claim(cluster, namespace, "new", storageClassName="standard")
    return "claim new exists and nothing marks it"


@pytest.mark.parametrize(
    "meddle",
    [becomes_a_home, becomes_another_share, is_being_deleted, gets_a_second_claim, gets_an_unmarked_claim],
    ids=lambda function: str(function.__name__),
)
def test_a_rejected_claim_delays_no_withdrawal(cluster: Cluster, namespace: str, role: Role, meddle: Any) -> None:
    assert role.run(hub(namespace, "ann", "ben")) == ("", True)
    why = meddle(cluster, namespace)
    leaves = meddle in (becomes_a_home, becomes_another_share, is_being_deleted)
    more = [share("new", DYNAMIC)]
    if not leaves:
        # Without a withdrawal, nothing is changed.
        text, written = role.run(hub(namespace, "ann", "ben", "cat", more=more))
        assert why in text
        assert "Nothing was changed" in text
        assert not written
    before = set(cluster.claims(namespace))
    for check in (True, False):
        assert modes(cluster, namespace) == {"ann": "ro", "ben": "ro"}
        text, written = role.run(hub(namespace, "ben", more=more), check)
        assert why in text
        assert "Only the access list was written, because it withdraws access" in text
        assert written
    assert modes(cluster, namespace) == {"ann": None, "ben": "ro"}
    assert set(read(cluster, namespace, "ben").shares) == ({"lab"} if leaves else {"lab", "data"})
    assert set(cluster.claims(namespace)) == before
    # The next run has nothing more to withdraw, and says the same.
    text, written = role.run(hub(namespace, "ben", more=more))
    assert "Nothing was changed" in text
    assert not written
    metadata(cluster, namespace, finalizers=None)


def test_a_quota_that_is_used_up_delays_no_withdrawal(cluster: Cluster, namespace: str, role: Role) -> None:
    role.run(hub(namespace, "ann", "ben"))
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"persistentvolumeclaims": "2"}}}
    cluster.create("resourcequotas", quota, namespace)
    less = hub(namespace, "ben", more=[share("new", DYNAMIC)])
    text, written = role.run(less)
    assert "quota" in text
    assert written
    assert modes(cluster, namespace) == {"ann": None, "ben": "ro"}
    assert "new" not in read(cluster, namespace, "ben").shares
    cluster.delete("resourcequotas", "full", namespace)
    assert role.run(less) == ("", True)
    assert "new" in read(cluster, namespace, "ben").shares


def test_a_share_that_is_renamed_by_mistake_is_taken_from_nobody(cluster: Cluster, namespace: str, role: Role) -> None:
    role.run(hub(namespace, "ann", "ben"))
    renamed = hub(namespace, "ben")
    renamed["shares_list"][0]["name"] = "labs"
    text, written = role.run(renamed)
    assert "that of the share lab" in text
    assert "Nothing was changed" in text
    assert not written
    # The same with another existing claim.
    for name in ("one", "two"):
        make_claim(cluster, namespace, name, storageClassName="standard")
    found = [share("found", {"type": "existing_claim", "claim": "one"})]
    role.run(hub(namespace, "ann", "ben", more=found))
    found = [share("found", {"type": "existing_claim", "claim": "two"})]
    text, written = role.run(hub(namespace, "ben", more=found))
    assert "already has the claim one" in text
    assert not written
    assert modes(cluster, namespace) == {"ann": "ro", "ben": "ro"}


def test_the_role_withdraws_and_then_fails(cluster: Cluster, namespace: str, role: Role, playbooks: Playbooks) -> None:
    """A home with the marks of a share that is to be deleted, and an entry of a user that names the home of another one."""
    role.run(hub(namespace, "ann", "ben"))
    becomes_a_home(cluster, namespace)
    less = hub(namespace, "ben", shares_absent=["data"])
    less["shares_list"].pop()
    make_home(cluster, namespace, "claim-eve", "mallory")
    homes = {"homes_namespace": namespace, "homes_users": [{"name": "eve", "claim": "claim-eve"}], "homes_size": "1Gi"}
    text = playbooks.run(SITE, {**less, **homes}).output
    assert "claim claim-eve belongs to mallory" in text
    assert "claim data is the home of bob and not a share" in text
    assert modes(cluster, namespace) == {"ann": None, "ben": "ro"}
    assert {"data", "claim-eve"} <= set(cluster.claims(namespace))
    cluster.delete("persistentvolumeclaims", "data", namespace)
    text = playbooks.refused(SITE, {**hub(namespace, "ann"), **homes})
    assert "claim claim-eve belongs to mallory" in text
    assert modes(cluster, namespace) == {"ann": "ro", "ben": None}
