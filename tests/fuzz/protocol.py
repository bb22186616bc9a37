"""What every run of the protocol must hold to, whatever is sent.

1. Nothing is raised, and every run ends.
2. What the application is told keeps its contract (tests.support.sessions): questions one at a time, nothing after the
   end, a transaction in order, and no bare CR, bare LF or NUL ever handed on.
3. The same octets give the same replies and the same messages however they are split.
4. No command from before STARTTLS is taken after it: a session behaves after the handshake as a new one under TLS.
5. No octet of one message gets into another.
"""

from __future__ import annotations

from collections.abc import Iterable

from op25b.submission.protocol import Settings
from tests.support.sessions import HOST, RELEASE, Application, Message

# Limits that are met soon.
SETTINGS = (
    Settings.relay(HOST, max_size=200, max_recipients=3, max_errors=4, max_junk=8, max_messages=4),
    Settings.submission(HOST, max_size=2000, max_errors=50, max_junk=50, future_release=RELEASE),
    Settings.relay(HOST, mechanisms=("PLAIN", "LOGIN"), auth_without_tls=True, max_size=500),
)


def run(settings: Settings, tls: bool, groups: Iterable[bytes], step: int) -> tuple[list[bytes], list[Message]]:
    """Play groups in pieces of `step` octets (0: whole): (the server's writes, the messages taken)."""
    application = Application(settings, tls)
    writes = [application.session.banner()]
    for group in groups:
        size = step or len(group) or 1
        for start in range(0, len(group), size):
            application.feed(group[start : start + size])
        writes.append(application.take_output())
    return writes, application.taken


def content(messages: list[Message]) -> list[tuple[str, list[str], bytes]]:
    """Messages without the way in which they came."""
    return [(message.sender, [address for address, _ in message.recipients], message.text) for message in messages]


def check_splits(settings: Settings, tls: bool, groups: list[bytes], steps: Iterable[int]) -> None:
    """Invariants 1 to 3."""
    writes, messages = run(settings, tls, groups, 0)
    for step in steps:
        again, same = run(settings, tls, groups, step)
        assert again == writes
        assert content(same) == content(messages)


def check_starttls(settings: Settings, before: list[bytes], injected: bytes, late: bytes, after: list[bytes]) -> None:
    """Invariant 4. `injected` comes with STARTTLS, `late` once its reply is written, before the handshake."""
    application = Application(settings)
    session = application.session
    session.banner()
    ends = [b"\r\n.\r\n", b"*\r\n", b"RSET\r\n", b"EHLO client.example.com\r\n"]  # of whatever is open
    for group in [*before, *ends]:
        application.feed(group)
        application.take_output()
    application.feed(b"STARTTLS\r\n" + injected)
    output = session.data_to_send()
    application.pump()
    if session.closed or session.tls or not application.handshake_due:
        return
    assert output.startswith(b"220 ")
    assert not injected
    application.feed(late)
    assert session.data_to_send() == b""
    application.shake_hands()
    application.taken.clear()
    fresh = Application(settings, tls=True)
    fresh.session.banner()
    for group in after:
        application.feed(group)
        fresh.feed(group)
        assert application.take_output() == fresh.take_output()
    assert content(application.taken) == content(fresh.taken)
    assert session.hello == fresh.session.hello
    assert session.identity == fresh.session.identity
