"""Places in every spelling: one place is always equal to itself, and never to another one."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import VolumeSource
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.places import relation_of
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.server_names import server_name
from hypothesis import given
from hypothesis import strategies as st

NAMES = [
    "nas",
    "nas2",
    "nas.example.org",
    "näs.example.org",
    "nas.bücher.example",
    "склад.example",
    "倉庫.example",
    "xn--x.example",
]
SEGMENTS = ["a", "b", "ab", "A", "a b", "...", "ä"]
NAT64 = int(ipaddress.IPv6Address("64:ff9b::"))
MAPPED = int(ipaddress.IPv6Address("::ffff:0:0"))


class Folder(NamedTuple):
    """A folder of a server (an address as a number, or a name), or of the node if there is no server."""

    server: tuple[str, Any] | None
    parts: tuple[str, ...]

    def relation_to(self, other: Folder) -> str | None:
        if self.server != other.server:
            return None
        if self.parts == other.parts:
            return "is"
        if self.parts[: len(other.parts)] == other.parts:
            return "lies inside"
        return "contains" if other.parts[: len(self.parts)] == self.parts else None


def is_plain_v6(number: int) -> bool:
    return number >> 32 not in (NAT64 >> 32, MAPPED >> 32)


# Few values, so that equal and nested ones are drawn often, and values at the limits.
V4 = st.sampled_from([0, 1, 0x0A000001, 0x0A000100, 0x7F000001, 0xFFFFFFFF]) | st.integers(0, 2**32 - 1)
V6 = (st.sampled_from([1, 0xFD00 << 112 | 1, 0xFE80 << 112 | 1]) | st.integers(0, 2**128 - 1)).filter(is_plain_v6)
SERVERS = st.none() | st.one_of(
    st.tuples(st.just("v4"), V4), st.tuples(st.just("v6"), V6), st.tuples(st.just("name"), st.sampled_from(NAMES))
)
FOLDERS = st.builds(Folder, SERVERS, st.lists(st.sampled_from(SEGMENTS), max_size=3).map(tuple))
Draw = Callable[[Any], Any]


def cased(draw: Draw, text: str) -> str:
    upper = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    return "".join(
        letter.upper() if up and letter.upper().lower() == letter else letter for letter, up in zip(text, upper)
    )


def v4_spelling(draw: Draw, number: int) -> str:
    first, rest = number >> 24, number & 0xFFFFFF
    dotted = str(ipaddress.IPv4Address(number))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    return draw(
        st.sampled_from(
            [
                dotted,
                f"{first}.{rest}",
                f"{first}.{rest >> 16}.{rest & 0xFFFF}",
                str(number),
                hex(number),
                ".".join(f"0{int(part):o}" for part in dotted.split(".")),
                ".".join(hex(int(part)) for part in dotted.split(".")),
                *(f"{prefix}{end}" for prefix in ("::ffff:", "64:ff9b::") for end in (dotted, f"{high}:{low}")),
                f"[0:0:0:0:0:FFFF:{dotted}]",
                f"0064:ff9b:0:0:0:0:{high}:{low}",
                f"--ffff-{high}-{low}.ipv6-literal.net",
            ]
        )
    )


def v6_spelling(draw: Draw, number: int) -> str:
    address = ipaddress.IPv6Address(number)
    plain = draw(st.sampled_from([address.compressed, address.exploded, f"{address.compressed}%eth0"]))
    windows = f"{address.compressed.replace(':', '-')}{draw(st.sampled_from(['', 's4']))}.ipv6-literal.net"
    return draw(st.sampled_from([plain, f"[{plain}]", windows]))


def server_spelling(draw: Draw, server: tuple[str, Any]) -> str:
    kind, value = server
    if kind == "name":
        labels = [
            draw(st.sampled_from([label, label if label.isascii() else label.encode("idna").decode()]))
            for label in value.split(".")
        ]
        dot = draw(st.sampled_from([".", "。"])) if any(not label.isascii() for label in labels) else "."
        text = dot.join(labels)
    else:
        text = (v4_spelling if kind == "v4" else v6_spelling)(draw, value)
    end = "" if text.endswith("]") else draw(st.sampled_from(["", ".", ".."]))
    return cased(draw, text) + end


def path_spelling(draw: Draw, parts: tuple[str, ...]) -> str:
    between = st.sampled_from(["/", "//", "/./", "/x/../", "/./x//..///"])
    return (
        "".join(draw(between) + part for part in parts) + draw(st.sampled_from(["", "/", "/.", "//", "/y/.."])) or "/"
    )


@st.composite
def sources(draw: Draw, folder: Folder) -> VolumeSource:
    """A volume on this folder, in one of its spellings."""
    path = path_spelling(draw, folder.parts)
    if folder.server is None:
        return VolumeSource(draw(st.sampled_from(["hostPath", "local"])), {"path": path})
    server = server_spelling(draw, folder.server)
    if draw(st.booleans()):
        return VolumeSource("nfs", {"server": server, "path": path})
    cut = draw(st.integers(0, len(folder.parts)))
    attributes = {
        draw(st.sampled_from(["server", "Server"])): server,
        "share": path_spelling(draw, folder.parts[:cut]),
        draw(st.sampled_from(["subDir", "subdir"])): path_spelling(draw, folder.parts[cut:]),
    }
    handle = draw(st.uuids().map(str))
    return VolumeSource("csi", {"driver": "nfs.csi.k8s.io", "volumeHandle": handle, "volumeAttributes": attributes})


@given(st.data(), FOLDERS)
def test_all_spellings_of_a_place_are_equal(data: st.DataObject, folder: Folder) -> None:
    one, other = data.draw(sources(folder)), data.draw(sources(folder))
    assert relation_of(one, other) == "is"


@given(st.data(), FOLDERS, FOLDERS)
def test_places_compare_as_their_folders_do(data: st.DataObject, here: Folder, there: Folder) -> None:
    one, other = data.draw(sources(here)), data.draw(sources(there))
    assert relation_of(one, other) == here.relation_to(there)
    back = {"lies inside": "contains", "contains": "lies inside"}
    relation = here.relation_to(there)
    assert relation_of(other, one) == back.get(relation or "", relation)


@given(st.data(), SERVERS.filter(bool), SERVERS.filter(bool))
def test_names_of_servers_are_equal_only_for_one_server(data: st.DataObject, here: Any, there: Any) -> None:
    names = [server_name(server_spelling(data.draw, server)) for server in (here, there)]
    assert (names[0] == names[1]) == (here == there)


@given(st.text())
def test_every_text_is_a_name_of_a_server_and_has_one_form(text: str) -> None:
    assert server_name(server_name(text)) == server_name(text)


@pytest.mark.parametrize(
    "name", ["256.1.1.1", "10.0.0.0.1", "0x1ffffffff", "1.2.3.256", "x.ipv6-literal.net", "08.1.1.1"]
)
def test_what_is_no_address_stays_a_name(name: str) -> None:
    assert server_name(name.upper()) == name
