"""Quantities, compared with the parser of the Kubernetes client."""

from __future__ import annotations

from fractions import Fraction

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.quantity import (
    BINARY,
    DECIMAL,
    QuantityError,
    format_size,
    parse_quantity,
    parse_size,
    size_or_none,
)
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity as client_parse

SUFFIXES = [*BINARY, *DECIMAL]


@given(st.decimals(min_value=0, max_value=10**6, places=3), st.sampled_from(SUFFIXES))
def test_agrees_with_the_client(number, suffix):
    text = f"{number}{suffix}"
    assert parse_quantity(text) == Fraction(client_parse(text))


@given(st.integers(min_value=0, max_value=2**62))
def test_what_is_written_is_read(size):
    assert parse_quantity(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10Gi", 10 * 2**30),
        ("1.5Gi", 3 * 2**29),
        ("1e9", 10**9),
        ("5E9", 5 * 10**9),
        ("2E", 2 * 10**18),
        (".5Gi", 2**29),
    ],
)
def test_sizes(text, value):
    assert parse_size(text) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10GB", "write 10Gi (1024s) or 10G (1000s)"),
        ("10gi", "write 10Gi (1024s) or 10G (1000s)"),
        ("10 Gi", "write 10Gi"),
        ("-1Gi", "not above zero"),
        ("0", "not above zero"),
        ("1.5.Gi", "write a size such as 10Gi"),
        ("", "write a size such as 10Gi"),
        ("ten", "write a size such as 10Gi"),
        ("10", "write 10Gi or 10Mi"),
        ("10m", "write 10Gi or 10Mi"),
        ("10K", "write 10Ki (1024s) or 10k (1000s)"),
        ("9Ei", "larger than Kubernetes can express"),
        ("1.00000001Mi", "not a whole number of bytes"),
        ("٣Gi", "write a size such as 10Gi"),
        ("10Gi\n", "write 10Gi"),
    ],
)
def test_invalid_sizes_are_rejected_with_a_way_out(text, says):
    with pytest.raises(QuantityError) as refused:
        parse_size(text)
    assert says in str(refused.value)
    assert repr(text) in str(refused.value)


@given(st.text(max_size=12))
def test_no_text_breaks_it(text):
    read = size_or_none(text)
    try:
        size = parse_size(text)
    except QuantityError:
        return
    assert size == read
