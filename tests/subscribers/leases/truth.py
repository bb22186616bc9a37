"""What reports mean, one after the other in the order in which things happened: too slow to be used, plain to read."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from op25b.subscribers.leases import Claim, Fact, Release, Restart

Key = tuple[str, str, str]


class Truth:
    """Who holds each prefix, after some reports. What a session claims at one instant in several reports adds up."""

    def __init__(self, expire: timedelta) -> None:
        self._expire = expire
        self._began: dict[Key, datetime] = {}
        self._last: dict[Key, datetime] = {}
        self._alive: set[Key] = set()
        self._has: dict[Key, set[str]] = defaultdict(set)
        self._claimant: dict[str, Key] = {}

    def hear(self, fact: Fact) -> None:
        if isinstance(fact, Restart):
            self._alive -= {key for key in self._alive if key[0] == fact.source and self._began[key] < fact.at}
            return
        key = (fact.source, fact.session, fact.subscriber)
        if isinstance(fact, Release):
            self._alive.discard(key)
            return
        self._began.setdefault(key, fact.started)
        adds_up = self._last.get(key) == fact.at
        self._last[key] = fact.at
        self._alive.add(key)
        for family in (".", ":"):
            if not adds_up and any(family in prefix for prefix in fact.prefixes):
                self._has[key] = {prefix for prefix in self._has[key] if family not in prefix}
        self._has[key].update(fact.prefixes)
        for prefix in fact.prefixes:
            self._claimant[prefix] = key

    def holders(self, now: datetime) -> dict[str, str]:
        """Subscriber by prefix; who was not heard of for too long is gone."""
        return {
            prefix: key[2]
            for prefix, key in self._claimant.items()
            if key in self._alive and prefix in self._has[key] and self._last[key] + self._expire > now
        }


def in_order(facts: list[Fact]) -> list[Fact]:
    """By time. At one instant a session's claims come before its end, and a restart before what began with it.

    The report of an end is one of the beginning, too: perhaps the only one.
    """
    began: dict[Key, datetime] = {}
    for fact in facts:
        if not isinstance(fact, Restart):
            key = (fact.source, fact.session, fact.subscriber)
            began[key] = min(fact.started, began.get(key, fact.started))

    def place(fact: Fact) -> tuple[datetime, int]:
        if isinstance(fact, Restart):
            return fact.at, 1
        if isinstance(fact, Claim):
            return fact.at, 2 if began[fact.source, fact.session, fact.subscriber] == fact.at else 0
        return fact.at, 3

    begun = [
        Claim(fact.source, fact.session, fact.subscriber, fact.prefixes, fact.started, fact.started)
        for fact in facts
        if isinstance(fact, Release)
    ]
    return sorted([*facts, *begun], key=place)
