"""The documented keys of shares, users and groups are the keys that the modules accept."""

from __future__ import annotations

import yaml
from ansible_collections.odh.persistency.plugins.doc_fragments import shares as share_fragment
from ansible_collections.odh.persistency.plugins.doc_fragments import users as user_fragment
from ansible_collections.odh.persistency.plugins.module_utils._core.homes import spec as user_spec
from ansible_collections.odh.persistency.plugins.module_utils._core.shares import backend_spec, grant_spec, groups, spec
from ansible_collections.odh.persistency.plugins.module_utils._hub import access


def documented(text, option):
    return yaml.safe_load(text)["options"][option]["suboptions"]


def test_every_key_of_a_share_is_documented_and_no_other():
    keys = documented(share_fragment.ModuleDocFragment.DOCUMENTATION, "shares")
    assert set(keys) == set(spec.KNOWN_KEYS)
    assert tuple(keys["level"]["choices"]) == access.LEVELS
    assert tuple(keys["state"]["choices"]) == spec.STATES
    assert keys["mode"]["default"] == spec.DEFAULT_MODE
    for right in ("read", "write"):
        assert tuple(keys[right]["suboptions"]) == grant_spec.KEYS


def test_every_key_of_a_backend_is_documented_and_no_other():
    keys = documented(share_fragment.ModuleDocFragment.DOCUMENTATION, "shares")["backend"]["suboptions"]
    assert set(keys) == {"type"}.union(*backend_spec.KEYS.values())
    assert tuple(keys["type"]["choices"]) == backend_spec.TYPES


def test_every_key_of_a_user_is_documented_and_no_other():
    keys = documented(user_fragment.ModuleDocFragment.DOCUMENTATION, "users")
    assert set(keys) == set(user_spec.KNOWN_KEYS)
    assert tuple(keys["state"]["choices"]) == user_spec.STATES


def test_every_key_of_a_group_is_documented_and_no_other():
    assert tuple(documented(share_fragment.ModuleDocFragment.GROUPS, "groups")) == groups.KEYS
