"""Delivery status notifications: who is told what, and whether a mail program can read it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from op25b.submission.relay.bounce import Action, Report, wanted
from op25b.submission.relay.outcome import Outcome, Result, failed
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from tests.submission.relay.peers import Script, peer
from tests.submission.relay.world import CONTENT, DELIVERED, world

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORIGIN = Origin("192.0.2.1", "ESMTPSA")
REFUSED = Outcome(Result.FAILED, "5.1.1", "550 5.1.1 no\x07 such\ud800 user", "mx.example.com")


BOB = Recipient("bob@example.com")


def report(action: Action = Action.FAILED, content: bytes = CONTENT, outcome: Outcome = REFUSED,
           to: Recipient = BOB, **envelope: object) -> Message:  # fmt: skip
    made = Envelope("alice@example.net", (to, Recipient("carol@example.com")), NOW, ORIGIN, **envelope)  # type: ignore[arg-type]
    until = NOW + timedelta(days=5) if action is Action.DELAYED else None
    rendered = Report(action, "Q-1", made, {to.address: outcome}, NOW, until).render("mail.example.net", "R-1", content)
    assert b"\n" not in rendered.replace(b"\r\n", b"")
    return message_from_bytes(rendered)


def fields(message: Message) -> tuple[Message, list[Message]]:
    """Of the whole message, and of each recipient."""
    status = message.get_payload(1)
    assert isinstance(status, Message)
    first, *others = status.get_payload()
    return first, others  # type: ignore[return-value]


def test_a_failure_in_full() -> None:
    to = Recipient("bob@example.com", ("FAILURE",), "rfc822;Bob+x@example.com")
    made = report(to=to, ret="FULL", envid="QQ 314")
    assert made["To"] == "<alice@example.net>"
    assert made["Auto-Submitted"] == "auto-replied"
    assert made["Message-ID"] == "<R-1@mail.example.net>"
    assert made.get_content_type() == "multipart/report"
    assert made.get_param("report-type") == "delivery-status"
    of_message, [of_bob] = fields(made)
    assert of_message["Original-Envelope-Id"] == "QQ 314"
    assert of_message["Reporting-MTA"] == "dns; mail.example.net"
    assert of_bob["Original-Recipient"] == "rfc822; Bob+x@example.com"
    assert of_bob["Final-Recipient"] == "rfc822; bob@example.com"
    assert (of_bob["Action"], of_bob["Status"]) == ("failed", "5.1.1")
    assert of_bob["Remote-MTA"] == "dns; mx.example.com"
    assert of_bob["Diagnostic-Code"] == "smtp; 550 5.1.1 no  such  user"
    original = made.get_payload(2)
    assert isinstance(original, Message)
    assert original.get_content_type() == "message/rfc822"
    assert "..two" in original.as_string()
    words = made.get_payload(0)
    assert isinstance(words, Message)
    assert "<bob@example.com>" in words.as_string()
    assert "carol" not in words.as_string()


@pytest.mark.parametrize(
    ("action", "envelope"),
    [(Action.FAILED, {}), (Action.FAILED, {"ret": "HDRS"}), (Action.DELAYED, {"ret": "FULL"}),
     (Action.RELAYED, {"ret": "FULL"}), (Action.FAILED, {"ret": "FULL", "requiretls": True})],
)  # fmt: skip
def test_the_headers_alone_go_back_otherwise(action: Action, envelope: dict[str, object]) -> None:
    made = report(action, **envelope)
    original = made.get_payload(2)
    assert isinstance(original, Message)
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: hello" in original.as_string()
    assert "two" not in original.as_string()
    _, [of_bob] = fields(made)
    assert (of_bob["Will-Retry-Until"] is not None) == (action is Action.DELAYED)


def test_smtputf8() -> None:
    content = "From: \u5c71\u7530@example.net\r\n\r\nx\r\n".encode()
    made = report(content=content, to=Recipient("\u6075@example.com"), smtputf8=True)
    assert [part.get_content_type() for part in made.get_payload()] == [  # type: ignore[union-attr]
        "text/plain", "message/global-delivery-status", "message/global-headers",
    ]  # fmt: skip
    assert b"Final-Recipient: utf-8; \xe6\x81\xb5@example.com" in made.as_bytes()


def test_a_local_reason_is_no_diagnostic_of_another_host() -> None:
    _, [of_bob] = fields(report(outcome=failed("5.1.2", "domain example.com does not exist")))
    assert of_bob["Remote-MTA"] is None
    assert of_bob["Diagnostic-Code"] is None


def test_a_senders_words_cannot_end_the_report() -> None:
    made = report(content=b"Subject: x\r\n\r\n--R-1/mail.example.net--\r\n", ret="HDRS")
    assert len(made.get_payload()) == 3


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ((), {Action.FAILED, Action.DELAYED}),
        (("NEVER",), set()),
        (("SUCCESS",), {Action.RELAYED}),
        (("FAILURE", "SUCCESS"), {Action.FAILED, Action.RELAYED}),
        (("DELAY",), {Action.DELAYED}),
    ],
)
def test_who_wants_to_hear(notify: tuple[str, ...], told: set[Action]) -> None:
    to = Recipient("bob@example.com", notify)
    assert {action for action in Action if wanted(action, "alice@example.net", to)} == told
    assert not any(wanted(action, "", to) for action in Action)


@pytest.mark.parametrize("knows_dsn", [True, False])
def test_success_notices(tmp_path: Path, knows_dsn: bool) -> None:
    """A next hop with DSN takes the options over; one without them makes us say that we handed it on."""

    async def play() -> None:
        script = Script(show=["DSN"] if knows_dsn else [])
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop) as here:
            to = Recipient("bob@example.com", ("SUCCESS", "FAILURE"), "rfc822;b+ob=x@example.com")
            queue_id = await here.submit(to, "carol@example.com", ret="HDRS", envid="a b")
            await here.run()
            assert set(here.states(queue_id).values()) == {DELIVERED}
            reports = hop.contents("alice@example.net")
            if knows_dsn:
                assert reports == []
                assert [each for each in hop.got[0].mail_options if "=" in each and "SIZE" not in each] == [
                    "RET=HDRS", "ENVID=a+20b",
                ]  # fmt: skip
                assert hop.got[0].rcpt_options == ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;b+2Bob+3Dx@example.com"]
            else:
                assert len(reports) == 1
                assert b"Action: relayed" in reports[0]
                assert b"Final-Recipient: rfc822; carol" not in reports[0]

    asyncio.run(play())
