"""Hypothesis plays clients of every kind against the protocol; the invariants stand in tests/fuzz/protocol.py."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.submission.protocol import Settings
from tests.fuzz.protocol import SETTINGS, check_splits, check_starttls, content, run
from tests.support.sessions import HOST

LINES = [
    b"EHLO client.example.com\r\n",
    b"HELO client.example.com\r\n",
    b"MAIL FROM:<a@example.com>\r\n",
    b"MAIL FROM:<> BODY=BINARYMIME SIZE=10\r\n",
    b"MAIL FROM:<full@example.com>\r\n",
    b"MAIL FROM:<spam@example.com> HOLDFOR=60\r\n",
    "MAIL FROM:<田中@example.com> SMTPUTF8 RET=FULL ENVID=x\r\n".encode(),
    b"RCPT TO:<b@example.net> NOTIFY=DELAY ORCPT=rfc822;b@example.net\r\n",
    b"RCPT TO:<no@example.net>\r\n",
    b"RCPT TO:<bye@example.net>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\n..dot\r\n.\r\n",
    b".\r\n",
    b"BDAT 5\r\nab\r\nc",
    b"BDAT 3 LAST\r\na\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 7\r\nNOOP\r\n\r",
    b"BDAT 100\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"VRFY x\r\n",
    b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
    b"AUTH LOGIN\r\n",
    b"YWxpY2U=\r\n",
    b"*\r\n",
    b"STARTTLS\r\n",
    b"QUIT\r\n",
]
ENVELOPE = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n"
SCRAPS = [
    b"\r",
    b"\n",
    b"\0",
    b"\r\n",
    b"\r\n.\r\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b".",
    b" ",
    b"\xff",
    b"x" * 50,
    b"x" * 600,
]

lines = st.sampled_from(LINES)
scraps = st.sampled_from(SCRAPS) | st.binary(max_size=8)
groups = st.lists(st.lists(lines | lines | scraps, min_size=1, max_size=6).map(b"".join), max_size=8)
# Half of the runs get as far as an envelope before anything odd happens.
runs = groups | groups.map(lambda rest: [LINES[0], ENVELOPE, *rest]) | groups.map(
    lambda rest: [LINES[0], ENVELOPE + b"DATA\r\n", *rest]
)  # fmt: skip


@settings(max_examples=600)
@given(st.sampled_from(SETTINGS), st.booleans(), runs, st.integers(2, 30))
def test_whatever_is_sent_splits_do_not_matter(settings: Settings, tls: bool, sent: list[bytes], step: int) -> None:
    check_splits(settings, tls, sent, (1, step))


@settings(max_examples=300)
@given(groups, st.just(b"") | scraps | lines, scraps | lines, runs)
def test_nothing_from_before_starttls_is_taken_after_it(
    before: list[bytes], injected: bytes, late: bytes, after: list[bytes]
) -> None:
    # Counts of errors and commands outlive STARTTLS, so that no one resets them by it: here they do not matter.
    patient = Settings.relay(HOST, max_errors=10_000, max_junk=10_000, max_messages=0, max_size=500)
    check_starttls(patient, before, injected, late, after)


KINDS = ("data", "bdat", "two chunks", "reset between chunks", "bare", "too large")
bodies = st.lists(st.sampled_from([b"%c", b".", b"\r\n", b"%c%c"]), max_size=12).map(b"".join)


def transaction(kind: str, text: bytes) -> tuple[list[bytes], bool]:
    """What to send, in groups, for a message in one of KINDS, and whether it is to be taken."""
    half = len(text) // 2
    match kind:
        case "bdat":
            return [ENVELOPE + b"BDAT %d LAST\r\n%b" % (len(text), text)], True
        case "two chunks":
            chunks = b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (half, text[:half], len(text) - half, text[half:])
            return [ENVELOPE + chunks], True
        case "reset between chunks":
            return [ENVELOPE + b"BDAT %d\r\n%bRSET\r\n" % (len(text), text)], False
        case "bare":
            text += b"\n"
        case "too large":
            text += b"x" * 60 + b"\r\n" + b"y" * 60 + b"\r\n"
    stuffed = (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:]
    return [ENVELOPE + b"DATA\r\n", stuffed + b"\r\n.\r\n"], kind == "data"


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(KINDS), bodies), max_size=8), st.integers(0, 20))
def test_no_octet_of_one_message_gets_into_another(messages: list[tuple[str, bytes]], step: int) -> None:
    sent, expected = [b"EHLO client.example.com\r\n"], []
    for number, (kind, template) in enumerate(messages):
        # Each message has a letter of its own.
        text = template.replace(b"%c", bytes([ord("a") + number]))
        if kind == "data":
            text = text.removesuffix(b"\r\n")
        parts, taken = transaction(kind, text)
        sent += parts
        if taken:
            whole = text + b"\r\n" if kind == "data" or (text and not text.endswith(b"\r\n")) else text
            expected.append(("a@example.com", ["b@example.net"], whole))
    _, taken_messages = run(Settings.relay(HOST, max_size=100), False, sent, step)
    assert content(taken_messages) == expected
