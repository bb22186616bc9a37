"""Logging in at a smart host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from op25b.submission.relay.connect import contexts
from op25b.submission.relay.login import LogInFailed, ScramClient
from op25b.submission.relay.settings import NextHop, Tls
from tests.submission.relay.peers import peer
from tests.submission.relay.test_connect import GOOD, trusting
from tests.submission.relay.world import DEFERRED, DELIVERED, world
from tests.submission.relay.zone import Zone
from tests.support.service import HOST, PASSWORD, USER, Service

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = f"r={NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


def test_the_example_of_rfc_7677() -> None:
    client = ScramClient("user", "pencil", NONCE)
    assert client.first() == f"n,,n=user,r={NONCE}"
    assert client.final(SERVER_FIRST) == (
        f"c=biws,r={NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_names_are_escaped() -> None:
    assert ScramClient("a=b,c", "x", "n").first() == "n,,n=a=3Db=2Cc,r=n"


@pytest.mark.parametrize(
    ("server_first", "words"),
    [
        (SERVER_FIRST.replace(NONCE, "another"), "not one"),
        (f"r={NONCE},s=W22Z,i=4096", "not one"),
        (SERVER_FIRST.replace("4096", "1"), "1 rounds"),
        (SERVER_FIRST.replace("4096", "9999999"), "9999999 rounds"),
        (SERVER_FIRST.replace("W22Z", "W22"), "base64"),
        ("m=x," + SERVER_FIRST, "not one"),
        ("", "not one"),
    ],
)
def test_challenges_that_no_honest_server_sends(server_first: str, words: str) -> None:
    with pytest.raises(LogInFailed, match=words):
        ScramClient("user", "pencil", NONCE).final(server_first)


@pytest.mark.parametrize(
    "final", ["", "v=", "v=AAAA", "e=invalid-proof", "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="]
)
def test_a_server_that_does_not_know_the_password(final: str) -> None:
    client = ScramClient("user", "pencil", NONCE)
    client.final(SERVER_FIRST)
    with pytest.raises(LogInFailed):
        client.verify(final)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("smart")) as running:
        yield running


@pytest.mark.parametrize("implicit", [True, False], ids=["465", "587"])
def test_scram_at_a_real_server(tmp_path: Path, service: Service, implicit: bool) -> None:
    async def play() -> None:
        port = service.implicit if implicit else service.starttls
        zone = Zone({(HOST, "A"): ["127.0.0.1"]})
        for password, event in ((PASSWORD, DELIVERED), ("wrong", DEFERRED)):
            hop = NextHop(HOST, port, Tls.VERIFIED, implicit, USER, password)
            tls = contexts(service.client_tls)
            async with world(tmp_path / password, smart_host=hop, zone=zone, tls=tls) as here:
                await here.submit("bob@example.com", sender=USER, content=b"From: " + USER.encode() + b"\r\n\r\nx\r\n")
                await here.run(most=timedelta(minutes=1))
                assert here.last("bob@example.com")["event"] == event
                assert PASSWORD not in repr(here.events)
        assert {envelope.origin.account for envelope, _ in service.spooled()} == {USER}

    asyncio.run(play())


def test_a_server_that_has_plain_alone(tmp_path: Path) -> None:
    """A wrong password is tried once, not with each mechanism in turn: that would be three steps to a lock-out."""

    async def play() -> None:
        async with peer(tls=GOOD, password=("relay", "secret")) as hop:
            tries = []
            for password, event in (("secret", DELIVERED), ("wrong", DEFERRED)):
                next_hop = NextHop("mx.example.com", hop.port, Tls.VERIFIED, username="relay", password=password)
                zone = Zone({("mx.example.com", "A"): ["127.0.0.1"]})
                async with world(tmp_path / password, smart_host=next_hop, zone=zone, tls=trusting()) as here:
                    await here.submit("bob@example.com", sender="")
                    await here.run(most=timedelta(minutes=1))
                    assert here.last("bob@example.com")["event"] == event
                tries.append(hop.log_ins)
            assert tries == [1, 2]

    asyncio.run(play())


@pytest.mark.parametrize("tls", [Tls.OPPORTUNISTIC, Tls.ENCRYPTED])
@pytest.mark.parametrize("implicit", [True, False])
def test_a_password_goes_out_over_verified_tls_only(tls: Tls, implicit: bool) -> None:
    with pytest.raises(ValueError, match="verified"):
        NextHop("mx.example.com", 587, tls, implicit, "relay", "secret")


def test_a_name_without_a_password() -> None:
    with pytest.raises(ValueError, match="password"):
        NextHop("mx.example.com", 587, Tls.VERIFIED, username="relay")
