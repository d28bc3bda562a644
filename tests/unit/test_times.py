"""Times and spans."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.times import (
    format_span,
    format_time,
    parse_span,
    parse_time,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(timezone.utc)))
def test_what_is_written_is_read(moment):
    assert parse_time(format_time(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=timezone.utc)),
        ("2026-11-23T10:00:00.123456789Z", datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=timezone.utc)),
        ("2026-11-23t12:00:00+02:00", datetime(2026, 11, 23, 10, tzinfo=timezone.utc)),
        ("2026-11-23", None),
        ("2026-13-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_rfc_3339(text, moment):
    assert parse_time(text) == moment


@given(st.text(max_size=30))
def test_no_text_breaks_it(text):
    parse_time(text)


def test_spans():
    assert parse_span("30d") == timedelta(days=30)
    assert parse_span("0s") == timedelta(0)
    assert parse_span("2w") == timedelta(days=14)
    assert format_span(timedelta(days=30)) == "30d"
    assert format_span(timedelta(minutes=90)) == "1h"
    for wrong in ("30", "-1d", "1.5d", "d", "", "1 d", "9999999d"):
        with pytest.raises(ValueError, match="such as 30d"):
            parse_span(wrong)
