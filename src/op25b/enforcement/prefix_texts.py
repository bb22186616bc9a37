"""Prefixes as texts, `192.0.2.1/32` and `2001:db8::/56`, to and from the rows of live sets; a million in a second."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import repeat
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

import numpy as np

from op25b.enforcement.members import OCTETS, Members, Rows, bounds, lengths
from op25b.policy.intervals import Version
from op25b.ruleset.live import SetKind

_FAMILY = {4: AF_INET, 6: AF_INET6}


def members(prefixes: Iterable[str], destination: bool = False) -> Members:
    """The members that these prefixes are, in their order. ValueError names one that is no prefix."""
    found = dict[tuple[Version, str], list[str]]()
    for prefix in prefixes:
        address, _, length = prefix.partition("/")
        found.setdefault((6 if ":" in address else 4, length), []).append(address)
    parts = dict[SetKind, list[Rows]]()
    for (version, text), addresses in found.items():
        kind, rows = _rows(version, text, addresses, destination)
        parts.setdefault(kind, []).append(rows)
    return {kind: np.concatenate(rows) for kind, rows in parts.items()}


def _rows(version: Version, text: str, addresses: list[str], destination: bool) -> tuple[SetKind, Rows]:
    """Of one family and length."""
    width = OCTETS[version]
    length = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= length <= 8 * width:
        raise ValueError(f"{addresses[0]}/{text} is no prefix")
    try:
        packed = b"".join(map(partial(inet_pton, _FAMILY[version]), addresses))
    except OSError:
        raise ValueError(f"{_first_bad(version, addresses)}/{text} is no prefix") from None
    rows = np.frombuffer(packed, np.uint8).reshape(-1, width)
    kind = SetKind.of(version, length, destination)
    if kind.length is None:
        rows = np.hstack([rows, np.full((len(rows), 1), length, np.uint8)])
    try:
        bounds(kind, rows)
    except ValueError as error:
        raise ValueError(f"among the prefixes of length {length}: {error}") from None
    return kind, rows


def _first_bad(version: Version, addresses: list[str]) -> str:
    for address in addresses:
        try:
            inet_pton(_FAMILY[version], address)
        except OSError:
            return address
    raise AssertionError("all of them are addresses")


def texts(kind: SetKind, rows: Rows) -> list[str]:
    """The rows in writing, in their order."""
    width = OCTETS[kind.version]
    packed = rows[:, :width].tobytes()
    addresses = map(
        inet_ntop, repeat(_FAMILY[kind.version]), (packed[at : at + width] for at in range(0, len(packed), width))
    )
    return [f"{address}/{length}" for address, length in zip(addresses, lengths(kind, rows), strict=True)]
