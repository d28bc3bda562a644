"""What others write into the ACL and onto claims neither raises a level nor keeps an operator's run from being published."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl, document_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.granted_claims import ObservedClaims
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import (
    DIGEST_ANNOTATION,
    KIND_LABEL,
    PART,
    ObservedAcl,
    config_map_from,
    observed_acl_from,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.publish import (
    PublishSettings,
    plan_publication,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import (
    INDEX_KEY,
    INDEX_NAME,
    PART_KEY,
    canonical,
    digest_of,
    is_hub_database,
    reserved_claim,
    shares_name,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.kubernetes.acl_inputs import AclInputs, Groups
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_acl import Planner, compiled_document

from tests.support.acl_worlds import NAMESPACE, share

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
EARLIER = NOW - timedelta(hours=5)
LAB = share("lab", read=["ann", "ben"])
DATA = share("data", read=["ann"])
#: What `share_pvc` returns if somebody else made a claim with the name of a share.
REJECTED = [{"msg": "claim data exists, and nothing marks it as a share", "failed_items": []}]


class NoProfiles:
    """An API server without profiles."""

    def get(self, *_where):
        return None


def stored(manifest, created=EARLIER):
    metadata = {"uid": "1", "resourceVersion": "1", "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return config_map_from({**manifest, "metadata": {**manifest["metadata"], **metadata}})


def published(*shares):
    """The ConfigMaps of a publication by name."""
    document = document_of(compile_acl(shares, {}, NAMESPACE))
    publication = plan_publication(ObservedAcl(), document, PublishSettings(NAMESPACE, "odh.persistency", EARLIER))
    changes = [*publication.parts, publication.index]
    return {change.name: stored(change.operations[-1].body) for change in changes}


def forged_part(*shares):
    """A part that somebody else wrote, by name."""
    text = canonical(compile_acl(shares, {}, NAMESPACE).shares)
    name = shares_name(digest_of(text))
    return {name: stored({"metadata": {"name": name, "labels": {KIND_LABEL: PART}}, "data": {PART_KEY: text}}, NOW)}


def forged_index(genuine, *shares, with_parts=True):
    """The ConfigMaps after somebody wrote another index into the genuine one, without the mark of a publication."""
    forged = published(*shares)
    index = genuine[INDEX_NAME]
    text = forged[INDEX_NAME].text(INDEX_KEY)
    annotations = {**index.annotations, DIGEST_ANNOTATION: digest_of(text)}
    kept = genuine if with_parts else {}
    return {**kept, **forged, INDEX_NAME: replace(index, data={INDEX_KEY: text}, annotations=annotations)}


def claim(name, level="private", **annotations):
    marks = {"odh.persistency/share": name, "odh.persistency/level": level, **annotations}
    labels = {"odh.persistency/kind": "share", "odh.persistency/share": name}
    return claim_from({"metadata": {"name": name, "labels": labels, "annotations": marks}, "spec": {}})


def planned(shares, config_maps, claims=None, results=()):
    params = {
        "namespace": NAMESPACE,
        "state": "present",
        "allow_empty": False,
        "max_withdrawals": 50,
        "declassify": [],
        "allow_source_change": [],
        "volumes_results": list(results),
    }
    inputs = AclInputs(NoProfiles(), params, shares, Groups({}))
    found = {one.claim: claim(one.claim, one.level) for one in shares}
    inputs._claims = ObservedClaims({**found, **(claims or {})})
    planner = Planner(NoProfiles(), params, inputs, compiled_document(params, inputs))
    plan = planner(observed_acl_from(config_maps.values()), PublishSettings(NAMESPACE, "odh.persistency", NOW))
    return [rejection.sentence for rejection in plan.rejections], planner.acl


def test_a_part_that_somebody_wrote_raises_no_level():
    secret = [forged_part(replace(one, level="secret")) for one in (LAB, DATA)]
    genuine = published(LAB)
    without_index = {name: found for name, found in genuine.items() if name != INDEX_NAME}
    for config_maps in (secret[0], {**without_index, **secret[0]}):
        rejections, acl = planned([LAB], config_maps, {"lab": None})
        assert (rejections, [*acl.by_name]) == ([], ["lab"])
    rejections, acl = planned([LAB, DATA], {**genuine, **secret[1]}, {"data": None})
    assert (rejections, [*acl.by_name]) == ([], ["data", "lab"])


def test_a_part_that_a_run_published_keeps_its_level_when_the_index_is_lost():
    genuine = published(replace(LAB, level="secret"))
    del genuine[INDEX_NAME]
    rejections, _acl = planned([LAB], genuine, {"lab": None})
    assert "declassify: [lab]" in rejections[0]


def test_what_is_left_out_because_of_its_claim_does_not_make_the_inventory_empty():
    home = {"data": claim("data", **{"hub.jupyter.org/username": "bob"})}
    both = published(LAB, DATA)
    for shares in ([DATA], [replace(LAB, state="retired"), DATA]):
        rejections, acl = planned(shares, both, home)
        assert (rejections, acl.by_name) == ([], {})
    assert "allow_empty" in planned([replace(LAB, state="retired")], both)[0][0]


def test_what_somebody_added_to_the_index_is_withdrawn_while_a_claim_is_rejected():
    added = forged_index(published(LAB), LAB, share("zzz", write=["eve"]))
    rejections, acl = planned([LAB, DATA], added, results=REJECTED)
    assert (rejections, [*acl.by_name]) == ([], ["lab"])


@pytest.mark.parametrize("with_parts", [True, False])
def test_a_claim_that_somebody_exchanged_in_the_index_holds_nothing_back(with_parts):
    moved = forged_index(published(LAB), replace(LAB, claim="other", write=DATA.read), with_parts=with_parts)
    rejections, acl = planned([replace(LAB, read=DATA.read)], moved, results=REJECTED)
    assert rejections == []
    assert "other" not in {one["claim"] for one in acl.by_name.values()}


@pytest.mark.parametrize("name", ["hub-db-dir", "jupyterhub-db", "prod-hub-db-dir", "a-b-hub-db-dir"])
def test_the_claim_of_a_hubs_database_is_reserved(name):
    assert is_hub_database(name)
    assert reserved_claim(name) == "the database of a hub by its name"


@pytest.mark.parametrize("name", ["hub-db-dir-2", "xhub-db-dir", "-hub-db-dir", "my-jupyterhub-db", "data"])
def test_other_claims_are_not(name):
    assert not is_hub_database(name)
