"""Where the servers of classic Open Data Hub run: NOTEBOOK_NAMESPACE of the Deployment or DeploymentConfig of the hub."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.next_step import rollout
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.notebook_namespace import (
    Workload,
    contradiction,
    notebook_namespace,
    workload_of,
)

CONFIG_MAPS = {"settings": {"NOTEBOOK_NAMESPACE": "from-map", "BOOK_NAMESPACE": "prefixed"}, "empty": {}}


def named(**variable):
    return {"name": "NOTEBOOK_NAMESPACE", **variable}


def workload(*containers):
    return Workload("Deployment", "jupyterhub", {"containers": list(containers)})


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([{}], None),
        ([{"env": [named(value="books")]}, {"env": [{"name": "OTHER", "value": "x"}]}], "books"),
        ([{"env": [named(value="")]}], None),
        ([{"env": [named()]}], None),
        ([{"env": [named(value="first"), named(value="last")]}], "last"),
        (
            [{"env": [named(valueFrom={"configMapKeyRef": {"name": "settings", "key": "NOTEBOOK_NAMESPACE"}})]}],
            "from-map",
        ),
        ([{"env": [named(valueFrom={"configMapKeyRef": {"name": "gone", "key": "x"}})]}], None),
        ([{"env": [named(valueFrom={"fieldRef": {"fieldPath": "metadata.namespace"}})]}], "hub-namespace"),
        ([{"envFrom": [{"configMapRef": {"name": "settings"}}, {"configMapRef": {"name": "empty"}}]}], "from-map"),
        ([{"envFrom": [{"prefix": "NOTE", "configMapRef": {"name": "settings"}}]}], "prefixed"),
        ([{"envFrom": [{"configMapRef": {"name": "settings"}}], "env": [named(value="books")]}], "books"),
    ],
)
def test_the_variable_is_read_as_the_kubelet_sets_it(containers, expected):
    assert notebook_namespace(workload(*containers), "hub-namespace", CONFIG_MAPS.get) == expected


@pytest.mark.parametrize(
    ("variable", "error"),
    [
        (named(value="$(OTHER)-books"), "is '$(OTHER)-books', which depends on other variables"),
        (named(valueFrom={"secretKeyRef": {"name": "s", "key": "k"}}), "comes from a source that is not read"),
        (named(value="Books!"), "is 'Books!', not the name of a namespace"),
    ],
)
def test_a_value_that_cannot_be_known_asks_for_the_variable_of_the_role(variable, error):
    with pytest.raises(ValueError, match="NOTEBOOK_NAMESPACE of Deployment jupyterhub") as raised:
        notebook_namespace(workload({"env": [variable]}), "hub-namespace", CONFIG_MAPS.get)
    assert str(raised.value) == (
        f"NOTEBOOK_NAMESPACE of Deployment jupyterhub {error}: set `hub_servers_namespace` to the namespace of the servers"
    )


def test_the_workload_of_the_hub_runs_as_its_service_account():
    def item(name, **spec):
        return {"metadata": {"name": name}, "spec": {"template": {"spec": spec}}}

    items = [item("db", serviceAccountName="db"), item("z", serviceAccount="hub"), item("y", serviceAccountName="hub")]
    found = workload_of("DeploymentConfig", [*items, {"metadata": {"name": "none"}}], "hub")
    assert (found.kind, found.name) == ("DeploymentConfig", "y")
    assert workload_of("Deployment", items, "other") is None
    assert rollout(found, "odh") == "oc rollout latest dc/y --namespace odh"
    assert rollout(found._replace(kind="Deployment"), "odh") == "oc rollout restart deployment/y --namespace odh"
    assert rollout(None, "odh") == "oc rollout latest dc/jupyterhub --namespace odh"


def test_a_contradiction_names_both_and_the_way_out():
    found = workload()
    assert contradiction(found, "books", "books", "") == ""
    assert contradiction(found, "books", None, "c.KubeSpawner.namespace = 'books'") == ""
    assert contradiction(found, "books", "notes", "") == (
        "`hub_servers_namespace` is books, but NOTEBOOK_NAMESPACE of Deployment jupyterhub is notes: set both to the same "
        "namespace, or remove `hub_servers_namespace`"
    )
    assert contradiction(found, "books", None, "").endswith(
        "set NOTEBOOK_NAMESPACE there, or remove `hub_servers_namespace`"
    )
