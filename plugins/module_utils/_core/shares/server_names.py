# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names and addresses of servers, in the form in which they are compared."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache

_NUMBER = re.compile(r"(0x[0-9a-f]{1,8}|0[0-7]{0,12}|[1-9][0-9]{0,9})\Z")
#: Windows writes fd00::1 as fd00--1.ipv6-literal.net, and a zone after an `s`, because UNC paths have no colons.
_IPV6_LITERAL = re.compile(r"([0-9a-f-]+)(?:s[^.]*)?\.ipv6-literal\.net\Z")
#: Addresses of IPv4 in IPv6, by the prefix of NAT64 (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@lru_cache(maxsize=256)  # every share is compared by its server, and there are few servers
def server_name(server: str) -> str:
    """Return a server's name as DNS compares it, or the canonical form of its address."""
    bare = _ascii(server.strip()).rstrip(".")
    bare = bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare
    literal = _IPV6_LITERAL.match(bare)
    try:
        address = ipaddress.ip_address(literal[1].replace("-", ":") if literal else bare.partition("%")[0])
    except ValueError:
        return _short_address(bare) or bare
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        return str(address.ipv4_mapped or address)
    return str(address)


def _ascii(name: str) -> str:
    """Return a name in lower case, each part with other letters than those of ASCII in the form of DNS: `xn--...`."""
    if name.isascii():
        return name.lower()
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower()).replace("\u3002", ".")
    return ".".join(
        part if part.isascii() else "xn--" + part.encode("punycode").decode("ascii") for part in text.split(".")
    )


def _short_address(text: str) -> str:
    """Return the IPv4 address that the C library reads in a text such as 10.1, 0x0a000001 or 010.0.0.1; "" when it is none."""
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER.match(part) for part in parts):
        return ""
    numbers = [int(part, 16 if part.startswith("0x") else 8 if part.startswith("0") else 10) for part in parts]
    *firsts, last = numbers
    if any(number > 255 for number in firsts) or last >= 256 ** (4 - len(firsts)):
        return ""
    number = last + sum(value << 8 * (3 - place) for place, value in enumerate(firsts))
    return str(ipaddress.IPv4Address(number))
