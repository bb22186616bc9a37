"""One transaction: what is written to the next hop, byte by byte, and what it cannot take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.relay.connect import Connection
from op25b.submission.relay.outcome import Reply, Result, of_reply
from op25b.submission.relay.transaction import Letter, Outcomes, Stale, deliver, xtext
from op25b.submission.relay.wire import Wire
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from tests.submission.relay.world import TIMEOUTS

BOB, CAROL = Recipient("bob@example.com"), Recipient("carol@example.com")
ENVELOPE = Envelope("alice@example.net", (BOB, CAROL), datetime(2026, 3, 1, tzinfo=UTC), Origin("192.0.2.1", "ESMTP"))
LETTER = Letter(ENVELOPE, b"Subject: x\r\n\r\n.\r\n..x\r\ny\r\n", False)
QUICK = replace(TIMEOUTS, command=0.2, final=0.2, data=0.2, block=0.2, quit=0.1)


def exchange(
    letter: Letter, *replies: bytes, extensions: str = "PIPELINING", messages: int = 0, cut: bool = False
) -> tuple[Outcomes, bytes, bool]:
    """Deliver to a server that says its replies one by one, whenever something came; what it got; still usable."""

    async def play() -> tuple[Outcomes, bytes, bool]:
        heard = bytearray()
        left = list(replies)

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                heard.extend(data)
                if left:
                    writer.write(left.pop(0))
                elif cut:
                    break
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, "127.0.0.1", server.sockets[0].getsockname()[1]
        )
        words = dict(word.lower().partition("=")[::2] for word in extensions.split())
        connection = Connection(Wire(transport), "mx", words, encrypted=True, messages=messages)
        try:
            outcomes = await deliver(letter, letter.envelope.recipients, connection, QUICK)
            usable = connection.wire.usable
        except Stale:
            assert not connection.wire.usable, "a late reply would be taken for the next message's"
            raise
        finally:
            connection.wire.close()
            server.close()
        return outcomes, bytes(heard), usable

    return asyncio.run(play())


COMMANDS = b"MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.com>\r\nRCPT TO:<carol@example.com>\r\nDATA\r\n"
STUFFED = b"Subject: x\r\n\r\n..\r\n...x\r\ny\r\n.\r\n"
YES = b"250 OK\r\n"


def results(outcomes: Outcomes) -> list[tuple[str, str]]:
    return [(outcomes[to.address].result.value, outcomes[to.address].status) for to in (BOB, CAROL)]


def test_pipelined() -> None:
    outcomes, heard, usable = exchange(LETTER, YES * 3 + b"354 go\r\n", b"250 2.6.0 taken\r\n")
    assert heard == COMMANDS + STUFFED
    assert results(outcomes) == [("delivered", "2.6.0")] * 2
    assert outcomes["bob@example.com"].text == "250 2.6.0 taken"
    assert usable


def test_one_by_one() -> None:
    outcomes, heard, usable = exchange(LETTER, YES, YES, YES, b"354 go\r\n", YES, extensions="")
    assert heard == COMMANDS + STUFFED
    assert results(outcomes) == [("delivered", "2.0.0")] * 2
    assert usable


def test_one_by_one_stops_where_it_is_refused() -> None:
    outcomes, heard, usable = exchange(LETTER, b"550 5.7.1 not you\r\n", YES, extensions="")
    assert heard == COMMANDS.split(b"RCPT")[0] + b"RSET\r\n"
    assert results(outcomes) == [("failed", "5.7.1")] * 2
    assert usable


def test_data_that_is_let_in_for_nobody_is_left_empty() -> None:
    """RFC 2920 3.1."""
    outcomes, heard, usable = exchange(
        LETTER, b"250 OK\r\n550 5.1.1 a\r\n450 4.2.1 b\r\n354 go\r\n", b"554 nobody\r\n", YES
    )
    assert heard == COMMANDS + b".\r\n" + b"RSET\r\n"
    assert results(outcomes) == [("failed", "5.1.1"), ("deferred", "4.2.1")]
    assert usable


def test_refused_at_data() -> None:
    outcomes, heard, usable = exchange(LETTER, YES * 2 + b"550 5.1.1 no\r\n451 4.3.0 no\r\n", YES)
    assert heard == COMMANDS + b"RSET\r\n"
    assert results(outcomes) == [("deferred", "4.3.0"), ("failed", "5.1.1")]
    assert usable


def test_binary_goes_in_one_chunk_as_it_is() -> None:
    content = b"Subject: x\r\n\r\n\x00\n.\r\xff"
    letter = Letter(replace(ENVELOPE, body="BINARYMIME"), content, True)
    outcomes, heard, _ = exchange(letter, YES * 3, YES, extensions="PIPELINING CHUNKING BINARYMIME SIZE=1000")
    mail = b"MAIL FROM:<alice@example.net> SIZE=19 BODY=BINARYMIME\r\n"
    rcpt = COMMANDS.split(b"\r\n", 1)[1].removesuffix(b"DATA\r\n")
    assert heard == mail + rcpt + b"BDAT 19 LAST\r\n" + content
    assert results(outcomes) == [("delivered", "2.0.0")] * 2


@pytest.mark.parametrize(
    ("change", "extensions", "status"),
    [
        (lambda it: replace(it, eight_bit=True), "SIZE=0", "5.6.3"),
        (lambda it: replace(it, envelope=replace(ENVELOPE, body="BINARYMIME")), "8BITMIME BINARYMIME", "5.6.3"),
        (lambda it: replace(it, envelope=replace(ENVELOPE, smtputf8=True)), "8BITMIME", "5.6.7"),
        (lambda it: replace(it, envelope=replace(ENVELOPE, requiretls=True)), "8BITMIME", "5.7.30"),
        (lambda it: it, "SIZE=10", "5.3.4"),
        (lambda it: replace(it, envelope=replace(ENVELOPE, sender="a\r\nRSET@x")), "SIZE", "5.1.3"),
        (lambda it: replace(it, envelope=replace(ENVELOPE, envid="a\r\nRSET")), "DSN", None),
    ],
    ids=["8bit", "binary", "smtputf8", "requiretls", "size", "injection", "injection-xtext"],
)
def test_what_the_next_hop_cannot_take(change: Callable[[Letter], Letter], extensions: str, status: str | None) -> None:
    letter = change(LETTER)
    if status is None:
        _, heard, _ = exchange(letter, YES, extensions=extensions)
        assert heard.startswith(b"MAIL FROM:<alice@example.net> ENVID=a+0D+0ARSET\r\n")
        return
    outcomes, heard, usable = exchange(letter, extensions=extensions)
    assert results(outcomes)[0] == ("failed", status)
    assert heard == b""
    assert usable


def test_all_that_a_next_hop_may_offer() -> None:
    to = (Recipient("bob@example.com", ("DELAY", "FAILURE"), "rfc822;b+o=b@example.org"), CAROL)
    envelope = replace(ENVELOPE, recipients=to, smtputf8=True, requiretls=True, ret="FULL", envid="x=1")
    offer = "PIPELINING SIZE 8BITMIME SMTPUTF8 REQUIRETLS DSN"
    _, heard, _ = exchange(Letter(envelope, LETTER.content, True), YES * 3 + b"354\r\n", YES, extensions=offer)
    assert heard.split(b"\r\n")[0] == (
        b"MAIL FROM:<alice@example.net> SIZE=25 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=FULL ENVID=x+3D1"
    )
    assert heard.split(b"\r\n")[1:3] == [
        b"RCPT TO:<bob@example.com> NOTIFY=DELAY,FAILURE ORCPT=rfc822;b+2Bo+3Db@example.org",
        b"RCPT TO:<carol@example.com>",
    ]


@pytest.mark.parametrize("replies", [[], [b"250 OK\r\n250 OK\r\n"], [YES * 3 + b"354 go\r\n"]])
@pytest.mark.parametrize("cut", [True, False], ids=["cut", "silent"])
def test_lost_connections_defer(replies: list[bytes], cut: bool) -> None:
    outcomes, _, usable = exchange(LETTER, *replies, cut=cut)
    assert results(outcomes) == [("deferred", "4.4.2")] * 2
    assert not usable


def test_recipients_that_were_refused_before_the_connection_was_lost_stay_refused() -> None:
    outcomes, _, _ = exchange(LETTER, b"250 OK\r\n550 5.1.1 no\r\n", cut=True)
    assert results(outcomes) == [("failed", "5.1.1"), ("deferred", "4.4.2")]


@pytest.mark.parametrize("replies", [[], [b"421 4.4.2 timed out\r\n"]])
def test_a_used_connection_that_ends_says_nothing_of_the_next_hop(replies: list[bytes]) -> None:
    with pytest.raises(Stale):
        exchange(LETTER, *replies, messages=3, cut=True)


@pytest.mark.parametrize(
    "reply", [b"hello\r\n", b"250", b"250" + b"-x\r\n250" * 600 + b" x\r\n", b"x" * 5000, b"\xff\r\n"]
)
def test_what_is_not_smtp_defers(reply: bytes) -> None:
    outcomes, _, usable = exchange(LETTER, reply)
    assert results(outcomes) == [("deferred", "4.4.2")] * 2
    assert not usable


@pytest.mark.parametrize(
    ("code", "line", "result", "status"),
    [
        (250, "2.1.5 fine", Result.DELIVERED, "2.1.5"),
        (250, "fine", Result.DELIVERED, "2.0.0"),
        (450, "4.2.0 later", Result.DEFERRED, "4.2.0"),
        (450, "5.2.0 muddled", Result.DEFERRED, "4.0.0"),
        (550, "5.1.1", Result.FAILED, "5.1.1"),
        (550, "5.1.1000 no code", Result.FAILED, "5.0.0"),
        (550, "", Result.FAILED, "5.0.0"),
        (354, "what", Result.DEFERRED, "4.0.0"),
    ],
)
def test_replies(code: int, line: str, result: Result, status: str) -> None:
    outcome = of_reply(Reply(code, (line,)), "mx")
    assert (outcome.result, outcome.status) == (result, status)


@given(st.text())
def test_xtext_has_nothing_that_could_end_it(text: str) -> None:
    encoded = xtext(text)
    assert not set(encoded) & set(" =\r\n\x00\t")
    assert all(encoded[at + 1 : at + 3].isalnum() for at, letter in enumerate(encoded) if letter == "+")
