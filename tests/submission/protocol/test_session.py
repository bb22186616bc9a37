"""What the driver relies on: questions and decisions, one write, closing; and the parameters in the events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from op25b.submission.protocol import (
    ACCEPT,
    Authenticated,
    Body,
    Challenge,
    Closed,
    CloseReason,
    Mail,
    MailParameters,
    MessageData,
    MessageEnd,
    MessageStart,
    Notify,
    Quit,
    Recipient,
    RecipientParameters,
    Reply,
    Reset,
    Ret,
    Session,
    Settings,
)
from tests.support.sessions import HOST, RELEASE

TIMED_OUT = Reply(421, "4.4.2", "Idle too long")


def greeted(tls: bool = False, **changes: object) -> Session:
    """A session after EHLO."""
    session = Session(Settings.relay(HOST, **changes), tls)
    session.banner()
    session.receive(b"EHLO client.example.com\r\n")
    assert session.next_event() is None
    assert session.data_to_send().startswith(b"250-")
    return session


def in_transaction() -> Session:
    """A session with a sender and a recipient."""
    session = greeted()
    session.receive(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n")
    for kind in (Mail, Recipient):
        assert isinstance(session.next_event(), kind)
        session.decide(ACCEPT)
    assert session.next_event() is None
    session.data_to_send()
    return session


def mail_event(line: str, **changes: object) -> Mail:
    session = greeted(**changes)
    session.receive(f"MAIL FROM:{line}\r\n".encode())
    event = session.next_event()
    assert isinstance(event, Mail)
    return event


def test_it_stands_still_until_a_question_is_answered() -> None:
    session = greeted()
    session.receive(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n")
    assert isinstance(session.next_event(), Mail)
    assert session.waiting
    assert session.next_event() is None
    session.receive(b"RSET\r\n")
    assert session.next_event() is None
    assert session.data_to_send() == b""
    session.decide(ACCEPT)
    assert isinstance(session.next_event(), Recipient)
    session.decide(Reply(550, "5.1.1", "No"))
    assert session.next_event() == Reset()
    assert session.data_to_send() == b"250 2.1.0 Sender ok\r\n550 5.1.1 No\r\n250 2.0.0 Ok\r\n"


def test_a_message_is_handed_on_as_it_comes() -> None:
    session = in_transaction()
    session.receive(b"DATA\r\n")
    assert session.next_event() == MessageStart()
    session.decide(ACCEPT)
    assert session.data_to_send().startswith(b"354 ")
    session.receive(b"one\r\ntw")
    assert session.next_event() == MessageData(b"one\r\n")
    assert session.next_event() is None
    session.receive(b"o\r\n.\r\n")
    assert session.next_event() == MessageData(b"two\r\n")
    assert not session.waiting
    with pytest.raises(RuntimeError):
        session.decide(ACCEPT)
    assert session.next_event() == MessageEnd(10)
    assert session.waiting


def test_a_faulty_message_is_called_off_at_once_and_answered_at_its_end() -> None:
    session = in_transaction()
    session.receive(b"DATA\r\n")
    session.next_event()
    session.decide(ACCEPT)
    session.data_to_send()
    session.receive(b"one\n\r\n")
    assert session.next_event() == Reset()
    assert session.data_to_send() == b""
    session.receive(b".\r\n")
    assert session.next_event() is None
    assert session.data_to_send().startswith(b"554 5.6.0 ")


def test_a_slow_decision_does_not_excuse_the_message_before_its_354() -> None:
    session = in_transaction()
    session.receive(b"DATA\r\n")
    assert session.next_event() == MessageStart()
    session.data_to_send()
    session.receive(b"Hello\r\n.\r\n")
    assert session.data_to_send() == b""
    session.decide(ACCEPT)
    assert session.next_event() == Closed(CloseReason.PIPELINING)
    assert session.data_to_send().endswith(b"554 5.5.0 Sent on without waiting for a reply; see RFC 2920 3.1\r\n")


def test_octets_that_came_before_the_write_are_seen_by_the_write() -> None:
    session = greeted()
    session.receive(b"NOOP\r\n")
    assert session.next_event() is None
    session.receive(b"NOOP\r\n")
    assert session.data_to_send().startswith(b"250 2.0.0 Ok\r\n554 5.5.0 ")
    assert session.closed


def test_an_end_is_the_last_event() -> None:
    session = in_transaction()
    session.close(TIMED_OUT)
    assert session.next_event() == Closed(CloseReason.APPLICATION)
    assert session.data_to_send() == b"421 4.4.2 Idle too long\r\n"
    session.receive(b"NOOP\r\n")
    session.close(TIMED_OUT)
    session.decide(ACCEPT)
    assert session.next_event() is None
    assert session.data_to_send() == b""


def test_closing_within_a_question_makes_the_decision_moot() -> None:
    session = greeted()
    session.receive(b"MAIL FROM:<a@example.com>\r\n")
    assert isinstance(session.next_event(), Mail)
    session.close(TIMED_OUT)
    session.decide(ACCEPT)
    assert session.data_to_send() == b"421 4.4.2 Idle too long\r\n"
    assert session.next_event() == Closed(CloseReason.APPLICATION)


def test_quit_ends_it() -> None:
    session = greeted()
    session.receive(b"QUIT\r\nNOOP\r\n")
    assert session.next_event() == Quit()
    assert session.next_event() is None
    assert session.closed
    assert session.data_to_send() == b"221 2.0.0 Goodbye\r\n"


def test_decisions_must_fit() -> None:
    session = greeted()
    with pytest.raises(RuntimeError):
        session.decide(ACCEPT)
    session.receive(b"MAIL FROM:<a@example.com>\r\n")
    session.next_event()
    with pytest.raises(ValueError, match="not an answer"):
        session.decide(Challenge(b""))


def test_a_messages_start_is_not_accepted_in_other_words() -> None:
    session = in_transaction()
    session.receive(b"DATA\r\n")
    session.next_event()
    with pytest.raises(ValueError, match="ACCEPT alone"):
        session.decide(Reply(250, "2.0.0", "Fine"))


@pytest.mark.parametrize("answer", [ACCEPT, Reply(235, "2.7.0", "Yes")])
def test_a_log_in_names_who_it_is(answer: object) -> None:
    session = greeted(tls=True, mechanisms=("PLAIN",))
    session.receive(b"AUTH PLAIN\r\n")
    session.next_event()
    with pytest.raises(ValueError, match="not an answer"):
        session.decide(answer)  # type: ignore[arg-type]


def test_the_identity_outlives_ehlo() -> None:
    session = greeted(tls=True, mechanisms=("PLAIN",))
    session.receive(b"AUTH PLAIN\r\n")
    session.next_event()
    session.decide(Authenticated("alice"))
    session.data_to_send()
    session.receive(b"EHLO other.example.com\r\n")
    assert session.next_event() is None
    assert (session.identity, session.hello, session.esmtp) == ("alice", "other.example.com", True)


def test_a_temporary_failure_is_no_failed_log_in() -> None:
    session = greeted(tls=True, mechanisms=("PLAIN",), max_failed_log_ins=1)
    session.receive(b"AUTH PLAIN\r\n")
    session.next_event()
    session.decide(Reply(454, "4.7.0", "Ask later"))
    assert session.data_to_send() == b"454 4.7.0 Ask later\r\n"
    assert not session.closed


def test_the_name_is_fit_for_a_received_line() -> None:
    session = Session(Settings.relay(HOST), tls=False)
    session.banner()
    session.receive(b"EHLO a (b)\x7f\xff" + b"c" * 400 + b"\r\n")
    assert session.next_event() is None
    assert session.hello == "a??b???" + "c" * 248


def test_mail_parameters() -> None:
    assert mail_event("<a@example.com>") == Mail("a@example.com", MailParameters())
    line = "<a@example.com> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=a+2B+20b AUTH=c+3Dd@example.com REQUIRETLS"
    assert mail_event(line, tls=True, mechanisms=("PLAIN",)).parameters == MailParameters(
        7, Body.EIGHT_BIT, True, Ret.FULL, "a+ b", "c=d@example.com", require_tls=True
    )
    assert mail_event("<> AUTH=<>", tls=True, mechanisms=("PLAIN",)) == Mail("", MailParameters(auth=""))


def test_hold_parameters() -> None:
    held = mail_event("<> HOLDFOR=60", future_release=RELEASE).parameters
    assert held == MailParameters(hold_for=timedelta(seconds=60))
    until = mail_event("<> HOLDUNTIL=2026-04-01t19:00:00.5+09:00", future_release=RELEASE).parameters.hold_until
    assert until == datetime(2026, 4, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    past = mail_event("<> HOLDUNTIL=0001-01-01T00:00:00+23:59", future_release=RELEASE).parameters.hold_until
    assert past is not None


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", RecipientParameters()),
        ("NOTIFY=never", RecipientParameters(frozenset({Notify.NEVER}))),
        ("NOTIFY=SUCCESS,failure,SUCCESS", RecipientParameters(frozenset({Notify.SUCCESS, Notify.FAILURE}))),
        ("ORCPT=RFC822;b+2Bc@example.net", RecipientParameters(orcpt=("rfc822", "b+c@example.net"))),
        (r"ORCPT=utf-8;\x{7530}@example.net", RecipientParameters(orcpt=("utf-8", "田@example.net"))),
    ],
)
def test_recipient_parameters(text: str, parameters: RecipientParameters) -> None:
    session = greeted()
    session.receive(f"MAIL FROM:<>\r\nRCPT TO:<b@example.net> {text}\r\n".encode())
    session.next_event()
    session.decide(ACCEPT)
    assert session.next_event() == Recipient("b@example.net", parameters)


@pytest.mark.parametrize("text", [r"ORCPT=utf-8;\x{d800}", r"ORCPT=utf-8;\x{110000}", r"ORCPT=utf-8;\x{0a}"])
def test_no_such_character(text: str) -> None:
    session = greeted()
    session.receive(f"MAIL FROM:<>\r\nRCPT TO:<b@example.net> {text}\r\n".encode())
    session.next_event()
    session.decide(ACCEPT)
    assert session.next_event() is None
    assert session.data_to_send().endswith(b"501 5.5.4 Bad parameter value\r\n")


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        ("", b"220 mail.example.net ESMTP\r\n"),
        ("192.0.2.7", b"220 mail.example.net ESMTP sees you at [192.0.2.7]\r\n"),
        ("2001:db8::7", b"220 mail.example.net ESMTP sees you at [IPv6:2001:db8::7]\r\n"),
    ],
)
def test_a_client_is_told_where_it_comes_from(client: str, shown: bytes) -> None:
    assert Session(Settings.relay("mail.example.net"), tls=False, client=client).banner() == shown
