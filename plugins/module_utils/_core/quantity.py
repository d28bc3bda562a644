# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes quantities of storage.

The grammar is that of k8s.io/apimachinery/pkg/api/resource (quantity.go): a decimal number and a binary suffix
(Ki to Ei), a decimal one (n, u, m, none, k to E) or an exponent (e3, E-2).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Optional

from .validation import octal_error, quoted

BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

#: The API server keeps quantities below 2^63 (quantity.go, "maxAllowed").
LARGEST = 2**63 - 1
#: A smaller size is a forgotten suffix: no storage class provisions such a volume.
SMALLEST_VOLUME = 1024 * 1024

_NUMBER = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(.*)\Z", re.DOTALL)
#: Longer than any size: Python refuses to read integers of thousands of digits.
_LONGEST = 100
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]{1,3})\Z")


class QuantityError(ValueError):
    """An invalid size of a volume. The message has the reason and the way out."""


def parse_quantity(text: str) -> Fraction:
    """Return the value of a Kubernetes quantity, exactly, in its base unit (bytes, for storage).

    Raises QuantityError for what the API server does not accept as a quantity.
    """
    if len(text) > _LONGEST:
        raise QuantityError(f"{quoted(text)} is too long for a quantity: write a size such as 10Gi")
    match = _NUMBER.match(text)
    if not match:
        raise QuantityError(f"{text!r} is not a quantity{_suggestion(text)}")
    sign, number, suffix = match.groups()
    exponent = _EXPONENT.match(suffix)
    if suffix in BINARY:
        factor = Fraction(1024) ** BINARY[suffix]
    elif suffix in DECIMAL:
        factor = Fraction(10) ** DECIMAL[suffix]
    elif exponent:
        factor = Fraction(10) ** int(exponent.group(1))
    else:
        raise QuantityError(f"{text!r} has a unit that Kubernetes does not know{_suggestion(text)}")
    value = Fraction(number.rstrip(".") if not number.startswith(".") else "0" + number) * factor
    return -value if sign == "-" else value


def parse_size(text: str) -> int:
    """Return a volume's size in bytes.

    Raises QuantityError, also for sizes that are negative, zero, not a whole number of bytes, too large for the API, or
    below 1Mi (a forgotten unit).
    """
    value = parse_quantity(text)
    if octal_error(text):
        raise QuantityError(f"{text!r} {octal_error(text)}")
    if value <= 0:
        raise QuantityError(f"{text!r} is not above zero: write a size such as 10Gi")
    if value < SMALLEST_VOLUME:
        number = _NUMBER.match(text)
        plain = number.group(2) if number else "10"
        raise QuantityError(f"{text!r} is less than 1Mi: the unit is missing or wrong, write {plain}Gi or {plain}Mi")
    if value.denominator != 1:
        raise QuantityError(f"{text!r} is not a whole number of bytes: write it with a smaller unit")
    if value > LARGEST:
        raise QuantityError(f"{text!r} is larger than Kubernetes can express (8Ei)")
    return int(value)


@lru_cache(maxsize=1024)  # thousands of objects have few different sizes, and exact arithmetic is slow
def size_or_none(text: Optional[str]) -> Optional[int]:
    """Return the size of an object in bytes, None if it has none (a claim that is not bound) or an invalid one."""
    if not text:
        return None
    try:
        value = parse_quantity(text)
    except QuantityError:
        return None
    return int(value) if value.denominator == 1 else int(value) + 1


def format_size(size: int) -> str:
    """Return bytes as the shortest exact quantity: 10Gi, 1536Mi, 1000000."""
    for suffix in reversed(list(BINARY)):
        if size and size % (1024 ** BINARY[suffix]) == 0:
            return f"{size // 1024 ** BINARY[suffix]}{suffix}"
    return str(size)


def _suggestion(text: str) -> str:
    """Return what was probably meant, for usual misspellings of units."""
    match = re.match(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*\Z", text)
    if not match:
        return ": write a size such as 10Gi"
    number, unit = match.groups()
    letter = unit[:1].upper()
    if letter in ("K", "M", "G", "T", "P", "E"):
        return f": write {number}{letter}i (1024s) or {number}{letter if letter != 'K' else 'k'} (1000s)"
    return f": write it with a unit, such as {number}Gi"
