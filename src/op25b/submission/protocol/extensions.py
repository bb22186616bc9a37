"""The EHLO reply (RFC 5321 4.1.1.1): what is offered, which depends on TLS and on the settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.settings import Settings


def hello_reply(settings: Settings, tls: bool) -> Reply:
    """The reply to EHLO."""
    if settings.future_release is None:
        return _same_for_all(settings, tls)
    return _with_release(settings, tls, settings.future_release.latest().replace(microsecond=0))


@lru_cache(maxsize=64)
def _with_release(settings: Settings, tls: bool, latest: datetime) -> Reply:
    assert settings.future_release is not None
    interval = settings.future_release.max_interval.total_seconds()
    release = f"FUTURERELEASE {interval:.0f} {latest.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Reply(250, "", f"{_same_for_all(settings, tls).text}\n{release}")


@lru_cache(maxsize=64)
def _same_for_all(settings: Settings, tls: bool) -> Reply:
    return Reply(250, "", "\n".join((settings.hostname, *_keywords(settings, tls))))


def banner(settings: Settings, client: str) -> Reply:
    """The greeting (RFC 5321 4.3.1). `client`: its address, "" if that is not known: behind NAT it knows from nobody
    else where it comes from, and so whose lines it is on (`op25b doctor`)."""
    if not client:
        return Reply(220, "", f"{settings.hostname} ESMTP")
    literal = f"IPv6:{client}" if ":" in client else client
    return Reply(220, "", f"{settings.hostname} ESMTP sees you at [{literal}]")


def _keywords(settings: Settings, tls: bool) -> Iterator[str]:
    """Those that do not depend on the time."""
    yield "PIPELINING"
    yield f"SIZE {settings.max_size}"
    yield "8BITMIME"
    yield "SMTPUTF8"
    yield "ENHANCEDSTATUSCODES"
    yield "DSN"
    yield "CHUNKING"
    if settings.binarymime:
        yield "BINARYMIME"
    limits = f" MAILMAX={settings.max_messages}" if settings.max_messages else ""
    yield f"LIMITS{limits} RCPTMAX={settings.max_recipients}"
    if tls:
        yield "REQUIRETLS"
    elif settings.starttls:
        yield "STARTTLS"
    if mechanisms := offered_mechanisms(settings, tls):
        yield "AUTH " + " ".join(mechanisms)


def offered_mechanisms(settings: Settings, tls: bool) -> tuple[str, ...]:
    """Those that may be used now. Channel binding needs a channel (RFC 5802 6)."""
    if tls:
        return settings.mechanisms
    if not settings.auth_without_tls:
        return ()
    return tuple(name for name in settings.mechanisms if not name.endswith("-PLUS"))
