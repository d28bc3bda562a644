"""The update of one claim: the action, reasons, diff parts and API requests that follow from its differences."""

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.module_utils._core import requests
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claim_update import ClaimUpdate
from ansible_collections.odh.persistency.plugins.module_utils._core.metadata import RETIRED_ANNOTATION
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import ADOPT, KEEP, UPDATE

from tests.support.planning import claim

RETIRED_AT = "2026-01-01T00:00:00Z"


def update(**more):
    return ClaimUpdate("ns", claim("c", "ann", uid="u", resourceVersion="7", **more))


def bodies(changed):
    return [request.body for request in changed.operations()]


def test_without_differences_the_claim_is_kept():
    changed = update(labels={"team": "x"})
    changed.unretire()
    changed.set_given({"team": "x"}, {})
    changed.set_metadata({}, {})
    changed.add_requests([], ["nothing"])
    assert (changed.action, changed.reason, changed.operations()) == (KEEP, "is up to date", ())
    assert (changed.before, changed.after) == ([], [])


def test_labels_and_annotations_are_one_patch_bound_to_the_resource_version():
    changed = update(labels={"team": "x", "same": "1"})
    changed.set_given({"team": "y", "same": "1", "new": "2"}, {"note": "n"})
    assert changed.action == UPDATE
    assert changed.reason == "its label team becomes y; its label new becomes 2; its annotation note becomes n"
    assert changed.before == ["label team=x"]
    assert changed.after == ["label team=y", "label new=2", "annotation note=n"]
    assert bodies(changed) == [
        {"metadata": {"labels": {"team": "y", "new": "2"}, "annotations": {"note": "n"}, "resourceVersion": "7"}}
    ]
    assert {(item.verb, item.resource, item.namespace, item.name) for item in changed.operations()} == {
        ("patch", requests.CLAIMS, "ns", "c")
    }


def test_an_expansion_alone_is_bound_to_the_resource_version_and_after_a_patch_to_the_uid():
    alone = update()
    alone.expand(2 * 2**30, "2Gi")
    size = {"resources": {"requests": {"storage": "2Gi"}}}
    assert alone.action == UPDATE
    assert alone.reason == "it is expanded from 1Gi to 2Gi"
    assert alone.size == 2 * 2**30
    assert bodies(alone) == [{"spec": size, "metadata": {"resourceVersion": "7"}}]
    both = update(annotations={RETIRED_ANNOTATION: RETIRED_AT})
    both.unretire()
    both.expand(2 * 2**30, "2Gi")
    assert bodies(both) == [
        {"metadata": {"annotations": {RETIRED_ANNOTATION: None}, "resourceVersion": "7"}},
        {"spec": size, "metadata": {"uid": "u"}},
    ]
    assert both.reason == "it is no longer retired; it is expanded from 1Gi to 2Gi"
    assert both.before == [f"retired since {RETIRED_AT}"]


def test_an_adoption_outranks_every_update():
    changed = update(annotations={RETIRED_ANNOTATION: RETIRED_AT})
    changed.unretire()
    changed.adopt("it lacked our labels", "not labelled")
    changed.set_metadata({"ours": "1"})
    changed.set_given({"team": "y"}, {})
    assert changed.action == ADOPT
    assert len(changed.operations()) == 1


def test_requests_on_other_objects_are_sent_first():
    volume = requests.retain_volume("pv", "u")
    changed = update()
    changed.mark("primary", "it is the one to mount", "primary")
    changed.add_requests([volume], ["its volume is set to Retain"])
    assert changed.action == UPDATE
    assert changed.operations()[0] is volume
    assert bodies(changed)[1] == {"metadata": {"annotations": {"primary": "true"}, "resourceVersion": "7"}}
    assert changed.after == ["primary", "its volume is set to Retain"]
    adopting = update()
    adopting.add_requests([volume], ["its volume is adopted"], adopts=True)
    assert adopting.action == ADOPT
