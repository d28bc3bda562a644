"""The audit log of the testbed is read from any offset, also from the middle of a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbed.audit import read


def line(number: int) -> bytes:
    event = {
        "auditID": f"id-{number}",
        "requestURI": f"/api/v1/namespaces/n{number}",
        "verb": "get",
        "user": {"username": "ann"},
        "userAgent": "test",
        "objectRef": {"resource": "namespaces", "name": f"n{number}"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"2026-11-29T00:00:0{number}.000000Z",
        "stageTimestamp": f"2026-11-29T00:00:0{number}.100000Z",
    }
    return json.dumps(event).encode() + b"\n"


@pytest.mark.parametrize(
    ("offset", "names"),
    [
        (0, ["n1", "n2", "n3"]),
        (1, ["n2", "n3"]),
        (len(line(1)) - 1, ["n2", "n3"]),
        (len(line(1)), ["n2", "n3"]),
        (len(line(1)) + 7, ["n3"]),
    ],
)
def test_a_line_that_was_begun_before_the_offset_is_left_out(tmp_path: Path, offset: int, names: list[str]) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(line(1) + line(2) + line(3) + b'{"auditID": "half')
    assert [request.name for request in read(path, offset)] == names
