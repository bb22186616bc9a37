"""Who relays on 25: every way in, and every way that must not be one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from op25b.policy.intervals import Address
from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.submission.driver.rights import (
    NO_RELAY,
    NO_RELAY_POP,
    NOT_YOURS,
    Client,
    Relaying,
    Source,
    author_refusal,
    sender_refusal,
)
from op25b.subscribers.accounts import Account
from op25b.subscribers.passwords import Secret
from tests.support.service import POLICY

AT = datetime(2026, 4, 1, tzinfo=UTC)
INSIDE, OUTSIDE = ip_address("127.0.0.2"), ip_address("203.0.113.5")
TARO = Account("taro", Secret("", None), frozenset({"taro@a.example", "@taro.example"}), {}, None, 1, AT, AT)


def _relaying(pop: str = "refused", ports: str = "[25, 587]", known: Address = OUTSIDE) -> Relaying:
    text = POLICY.replace("[25, 587, 465]", ports) + f'[submission]\npop_before_smtp = "{pop}"\npop_minutes = 7\n'
    policy = load(text).policy
    assert isinstance(policy, Policy)

    def recent_pop(address: Address, at: datetime, within: timedelta) -> list[str]:
        assert (at, within) == (AT, timedelta(minutes=7))
        return ["taro"] if address == known else []

    return Relaying(policy, policy.own_servers[0], ["A.example"], recent_pop, [ip_network("203.0.113.128/25")])


@pytest.mark.parametrize(
    ("setting", "address", "expected"),
    [
        ({}, INSIDE, Source.NETWORK),
        ({}, ip_address("2001:db8::1"), Source.NETWORK),
        ({}, OUTSIDE, Source.STRANGER),
        ({"ports": "[587]"}, INSIDE, Source.STRANGER),
    ],
)
def test_who_a_client_is(setting: dict[str, Any], address: Address, expected: Source) -> None:
    relaying = _relaying(**setting)
    client = relaying.client(address)
    assert client == Client(expected)
    refusal = relaying.refusal(client, "x@elsewhere.example")
    assert (refusal is not None) == (expected is Source.STRANGER)


@pytest.mark.parametrize(
    ("setting", "address", "known"),
    [
        ({"pop": "required"}, OUTSIDE, True),
        ({"pop": "accepted"}, OUTSIDE, True),
        ({"pop": "refused"}, OUTSIDE, False),
        ({"pop": "required"}, ip_address("203.0.113.6"), False),
        ({"pop": "required", "known": INSIDE, "ports": "[587]"}, INSIDE, True),
        # who may relay anyhow is bound to nobody's senders
        ({"pop": "required", "known": INSIDE}, INSIDE, False),
        # the webmail: an own server, and one in `not_from`
        ({"pop": "required", "known": ip_address("127.0.0.1")}, ip_address("127.0.0.1"), False),
        ({"pop": "required", "known": ip_address("203.0.113.200")}, ip_address("203.0.113.200"), False),
    ],
)
def test_whom_pop_makes_known(setting: dict[str, Any], address: Address, known: bool) -> None:
    assert bool(_relaying(**setting).by_pop(address, AT)) == known


def test_by_pop_one_relays_as_oneself_only() -> None:
    relaying = _relaying("required")
    for client, refusal in ((Client(Source.POP, TARO), None), (Client(Source.OTHER), NOT_YOURS)):
        assert relaying.refusal(client, "x@elsewhere.example") is refusal
        assert relaying.refusal(client, "x@a.example") is None


@pytest.mark.parametrize("to", ["x@a.example", "x@A.EXAMPLE", "postmaster", "Postmaster", "postmaster@a.example"])
def test_strangers_reach_the_local_domains(to: str) -> None:
    relaying = _relaying()
    assert relaying.refusal(relaying.client(OUTSIDE), to) is None


@pytest.mark.parametrize(
    ("to", "expected"),
    [("x@a.example", True), ("postmaster", False), ("PostMaster@a.example", False), ("postmaster2@a.example", True)],
)
def test_what_strangers_write_to_must_exist(to: str, expected: bool) -> None:
    relaying = _relaying()
    assert relaying.must_exist(relaying.client(OUTSIDE), to) is expected
    assert relaying.must_exist(relaying.client(INSIDE), to) is False


@pytest.mark.parametrize("to", ["x@b.example", "x@sub.a.example", "x@a.example.b.example", "x", "x@", '"@a.example"@b'])
def test_and_nothing_else(to: str) -> None:
    for pop, expected in (("refused", NO_RELAY), ("required", NO_RELAY_POP)):
        relaying = _relaying(pop)
        assert relaying.refusal(relaying.client(OUTSIDE), to) is expected


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("taro@a.example", True),
        ("TARO@A.example", True),
        ("anything@taro.example", True),
        ("hanako@a.example", False),
        ("taro@a.example.evil.example", False),
        ("taro", False),
        ("", True),
    ],
)
def test_a_sender_belongs_to_the_account(address: str, good: bool) -> None:
    assert (sender_refusal(TARO, address) is None) == good
    if address:
        assert (author_refusal(TARO, ("taro@a.example", address)) is None) == good


def test_a_message_from_nobody_is_not_the_account_s() -> None:
    assert author_refusal(TARO, ()) is not None
