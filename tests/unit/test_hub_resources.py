"""What the doctor reads of a cluster."""

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.observed import Place
from ansible_collections.odh.persistency.plugins.module_utils._io.kubernetes.hub_resources import HubResources


def volume(name, namespace="", labels=None, annotations=None):
    metadata = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
    claim = {"claimRef": {"namespace": namespace, "name": "claim"}} if namespace else {}
    return {"metadata": metadata, "spec": {"nfs": {"server": "nfs", "path": "/"}, **claim}}


class Volumes:
    """An API server with more volumes than a page has."""

    def __init__(self, *items):
        self.items = items

    def list_first(self, _resource, _convert):
        return None

    def list_all(self, _resource, _namespace, convert, label_selector=""):
        key, _equals, value = label_selector.partition("=")
        labels = (item["metadata"]["labels"] for item in self.items)
        pairs = zip(self.items, labels)
        return [convert(item) for item, own in pairs if not key or own.get(key) == value]

    def get(self, _resource, _namespace, name):
        return next((item for item in self.items if item["metadata"]["name"] == name), None)


def test_volumes_of_homes_are_read_however_many_volumes_there_are():
    api = Volumes(
        volume("share", "other", {"odh.persistency/kind": "share"}, {"odh.persistency/share": "data"}),
        volume("home", "servers"),
        volume("named"),
        volume("unrelated", "other"),
        volume("unbound"),
    )
    found = HubResources(api, Place("hub", "servers", "hub")).volumes(["named", "missing"])
    assert [one.name for one in found] == ["share", "home", "named"]
