"""What Postfix is answered, for each kind of client and question."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from op25b.submission.config import AccountCaps, AddressCaps, Caps, Stolen
from op25b.submission.driver import metrics
from op25b.submission.driver.ledger import Ledger
from op25b.submission.driver.limits import Limits
from op25b.submission.driver.metrics import Metric
from op25b.submission.driver.rights import Client, Source
from op25b.submission.postfix import policy
from op25b.submission.postfix.policy import Decisions
from op25b.subscribers.accounts import Account
from op25b.subscribers.passwords import Secret

AT = datetime(2026, 4, 1, tzinfo=UTC)
TARO = Account("taro", Secret("", None), frozenset({"taro@a.example"}), {}, None, 1, AT, AT)
LOGGED_IN, NETWORK, STRANGER = Client(Source.NETWORK, TARO), Client(Source.NETWORK), Client(Source.STRANGER)
CAPS = Caps(
    address=AddressCaps(messages_per_hour=1),
    account=AccountCaps(messages_per_hour=3, recipients_per_hour=6, rejected_per_hour=2),
    stolen=Stolen(recipients=0, networks=2),
)
MESSAGES = "451 4.7.1 you have sent as many messages as are allowed for now; try again later"
RECIPIENTS = "452 4.5.3 you have sent to as many recipients as are allowed for now; try again later"


class World:
    """Decisions, and Postfix's side of a few of its questions."""

    def __init__(self) -> None:
        self.board = metrics.board(1)
        limits = Limits(CAPS, Ledger(1, slots=64).view(0), lambda: 7200.0)
        self.decisions = Decisions(limits, self.board.of(0), structlog.get_logger())

    def rcpt(self, client: Client | None = LOGGED_IN, instance: str = "1", **more: str) -> str:
        return self.ask(client, protocol_state="RCPT", instance=instance, recipient_count="0", **more)

    def end(self, client: Client | None = LOGGED_IN, instance: str = "1", count: int = 1, **more: str) -> str:
        asked = {"protocol_state": "END-OF-MESSAGE", "instance": instance, "recipient_count": str(count)}
        return self.ask(client, **(asked | more))

    def ask(self, client: Client | None, **asked: str) -> str:
        asked.setdefault("sender", "taro@a.example")
        asked.setdefault("client_address", "198.51.100.7")
        return self.decisions.decide(asked, client)


@pytest.fixture
def world() -> World:
    return World()


def test_whose_sender_it_is(world: World) -> None:
    assert world.rcpt() == "DUNNO"
    assert world.rcpt(sender="") == "DUNNO"
    assert world.rcpt(sender="TARO@A.example") == "DUNNO"
    refusal = "550 5.7.1 this sender address is not one of your account's"
    assert world.rcpt(sender="jiro@a.example") == refusal
    assert world.rcpt(NETWORK, sender="jiro@a.example") == "DUNNO"
    assert world.rcpt(Client(Source.POP, TARO), sender="jiro@a.example") == refusal
    assert world.board.total(Metric.SENDERS_REFUSED) == 2


def test_a_suspended_account_and_one_that_is_gone(world: World) -> None:
    suspended = Client(Source.NETWORK, replace(TARO, suspended="spam"))
    assert world.rcpt(suspended).startswith("525 5.7.13 your account is suspended")
    assert world.rcpt(None).startswith("550 5.7.1 your account does not exist any more")
    assert world.end(None).startswith("550 5.7.1 ")


@pytest.mark.parametrize("state", ["CONNECT", "EHLO", "HELO", "MAIL", "VRFY", "ETRN", ""])
def test_at_other_times_there_is_nothing_to_say(world: World, state: str) -> None:
    assert world.ask(LOGGED_IN, protocol_state=state, sender="jiro@a.example") == "DUNNO"


def test_strangers_are_not_looked_at(world: World) -> None:
    for number in range(5):
        assert world.rcpt(STRANGER, str(number)) == "DUNNO"
        assert world.end(STRANGER, str(number), 5) == "DUNNO"


@pytest.mark.parametrize(("client", "answer"), [(NETWORK, "OK"), (Client(Source.POP, TARO), "OK"), (STRANGER, "DUNNO")])
def test_who_may_relay(world: World, client: Client, answer: str) -> None:
    assert world.ask(client, protocol_state="RCPT", policy_context="relay", sender="jiro@a.example") == answer


def test_messages_are_counted_once_each(world: World) -> None:
    for number in range(3):
        assert [world.rcpt(instance=f"a{number}"), world.rcpt(instance=f"a{number}")] == ["DUNNO"] * 2
        # at DATA as well, and once more because the answer was lost
        assert world.end(instance=f"a{number}", count=2, protocol_state="DATA") == "DUNNO"
        assert world.end(instance=f"a{number}", count=2) == "DUNNO"
        assert world.end(instance=f"a{number}", count=2) == "DUNNO"
    assert world.rcpt(instance="b") == MESSAGES
    assert world.end(instance="b") == MESSAGES
    assert world.board.total(Metric.CAPS_REACHED) == 2


def test_without_an_instance_each_question_stands_alone(world: World) -> None:
    assert [world.end(instance="") for _ in range(4)] == ["DUNNO", "DUNNO", "DUNNO", MESSAGES]


def test_recipients_are_counted_before_the_message_is_there(world: World) -> None:
    assert [world.rcpt() for _ in range(7)] == ["DUNNO"] * 6 + [RECIPIENTS]
    assert world.end(count=6) == "DUNNO"
    assert world.rcpt(instance="2") == RECIPIENTS


def test_an_end_without_its_recipients_is_bounded_as_well(world: World) -> None:
    assert world.end(count=7) == RECIPIENTS
    assert world.end(count=7, instance="2") == RECIPIENTS, "it was refused, and not counted"
    assert world.end(count=6, instance="3") == "DUNNO"


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5"])
def test_a_count_that_is_none(world: World, text: str) -> None:
    assert world.end(recipient_count=text) == "DUNNO"


def test_recipients_that_postfix_refuses_count(world: World) -> None:
    for _ in range(3):
        world.rcpt()
    assert world.end(count=1) == "DUNNO"
    assert world.rcpt(instance="2") == "451 4.7.1 too many of your recipients do not exist; try again later"


def test_the_own_network_pays_by_address(world: World) -> None:
    assert [world.end(NETWORK, str(number)) for number in range(2)] == ["DUNNO", MESSAGES]
    assert world.end(NETWORK, "3", client_address="198.51.100.8") == "DUNNO"


def test_what_looks_like_a_stolen_password_is_held(world: World) -> None:
    answers = [world.end(instance=str(n), client_address=f"198.51.100.{n}") for n in range(3)]
    assert answers == ["DUNNO", "DUNNO", "HOLD looks like a stolen password: 3 networks within an hour, over 2"]
    assert world.board.total(Metric.MESSAGES_HELD) == 1


def test_old_transactions_make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "TRANSACTIONS", 2)
    settings: list[dict[str, Any]] = [{"instance": each} for each in ("1", "2", "3")]
    for setting in settings:
        assert world.end(**setting) == "DUNNO"
    assert world.end(instance="3") == "DUNNO"
    assert world.end(instance="1") == MESSAGES, "it was forgotten, and is counted anew"
