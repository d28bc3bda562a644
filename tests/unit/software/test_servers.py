"""What servers get of a software tree: its claim, its mount path and Lmod's environment."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.software_tree import software_setting

TREE = {
    "prefix": "/opt/apps",
    "claim": "software",
    "lmod_cmd": "/usr/share/lmod/lmod/libexec/lmod",
    "system_name": None,
}
#: As the facts list it; each is there for a measured reason.
LMOD = {
    "LMOD_CMD": "/usr/share/lmod/lmod/libexec/lmod",
    "MODULEPATH": "/opt/apps/current/modules/all",
    "LMOD_RC": "/opt/apps/current/.lmod/lmodrc.lua",
    "LMOD_CACHED_LOADS": "yes",
    "LMOD_SHORT_TIME": "86400",
    "LMOD_PIN_VERSIONS": "yes",
}


def test_the_tree_is_mounted_at_its_prefix_with_the_environment_of_lmod():
    expected = {"claim": "software", "mount_path": "/opt/apps", "environment": LMOD}
    assert software_setting(TREE, None) == expected


def test_hubs_that_share_homes_have_their_own_collections():
    environment = software_setting({**TREE, "system_name": "gpu"}, None)["environment"]
    assert environment == {**LMOD, "LMOD_SYSTEM_NAME": "gpu"}


@pytest.mark.parametrize(
    "tree", [None, {}, {"prefix": None, "claim": "software", "lmod_cmd": "x", "system_name": None}]
)
def test_without_a_prefix_there_is_no_software(tree):
    assert software_setting(tree, None) is None


def test_what_the_inventory_sets_for_a_hub_counts_more():
    given = {"claim": "old", "mount_path": None, "environment": {"LMOD_CMD": "/opt/lmod", "OWN": "1"}}
    setting = software_setting(TREE, given)
    assert setting["claim"] == "old"
    assert setting["mount_path"] == "/opt/apps"
    assert setting["environment"] == {**LMOD, "LMOD_CMD": "/opt/lmod", "OWN": "1"}


@pytest.mark.parametrize("given", [{}, {"claim": None, "mount_path": None, "environment": None}])
def test_an_empty_mapping_means_that_servers_of_this_hub_mount_none(given):
    assert software_setting(TREE, given) is None


def test_software_without_a_tree_is_as_the_inventory_says():
    given = {"claim": "software", "mount_path": None, "environment": {"A": "1"}}
    assert software_setting(None, given) == {"claim": "software", "environment": {"A": "1"}}


def test_an_environment_that_is_no_mapping_is_left_to_validation():
    assert software_setting(None, {"claim": "software", "environment": "A=1"}) == {
        "claim": "software",
        "environment": "A=1",
    }
