"""An access list that is too large because of Groups of OpenShift is published without what their editors changed."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access import compile as compiling
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._io.kubernetes.acl_inputs import AclInputs, Groups
from ansible_collections.odh.persistency.plugins.module_utils._io.module import PlanRejected
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_acl import compiled_document

from tests.support.acl_worlds import NAMESPACE, share

PARAMS = {"namespace": NAMESPACE, "state": "present", "declassify": [], "volumes_results": []}
SHARES = [share("lab", read=["@openshift:huge", "@openshift:small", "@staff"])]
# A part of people is too large however they are divided.
HUGE = ["x" * 4000, "eve"]


def inputs_of(**groups):
    return AclInputs(None, PARAMS, SHARES, Groups({name.replace("_", ":"): users for name, users in groups.items()}))


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    monkeypatch.setattr(compiling, "MOST_TEXT", 3000)


def test_only_the_largest_group_of_openshift_is_left_as_it_was():
    inputs = inputs_of(openshift_huge=HUGE, openshift_small=["ann"], staff=["ben", "b" * 500])
    assert compiled_document(PARAMS, inputs) is not None
    (group, error), *others = inputs.groups.errors.items()
    assert (group, others) == ("openshift:huge", [])
    assert error.startswith("openshift:huge cannot be read: with its 2 members, the memberships of 5 people do not fit")
    published = compile_acl(SHARES, {"openshift:huge": ["dan"]}, NAMESPACE)
    assert {*inputs.compile(published).people} == {"ann", "ben", "b" * 500, "dan"}
    assert "openshift:huge" in inputs.compile(published).people["dan"]["groups"]


def test_what_is_too_large_without_groups_of_openshift_is_rejected():
    inputs = inputs_of(openshift_small=["ann"], staff=HUGE)
    with pytest.raises(PlanRejected, match="do not fit into objects of"):
        compiled_document(PARAMS, inputs)
