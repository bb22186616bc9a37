"""What a provider's day leaves in the store and in the spool: a bot, a home server, requests, mail that waits."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from op25b.policy.watching import SenderKind
from op25b.store import Store, edges
from op25b.store.audit import By
from op25b.store.edges import Report
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from op25b.submission.spool.reader import Reader
from op25b.submission.spool.writer import Spool
from op25b.submission.trace import Trace
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.known_blocks import KnownBlocks
from op25b.subscribers.leases import Claim, Leases, Release
from op25b.watch import cases
from op25b.watch.cases import Seen
from tests.support.staff import hasher

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TARO, SHOP = "taro@netlaputa.example", "shop@netlaputa.example"
HERS = "198.18.0.7"
"""Taro's address, on a covered line."""
ROOT = "root"


def fill(store: Store, spool: Path, now: datetime) -> None:
    """Taro's machine is infected, the shop has a mail server at home; both send through the provider as well."""
    _leases(store, now)
    _accounts(store, now)
    _cases(store, now)
    _edges(store, now)
    _mail(spool, now)


def _leases(store: Store, now: datetime) -> None:
    leases = Leases(store, None)

    def claim(session: str, name: str, prefix: str, since: datetime, at: datetime) -> Claim:
        return Claim("nas1.netlaputa.example", session, name, (prefix,), at, since)

    leases.merge(
        [
            claim("1", TARO, "198.18.8.20/32", now - 9 * DAY, now - 8 * DAY),
            Release(
                "nas1.netlaputa.example", "1", TARO, ("198.18.8.20/32",), now - 7 * DAY, now - 9 * DAY
            ),
            claim("2", TARO, f"{HERS}/32", now - 2 * DAY, now - HOUR),
            claim("3", TARO, "2001:db8:1000:1200::/56", now - 2 * DAY, now - HOUR),
            claim("4", SHOP, "198.18.8.99/32", now - 30 * DAY, now - HOUR),
        ],
        now,
    )  # fmt: skip


def _accounts(store: Store, now: datetime) -> None:
    secret, by = hasher().make("what the customer chose"), By(ROOT, now - 30 * DAY, "new contract")
    accounts = Accounts(store)
    accounts.add([New(TARO, secret, frozenset({TARO}), {"messages_per_hour": 20})], by)
    accounts.add([New(SHOP, secret, frozenset({SHOP, "@shop.example"}))], by)
    accounts.suspend(SHOP, By(ROOT, now - DAY, "sent to addresses that do not exist"))
    KnownBlocks(store).remember(TARO, "203.0.113.9/32", now - HOUR)


def _cases(store: Store, now: datetime) -> None:
    target = {"address": "192.0.2.99", "attempts": 6000, "tries": 3, "first": _iso(now - DAY), "last": _iso(now)}
    criterion = {"rule": "bot: fast", "criterion": "targets in one hour", "value": 400, "relation": ">="}
    evidence: dict[str, Any] = {
        "about": "TCP to port 25 only: headers and counts.", "rule": "bot: fast", "figures": {"attempts": 9000},
        "criteria": [{**criterion, "threshold": 100, "met": True}], "targets": [target], "lease": None,
    }  # fmt: skip
    with store.write() as connection:
        for who, prefix, kind, attempts, targets in (
            (TARO, f"{HERS}/32", SenderKind.BOT, 9000, 412),
            (SHOP, "198.18.8.99/32", SenderKind.HOME_SERVER, 48, 9),
            (None, "2001:db8:1000:77::/64", SenderKind.UNKNOWN, 3, 1),
        ):
            seen = Seen(kind, now - DAY, now - HOUR, attempts, targets, evidence, {})
            cases.opened(connection, who, prefix, seen, By("op25b", now - HOUR, f"{attempts} attempts"))


def _edges(store: Store, now: datetime) -> None:
    counters = {"flets": 48210, "submission": 902113, "own-server": 33102}
    well = Report(12, _iso(now - DAY), _iso(now - DAY), None, counters, 3, (), True, 0)
    ill = Report(11, _iso(now - 9 * DAY), _iso(now - 9 * DAY), None, counters, 3, ("chain main: other rules",), True, 0)
    with store.write() as connection:
        edges.put(connection, "edge1.netlaputa.example", well, now - timedelta(seconds=20))
        edges.put(connection, "edge2.netlaputa.example", ill, now - timedelta(seconds=25))
        for hour in range(36):
            edges.refused(connection, "edge1.netlaputa.example", 900 + 173 * (hour * 7 % 11), now - hour * HOUR)


def _mail(folder: Path, now: datetime) -> None:
    async def fill() -> None:
        spool = Spool.open(folder, "worker", clock=lambda: now)
        for number, to in enumerate(("bob@example.com", "carol@example.org")):
            origin = Origin("203.0.113.9", "ESMTPSA", "pc", TARO, "TLSv1.3")
            arrived = now - HOUR + timedelta(minutes=number)
            async with spool.begin(Envelope(TARO, (Recipient(to),), arrived, origin)) as entry:
                entry.write(b"Subject: secret\r\n\r\nthe content\r\n")
                await entry.commit()
        await spool.close()

    with ThreadPoolExecutor(1) as thread:  # a browser may have a loop in this one
        thread.submit(asyncio.run, fill()).result()
    Trace(folder, 90).write(Reader.open(folder, exclusive=False).scan().new)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
