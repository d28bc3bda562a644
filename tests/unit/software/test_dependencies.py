"""What installations need: all of it, and nothing else, also where builds need each other."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software.dependencies import with_dependencies
from hypothesis import given
from hypothesis import strategies as st

HASHES = st.sampled_from("abcdefgh")
STORES = st.dictionaries(HASHES, st.dictionaries(st.sampled_from(["m/1", "n/1", "o/1"]), HASHES))


def store_of(needs):
    return [{"hash": digest, "dependencies": dependencies} for digest, dependencies in needs.items()]


def test_indirect_needs_and_what_the_store_lacks():
    store = store_of({"app": {"lib/1": "lib", "gone/1": "gone"}, "lib": {"base/1": "base"}, "base": {}, "other": {}})
    assert [entry["hash"] for entry in with_dependencies(["app", "missing"], store)] == ["app", "lib", "base"]
    assert with_dependencies([], store) == []


@pytest.mark.property
@given(STORES, st.sets(HASHES))
def test_the_smallest_set_with_all_needs(needs, start):
    found = {entry["hash"] for entry in with_dependencies(start, store_of(needs))}
    expected, step = set(), start & needs.keys()
    while step:
        expected |= step
        step = {digest for one in step for digest in needs[one].values() if digest in needs} - expected
    assert found == expected
