"""TLS, AUTH, greetings and routes, against real servers on the loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from op25b.submission.relay.connect import Contexts, contexts
from op25b.submission.relay.settings import NextHop, Tls
from tests.submission.relay.peers import Peer, Script, peer
from tests.submission.relay.world import DEFERRED, DELIVERED, FAILED, World, world
from tests.submission.relay.zone import Zone

trustme = pytest.importorskip("trustme")
AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


def server_side(authority: Any, *names: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(made)
    return made


def trusting() -> Contexts:
    strict = ssl.create_default_context()
    AUTHORITY.configure_trust(strict)
    return contexts(strict)


GOOD = server_side(AUTHORITY, "mx.example.com", "localhost")
OTHER_NAME = server_side(AUTHORITY, "other.example.com")
SELF_MADE = server_side(STRANGER, "mx.example.com")
HOST = {("mx.example.com", "A"): ["127.0.0.1"]}


async def sent(here: World, to: str = "bob@example.com", **envelope: Any) -> tuple[str, str]:
    """How one message fared: event and status."""
    await here.submit(to, sender="", **envelope)
    await here.run(most=timedelta(minutes=1))
    return here.last(to)["event"], here.last(to)["status"]


@pytest.mark.parametrize("context", [GOOD, OTHER_NAME, SELF_MADE, None], ids=["good", "name", "self-made", "none"])
@pytest.mark.parametrize("tls", list(Tls))
def test_tls(tmp_path: Path, context: ssl.SSLContext | None, tls: Tls) -> None:
    async def play() -> None:
        async with peer(tls=context) as hop:
            next_hop = NextHop("mx.example.com", hop.port, tls)
            async with world(tmp_path, smart_host=next_hop, zone=Zone(HOST), tls=trusting()) as here:
                event, status = await sent(here)
                if (tls is Tls.VERIFIED and context is not GOOD) or (tls is Tls.ENCRYPTED and context is None):
                    assert (event, status) == (DEFERRED, "4.7.5")
                    assert hop.got == []
                else:
                    assert event == DELIVERED
                    assert hop.got[0].encrypted == (context is not None)

    asyncio.run(play())


@asynccontextmanager
async def raw(*answers: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says one thing after another; gives its port and what it heard, connection by connection."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(b"")
        at = len(heard) - 1
        for answer in answers:
            writer.write(answer)
            line = await reader.readline()
            heard[at] += line
            if not line:
                break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


def test_opportunistic_tls_that_breaks_goes_on_in_clear(tmp_path: Path) -> None:
    """RFC 7435: a handshake that fails is no reason not to deliver; where TLS must be, it is one."""

    async def play(tls: Tls, folder: Path) -> tuple[str, bool]:
        script = [b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\nthis is no TLS\r\n"]
        async with raw(*script) as (port, heard), world(folder, smart_host=NextHop("127.0.0.1", port, tls)) as here:
            event, _ = await sent(here)
            return event, len(heard) > 1 and b"MAIL FROM" in b"".join(heard[1:])

    assert asyncio.run(play(Tls.OPPORTUNISTIC, tmp_path / "may")) == (DEFERRED, True)
    assert asyncio.run(play(Tls.ENCRYPTED, tmp_path / "must")) == (DEFERRED, False)


def test_broken_tls_of_a_server_that_works_in_clear(tmp_path: Path) -> None:
    async def play() -> None:
        # a context without certificate: the handshake fails on every connection
        async with (
            peer(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as hop,
            world(tmp_path, smart_host=hop.hop) as here,
        ):
            event, _ = await sent(here)
            assert event == DELIVERED
            assert not hop.got[0].encrypted
            assert hop.connections == 2

    asyncio.run(play())


@pytest.mark.parametrize(
    ("answers", "event", "status"),
    [
        ([b"554 5.7.1 no\r\n"], DEFERRED, "4.3.2"),
        ([b"421 4.3.2 later\r\n"], DEFERRED, "4.3.2"),
        ([b"521 no mail here\r\n"], FAILED, "5.3.2"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], DEFERRED, "4.3.2"),
        ([b"220 x\r\n", b"500 what\r\n", b"500 what\r\n"], DEFERRED, "4.3.2"),
        ([b""], DEFERRED, "4.4.2"),
    ],
    ids=["554", "421", "521", "http", "no-helo", "closed"],
)
def test_greetings(tmp_path: Path, answers: list[bytes], event: str, status: str) -> None:
    async def play() -> None:
        async with raw(*answers) as (port, _), world(tmp_path, smart_host=NextHop("127.0.0.1", port)) as here:
            found = await sent(here)
            assert found[0] == event
            assert found[1].split(".")[0] == status.split(".")[0]

    asyncio.run(play())


def test_a_server_that_knows_only_helo(tmp_path: Path) -> None:
    async def play() -> None:
        answers = [b"220 x\r\n", b"502 what\r\n", b"250 x\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"]
        async with raw(*answers) as (port, heard), world(tmp_path, smart_host=NextHop("127.0.0.1", port)) as here:
            await sent(here)
            assert heard[0].startswith(b"EHLO mail.example.net\r\nHELO mail.example.net\r\nMAIL FROM:<>\r\nRCPT TO:")

    asyncio.run(play())


def zone(port_hosts: list[str], **records: list[str]) -> dict[tuple[str, str], list[str]]:
    made = {("example.com", "MX"): [f"{10 * n} {host}." for n, host in enumerate(port_hosts)]}
    return made | {(name.replace("_", "."), "A"): found for name, found in records.items()}


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("context", [GOOD, SELF_MADE, None], ids=["good", "self-made", "none"])
@pytest.mark.parametrize("knows", [True, False])
def test_requiretls(tmp_path: Path, signed: bool, context: ssl.SSLContext | None, knows: bool) -> None:
    """RFC 8689 4.2.1: a verified host, found by DNSSEC, that passes the requirement on; nobody else gets it."""

    async def play() -> None:
        async with peer(Script(show=["REQUIRETLS"] if knows else []), tls=context) as hop:
            records = Zone(zone(["mx.example.com"], mx_example_com=["127.0.0.1"]), signed=signed)
            async with world(tmp_path, zone=records, mx_port=hop.port, tls=trusting()) as here:
                found = await sent(here, requiretls=True)
                if signed and context is GOOD and knows:
                    assert found[0] == DELIVERED
                    assert "REQUIRETLS" in hop.got[0].mail_options
                else:
                    assert found == (FAILED, "5.7.30")
                    assert hop.got == []

    asyncio.run(play())


def test_requiretls_with_a_resolver_whose_word_is_anybodys(tmp_path: Path) -> None:
    async def play() -> None:
        async with peer(Script(show=["REQUIRETLS"]), tls=GOOD) as hop:
            records = Zone(zone(["mx.example.com"], mx_example_com=["127.0.0.1"]), signed=True)
            async with world(tmp_path, zone=records, mx_port=hop.port, tls=trusting(), dnssec=False) as here:
                assert await sent(here, requiretls=True) == (FAILED, "5.7.30")
                assert hop.got == []

    asyncio.run(play())


@asynccontextmanager
async def two(first: str, second: str) -> AsyncIterator[tuple[Peer, Peer]]:
    """Servers at two addresses with one port."""
    async with peer(host=first) as one, peer(host=second, port=one.port) as other:
        yield one, other


def test_by_mx_the_next_host_takes_what_the_first_cannot(tmp_path: Path) -> None:
    async def play() -> None:
        async with peer(host="127.0.0.3") as hop:
            records = zone(["a.example", "b.example", "c.example"], b_example=["127.0.0.2"], c_example=["127.0.0.3"])
            async with world(tmp_path, zone=Zone(records), mx_port=hop.port) as here:
                assert (await sent(here))[0] == DELIVERED
                assert here.last("bob@example.com")["next_hop"] == "c.example"

    asyncio.run(play())


def test_by_mx_the_preferred_host_takes_all(tmp_path: Path) -> None:
    async def play() -> None:
        async with two("127.0.0.2", "127.0.0.3") as (first, second):
            records = zone(["a.example", "b.example"], a_example=["127.0.0.2"], b_example=["127.0.0.3"])
            async with world(tmp_path, zone=Zone(records), mx_port=first.port) as here:
                for number in range(5):
                    await here.submit(f"u{number}@example.com")
                await here.run()
                assert (len(first.got), len(second.got)) == (5, 0)

    asyncio.run(play())


def test_ipv6_first_and_ipv4_if_that_is_dead(tmp_path: Path) -> None:
    async def play(served: str, folder: Path) -> None:
        async with peer(host=served) as hop:
            records = {("example.com", "A"): ["127.0.0.1"], ("example.com", "AAAA"): ["::1"]}
            async with world(folder, zone=Zone(records), mx_port=hop.port) as here:
                assert (await sent(here))[0] == DELIVERED

    for served in ("::1", "127.0.0.1"):
        asyncio.run(play(served, tmp_path / str(ip_address(served).version)))


def test_address_literals_and_domains_without_mail(tmp_path: Path) -> None:
    async def play() -> None:
        async with peer() as hop:
            records = {("null.example", "MX"): ["0 ."], ("example.net", "A"): ["127.0.0.1"]}
            async with world(tmp_path, zone=Zone(records), mx_port=hop.port) as here:
                assert (await sent(here, "bob@[127.0.0.1]"))[0] == DELIVERED
                assert await sent(here, "bob@[nonsense]") == (FAILED, "5.1.2")
                assert await sent(here, "bob@null.example") == (FAILED, "5.1.10")
                assert await sent(here, "bob@nowhere.example") == (FAILED, "5.1.2")

    asyncio.run(play())


def test_routes_by_domain(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            peer() as own,
            peer() as smart,
            world(tmp_path, routes={"example.net": own.hop}, smart_host=smart.hop) as here,
        ):
            await here.submit("alice@Example.NET", "bob@example.com")
            await here.run()
            assert [each.recipients for each in own.got] == [["alice@Example.NET"]]
            assert [each.recipients for each in smart.got] == [["bob@example.com"]]

    asyncio.run(play())
