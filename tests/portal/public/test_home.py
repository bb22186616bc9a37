"""The first page: the visitor's own line, by the policy and by the store."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from op25b.policy.table import Words
from op25b.policy.verdict import Judge
from op25b.rollout import bulletins
from op25b.store import Store
from op25b.store.audit import By
from op25b.store.tables import cases, exemptions, quarantine
from op25b.subscribers.leases import Claim, Leases
from tests.portal.public.conftest import NOW, PROVIDERS, Portal, example, serving
from tests.support.words import visible

LINE = "198.18.0.9"
HOUR = timedelta(hours=1)


def home(portal: Portal, visitor: str, language: str = "en") -> str:
    with portal.client(visitor) as client:
        answer = client.get(f"/{language}/")
        assert answer.status_code == 200
        return visible(answer.text)


def lease(store: Store, prefix: str = f"{LINE}/32", who: str = "taro") -> None:
    Leases(store, None).merge([Claim("bng", "s1", who, (prefix,), NOW - HOUR, NOW - 5 * HOUR)], NOW - HOUR)


@pytest.fixture
def exempt(store: Store) -> Callable[[str], None]:
    def put(subscriber: str) -> None:
        values = {
            "kind": "subscriber", "subscriber": subscriber, "state": "granted", "reason": "own server",
            "granted_at": NOW, "from_at": NOW - HOUR, "review_at": NOW + HOUR, "until_at": NOW + 2 * HOUR,
            "fee_accepted": True, "findings": [], "approvals": [], "requested_by": "desk", "requested_at": NOW,
            "changed_at": NOW, "version": 1,
        }  # fmt: skip
        with store.write() as connection:
            connection.execute(insert(exemptions).values(values))

    return put


def attempted(store: Store, subscriber: str | None, prefix: str, at: datetime, refused: int = 7) -> None:
    """A case as the watch writes it."""
    last = at.isoformat()
    evidence = {
        "figures": {"packets_refused": refused},
        "targets": [
            {"address": "203.0.113.1", "attempts": 5, "last": (at - HOUR).isoformat()},
            {"address": "203.0.113.2", "attempts": 2, "last": last},
        ],
    }
    values: dict[str, Any] = {
        "subscriber": subscriber, "prefix": prefix, "kind": "mail-program", "state": "open", "first_at": at - HOUR,
        "last_at": at, "attempts": 7, "targets": 2, "evidence": evidence, "pattern": {}, "opened_at": at,
    }  # fmt: skip
    with store.write() as connection:
        connection.execute(insert(cases).values(values))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_line_of_every_provider_is_told_what_the_policy_says(provider: str, store: Store) -> None:
    policy = example(provider)
    judge = Judge(policy)
    words = {"block": "The restriction affects you", "pass": "The restriction does not affect you"}
    with serving(policy, store) as portal:
        for pool in policy.pools:
            for network in pool.prefixes:
                address = network[1 if network.num_addresses > 1 else 0]
                outcome = judge.decide(judge.sources.of(address), judge.destinations.known[0], NOW)
                assert words[outcome.decision.value] in home(portal, str(address)), (pool.name, address)


def test_both_languages_say_line_region_and_address(portal: Portal) -> None:
    assert all(
        word in home(portal, LINE, "ja") for word in ("お使いの回線：Bフレッツ", "東京都", LINE, "動的IPアドレス")
    )
    assert all(word in home(portal, LINE) for word in ("Your line: B FLET'S", "Tokyo", LINE, "dynamic IP address"))


def test_since_when(store: Store) -> None:
    with serving(example("infonia"), store) as portal:
        line = str(portal.policy.pools[0].prefixes[0][1])
        assert "Since 1 April 2008" in home(portal, line)
        portal_at(portal, datetime(2008, 3, 31, 23, 59, tzinfo=NOW.tzinfo))
        assert "does not affect you yet" in home(portal, line)


def portal_at(portal: Portal, at: datetime) -> None:
    portal.now = at


def test_an_exemption_that_ends_says_when_and_what_to_do_then(
    portal: Portal, store: Store, exempt: Callable[[str], None]
) -> None:
    exempt("taro")
    lease(store)
    text = home(portal, LINE)
    assert "An exemption from the restriction holds here until 1 December 2010, 12:30 (JST). After that" in text
    assert "Settings of your mail program, step by step" in text


def test_an_exemption_of_who_holds_the_address_and_quarantine(
    portal: Portal, store: Store, exempt: Callable[[str], None]
) -> None:
    exempt("taro")
    assert "The restriction affects you" in home(portal, LINE)
    lease(store)
    assert "An exemption" in home(portal, LINE) or "does not affect you" in home(portal, LINE)
    attempted(store, "taro", f"{LINE}/32", NOW)
    with store.write() as connection:
        connection.execute(insert(quarantine).values(subscriber="taro", case=1, since=NOW))
    assert "The restriction affects you" in home(portal, LINE)


def test_the_last_refused_attempt_of_who_holds_the_address(portal: Portal, store: Store) -> None:
    lease(store)
    attempted(store, "taro", "198.18.3.3/32", NOW - timedelta(minutes=3))
    attempted(store, "jiro", f"{LINE}/32", NOW)  # held the address before
    text = home(portal, LINE)
    assert "Last refused attempt on port 25 3 minutes ago: 1 December 2010, 10:27 (JST), to 203.0.113.2" in text
    assert "最後に拒否されたポート25への接続 3分前：2010年12月1日" in home(portal, LINE, "ja")


def test_the_last_attempt_of_an_address_that_nobody_is_known_to_hold(portal: Portal, store: Store) -> None:
    attempted(store, None, f"{LINE}/32", NOW - 2 * HOUR, refused=0)
    assert "Last attempt on port 25 2 hours ago" in home(portal, LINE)
    assert "attempt on port 25" not in home(portal, "198.18.0.10")
    with store.write() as connection:
        connection.execute(update(cases).values(closed_at=NOW))
    assert "attempt on port 25" not in home(portal, LINE)


def test_an_ipv6_visitor(portal: Portal, store: Store) -> None:
    attempted(store, None, "2001:db8:1000:7::/64", NOW)
    text = home(portal, "2001:db8:1000:7::99")
    assert "Your line: B FLET'S" in text
    assert "Last refused attempt on port 25 less than a minute ago" in text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_honest_word_where_the_line_is_not_ours_or_not_known(portal: Portal, language: str) -> None:
    words = {
        "ja": ("いまの接続はネットラピュタの回線ではありません", "お使いの回線を確認できません"),
        "en": ("You are not on a line of Netlaputa", "We cannot see which line you are on"),
    }[language]
    assert words[0] in home(portal, "203.0.113.80", language)
    assert "203.0.113.80" in home(portal, "203.0.113.80", language)
    assert words[1] in home(portal, "unknown", language)


def test_a_stranger_cannot_say_to_be_somebody_else(portal: Portal) -> None:
    assert "203.0.113.80" in home(portal, f"{LINE}, 203.0.113.80")


def test_bulletins(portal: Portal, store: Store) -> None:
    desk = By("hanako", NOW, "")
    with store.write() as connection:
        for kind, text, start, end in (
            (bulletins.Kind.MAINTENANCE, "new <disks>", NOW + HOUR, NOW + 2 * HOUR),
            (bulletins.Kind.OUTAGE, "no mail", NOW - HOUR, None),
        ):
            bulletins.add(connection, bulletins.Draft(kind, Words(ja=f"和文 {text}", en=text), start, end), desk)
    for path in ("", "contact", "trouble"):
        with portal.client(LINE) as client:
            shown = visible(client.get(f"/en/{path}").text)
        assert portal.logged == []
        assert "Outage Since 1 December 2010, 9:30 (JST) no mail" in shown, path
        assert "Maintenance 1 December 2010, 11:30 to 12:30 (JST) new <disks>" in shown
    assert "和文 no mail" in home(portal, LINE, "ja")
    portal.now = NOW + 3 * HOUR
    assert "Maintenance" not in home(portal, LINE)


def test_a_step_tells_of_an_outage_once(portal: Portal, store: Store) -> None:
    with store.write() as connection:
        draft = bulletins.Draft(bulletins.Kind.OUTAGE, Words(ja="障害です", en="no mail"), NOW - HOUR, None)
        bulletins.add(connection, draft, By("hanako", NOW, ""))
    with portal.client(LINE) as client:
        page = client.get("/en/trouble/steps?symptom=neither&uses=webmail").text
    assert visible(page).count("no mail") == 1


def test_without_the_store_the_pages_say_so_and_those_for_everybody_stay(portal: Portal, store: Store) -> None:
    with store.write() as connection:
        connection.exec_driver_sql("DROP TABLE bulletins")
    with portal.client(LINE) as client:
        answer = client.get("/en/")
        assert (answer.status_code, "not available at the moment" in answer.text) == (503, True)
        assert client.get("/en/about").status_code == 200
    assert [each["event"] for each in portal.logged] == ["the store cannot be used"]
    assert not re.search(r"sqlite|bulletins", answer.text)
