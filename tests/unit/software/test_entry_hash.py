"""The content hash of an entry: any input changes it, the order of keys does not, and EasyBuild's own version does not."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software.easybuild_session import hashed_options
from ansible_collections.odh.persistency.plugins.module_utils._software.entry_hash import (
    RECORDED,
    easyconfig_digest,
    entry_hash,
    store_path,
)
from hypothesis import given
from hypothesis import strategies as st

INPUTS: dict[str, Any] = {
    "easyconfig": "a" * 64,
    "patches": {"one.patch": "b" * 64, "two.patch": "c" * 64},
    "toolchain": "GCCcore/13.2.0",
    "dependencies": {"zlib/1.3": "d" * 64, "bzip2/1.0.8": "e" * 64},
    "build_dependencies": {"binutils/2.40": "f" * 64},
    "architecture": "x86_64",
    "os": "debian-12",
    "options": {"optarch": "GENERIC"},
    "easybuild": "5.4.1",
    "easyblock": "0" * 64,
}
TEXT = st.text(max_size=8)
DIGESTS = st.dictionaries(TEXT, TEXT, max_size=3)
GENERATED = st.fixed_dictionaries({key: DIGESTS if isinstance(value, dict) else TEXT for key, value in INPUTS.items()})
#: What an easyconfig can set.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
EASYCONFIGS = st.dictionaries(TEXT, VALUES, max_size=5)


def shuffled(value: Any, order: random.Random) -> Any:
    """Return an equal value whose dictionaries were filled in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, order)) for key, item in value.items()]
        order.shuffle(items)
        return dict(items)
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    return [path]


@given(GENERATED, st.randoms(use_true_random=False))
def test_the_order_of_inputs_is_no_difference(inputs: dict[str, Any], order: random.Random) -> None:
    assert entry_hash(shuffled(inputs, order)) == entry_hash(inputs)


@given(GENERATED, GENERATED)
def test_different_inputs_have_different_hashes(one: dict[str, Any], other: dict[str, Any]) -> None:
    hashed = [{key: value for key, value in inputs.items() if key not in RECORDED} for inputs in (one, other)]
    assert (entry_hash(one) == entry_hash(other)) == (hashed[0] == hashed[1])


@pytest.mark.parametrize("path", [path for path in leaves(INPUTS) if path[0] not in RECORDED], ids="-".join)
def test_each_input_changes_the_hash(path: tuple[str, ...]) -> None:
    changed, removed = copy.deepcopy(INPUTS), copy.deepcopy(INPUTS)
    for inputs in (changed, removed):
        place = inputs
        for key in path[:-1]:
            place = place[key]
        if inputs is changed:
            place[path[-1]] += "x"
        else:
            del place[path[-1]]
    assert len({entry_hash(INPUTS), entry_hash(changed), entry_hash(removed)}) == 3


def test_a_file_that_moves_from_one_input_to_another_changes_the_hash() -> None:
    moved = {**INPUTS, "dependencies": INPUTS["build_dependencies"], "build_dependencies": INPUTS["dependencies"]}
    assert entry_hash(moved) != entry_hash(INPUTS)


@given(TEXT, TEXT)
def test_a_newer_easybuild_or_easyblock_rebuilds_nothing(easybuild: str, easyblock: str) -> None:
    assert entry_hash({**INPUTS, "easybuild": easybuild, "easyblock": easyblock}) == entry_hash(INPUTS)


def test_the_hash_stays_what_it_is() -> None:
    """A change of this value rebuilds every stack in the world."""
    assert entry_hash(INPUTS) == "eeb58fb9ed432e83d68064026693782404151156d3bcfc44d9ad32657769c590"
    assert store_path("bzip2", "1.0.8", entry_hash(INPUTS)) == "bzip2/1.0.8-" + entry_hash(INPUTS)[:12]


@given(EASYCONFIGS, st.randoms(use_true_random=False))
def test_the_order_of_parameters_is_no_difference(parameters: dict[str, Any], order: random.Random) -> None:
    assert easyconfig_digest(shuffled(parameters, order)) == easyconfig_digest(parameters)


@given(EASYCONFIGS, EASYCONFIGS)
def test_different_parameters_have_different_digests(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (easyconfig_digest(one) == easyconfig_digest(other)) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}),
        ({"a": ["xy"]}, {"a": ["x", "y"]}),
        ({"a": "1"}, {"a": 1}),
        ({"a": True}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": [["b", "c"]]}, {"a": {"b": "c"}}),
        ({"a": []}, {"a": {}}),
    ],
)
def test_values_that_look_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert easyconfig_digest(one) != easyconfig_digest(other)


def test_a_list_and_a_tuple_are_the_same_to_easybuild() -> None:
    assert easyconfig_digest({"a": [("b", 1)]}) == easyconfig_digest({"a": [["b", 1]]})


@pytest.mark.parametrize(
    "options",
    [
        {"enforce-checksums": True},
        {"disable-enforce-checksums": True},
        {"logtostdout": True},
        {"output-style": "basic"},
        {"silence-deprecation-warnings": "x"},
        {"experimental": True},
        {"set_gid_bit": True},
        {"disable-trace": True},
    ],
    ids=str,
)
def test_options_that_change_no_result_change_no_hash(options: dict[str, Any]) -> None:
    assert hashed_options({}, options) == {"optarch": "GENERIC"}


@pytest.mark.parametrize(
    "alike",
    [
        [{"rpath": None}, {"rpath": True}],
        [{"rpath": False}, {"disable-rpath": True}, {"disable-rpath": None}],
        [{"cuda-compute-capabilities": ["8.0", "9.0"]}, {"cuda_compute_capabilities": "8.0,9.0"}],
        [{"optarch": "GENERIC"}, {}],
    ],
    ids=str,
)
def test_options_that_give_the_same_argument_give_the_same_hash(alike: list[dict[str, Any]]) -> None:
    assert len({json.dumps(hashed_options({}, options), sort_keys=True) for options in alike}) == 1


def test_options_that_change_a_result_change_the_hash() -> None:
    some: list[dict[str, Any]] = [
        {},
        {"rpath": True},
        {"rpath": False},
        {"optarch": "x"},
        {"a": ["x", "y"]},
        {"a": ["y", "x"]},
    ]
    assert len({json.dumps(hashed_options({}, options), sort_keys=True) for options in some}) == len(some)
