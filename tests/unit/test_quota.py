"""Quotas: the sum of a plan against what is left."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.quota import (
    claim_demands,
    quota_from,
    quota_warnings,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import Template
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Plan

from tests.support.planning import claim, plan_for

SAFE = Template.parse("safe")


def quota(**hard):
    keys = {key.replace("__", "/").replace("_", "."): value for key, value in hard.items()}
    used = dict.fromkeys(keys, "1Gi") if "requests.storage" in keys else {}
    return quota_from({"metadata": {"name": "q"}, "status": {"hard": keys, "used": used}})


def warnings(plan: Plan, found, default="standard"):
    claims = {"claim-zed": claim("claim-zed", "zed")}
    demands = claim_demands(plan.pending, lambda _namespace, name: claims.get(name), lambda: default)
    return quota_warnings([demand for _namespace, demand in demands], [found])


@pytest.mark.parametrize(
    ("hard", "fits"),
    [
        ({"requests_storage": "4Gi"}, True),
        ({"requests_storage": "3Gi"}, False),
        ({"persistentvolumeclaims": "3"}, True),
        ({"persistentvolumeclaims": "2"}, False),
        ({"count__persistentvolumeclaims": "2"}, False),
        ({"standard_storageclass_storage_k8s_io__requests_storage": "2Gi"}, False),
        ({"other_storageclass_storage_k8s_io__requests_storage": "0"}, True),
        ({"requests_cpu": "0"}, True),
    ],
)
def test_three_new_homes(hard, fits):
    plan = plan_for(["ann", "ben", "cat"], [], SAFE)
    found = warnings(plan, quota(**hard))
    assert (found == []) is fits, found
    if not fits:
        assert "ResourceQuota q has" in found[0]


def test_a_class_that_is_named_counts_for_itself():
    plan = plan_for([{"name": "ann", "storage_class": "other"}], [], SAFE)
    assert warnings(plan, quota(other_storageclass_storage_k8s_io__persistentvolumeclaims="0"))
    assert not warnings(plan, quota(standard_storageclass_storage_k8s_io__persistentvolumeclaims="0"))


def test_keeps_ask_for_nothing():
    plan = plan_for(["zed"], [claim("claim-zed", "zed")], SAFE)
    assert not warnings(plan, quota(requests_storage="0", persistentvolumeclaims="0"))
