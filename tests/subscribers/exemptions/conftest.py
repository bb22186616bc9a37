"""Exemptions put into the store as rows, and as the desk makes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from op25b.policy.model import Policy
from op25b.store import Store
from op25b.store.tables import cases, exemptions, quarantine

START = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)

POLICY = {
    "provider": {
        "name": "toy", "display": {"ja": "例", "en": "Toy"}, "time_zone": "Asia/Tokyo",
        "brands": [{"name": "toy", "display": {"ja": "例", "en": "Toy"}, "domains": ["Toy.example"]}],
    },
    "pools": [
        {"name": "dynamic", "assignment": "dynamic", "prefixes": ["198.18.0.0/24", "2001:db8:0::/48"]},
        {
            "name": "static", "assignment": "static", "contract": "corporate",
            "prefixes": ["198.18.1.0/24", "198.18.2.0/23", "2001:db8:1::/48"],
        },
    ],
}  # fmt: skip


def policy(terms: dict[str, Any]) -> Policy:
    """A policy with these terms."""
    fee = {"ja": "1000円", "en": "1,000 yen"}
    return Policy.model_validate(POLICY | {"exemption_terms": {"offered": True, "fee": fee, **terms}})


Put = Callable[..., int]


@pytest.fixture
def put(store: Store) -> Put:
    """Puts a granted exemption into the store, from START for ten days unless told otherwise; gives its id."""

    def row(**values: Any) -> int:
        given = {
            "kind": "subscriber", "subscriber": "taro", "state": "granted", "reason": "own server",
            "granted_at": START, "from_at": START, "review_at": START + 8 * DAY, "until_at": START + 10 * DAY,
            "fee_accepted": True, "findings": [], "approvals": [], "requested_by": "desk",
            "requested_at": START, "changed_at": START, "version": 1, **values,
        }  # fmt: skip
        with store.write() as connection:
            made = connection.execute(insert(exemptions).values(given)).inserted_primary_key
        assert made is not None
        return int(made[0])

    return row


@pytest.fixture
def confine(store: Store) -> Callable[[str], None]:
    """Puts a subscriber into quarantine."""

    def now(subscriber: str) -> None:
        case = {
            "subscriber": subscriber, "prefix": "192.0.2.1/32", "kind": "bot", "state": "open", "first_at": START,
            "last_at": START, "attempts": 1, "targets": 1, "evidence": {}, "pattern": {}, "opened_at": START,
        }  # fmt: skip
        with store.write() as connection:
            made = connection.execute(insert(cases).values(case)).inserted_primary_key
            assert made is not None
            connection.execute(insert(quarantine).values(subscriber=subscriber, case=made[0], since=START))

    return now
