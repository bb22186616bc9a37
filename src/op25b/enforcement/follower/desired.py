"""What the live sets should hold: a function of the present state of leases and exemptions alone. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple


class Prefixes(NamedTuple):
    """Prefixes as texts by what they are to a packet: its source, its destination."""

    sources: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()


def desired(
    holders: Mapping[str, str], exempt: Container[str], sources: Iterable[str], destinations: Iterable[str]
) -> Prefixes:
    """What should be there of the prefixes that were asked about.

    `holders`: who holds a prefix, by prefix; `exempt`: the subscribers who have an exemption in force; `sources` and
    `destinations`: prefixes that have one themselves. What counts as in force is the store's to say
    (`op25b.subscribers.exemptions`): the time, a quarantine.
    """
    held = (prefix for prefix, subscriber in holders.items() if subscriber in exempt)
    return Prefixes(frozenset((*held, *sources)), frozenset(destinations))
