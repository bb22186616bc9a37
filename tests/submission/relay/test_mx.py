"""Where mail for a domain goes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import cast

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from op25b.submission.driver import relaying
from op25b.submission.relay import mx
from op25b.submission.relay.mx import Hosts, NoRoute, Resolver
from op25b.submission.relay.outcome import Result
from tests.submission.relay.zone import Zone

NONE: frozenset[str] = frozenset()


def straight(_: list[str]) -> None:
    """Leaves hosts of equal preference as they come."""


def hosts(zone: Resolver, domain: str = "example.com", own: frozenset[str] = NONE,
          shuffle: Callable[[list[str]], None] = straight) -> Hosts:  # fmt: skip
    return asyncio.run(mx.hosts(domain, zone, shuffle, own))


def route(zone: Resolver, names: list[str]) -> list[tuple[str, str]]:
    async def collect() -> list[tuple[str, str]]:
        return [each async for each in mx.reachable(names, zone)]

    return asyncio.run(collect())


def test_hosts_in_the_order_of_their_preference() -> None:
    zone = Zone({("example.com", "MX"): ["20 b.example.com.", "5 A.example.com.", "100 c.example.net."]})
    assert hosts(zone).names == ("a.example.com", "b.example.com", "c.example.net")


def test_equal_preferences_are_shuffled_and_others_are_not() -> None:
    zone = Zone({("example.com", "MX"): ["5 first.example.com.", *(f"10 m{n}.example.com." for n in range(6))]})
    seen = {hosts(zone, shuffle=random.Random(seed).shuffle).names for seed in range(20)}
    assert len(seen) > 5
    assert {each[0] for each in seen} == {"first.example.com"}


def test_a_domain_without_mx_is_its_own_host() -> None:
    assert hosts(Zone({("example.com", "A"): ["192.0.2.1"]})).names == ("example.com",)


@pytest.mark.parametrize(
    ("own", "left"),
    [({"b.example.com"}, ("a.example.com",)), ({"c.example.com"}, ("a.example.com", "b.example.com"))],
)
def test_no_host_at_or_behind_ourselves(own: set[str], left: tuple[str, ...]) -> None:
    zone = Zone({("example.com", "MX"): ["5 a.example.com.", "10 b.example.com.", "20 c.example.com."]})
    assert hosts(zone, own=frozenset(own)).names == left


@pytest.mark.parametrize(
    ("records", "result", "status"),
    [
        ({("example.com", "MX"): ["0 ."]}, Result.FAILED, "5.1.10"),
        ({}, Result.FAILED, "5.1.2"),
        ({("example.com", "MX"): ["5 mail.example.net."]}, Result.FAILED, "5.4.6"),
        ({("example.com", "MX"): dns.resolver.NoNameservers()}, Result.DEFERRED, "4.4.3"),
        ({("example.com", "MX"): dns.exception.Timeout()}, Result.DEFERRED, "4.4.3"),
    ],
    ids=["null-mx", "no-such-domain", "ourselves", "servfail", "timeout"],
)
def test_no_route(records: dict[tuple[str, str], list[str] | Exception], result: Result, status: str) -> None:
    with pytest.raises(NoRoute) as caught:
        hosts(Zone(records), own=frozenset({"mail.example.net"}))
    assert (caught.value.outcome.result, caught.value.outcome.status) == (result, status)


@pytest.mark.parametrize("domain", ["a" * 64 + ".example", "a..example"])
def test_what_is_no_domain_name_fails_for_good(domain: str) -> None:
    async def ask() -> None:
        await mx.hosts(domain, dns.asyncresolver.Resolver(configure=False), straight, NONE)

    with pytest.raises(NoRoute) as caught:
        asyncio.run(ask())
    assert caught.value.outcome.status == "5.1.2"


def test_both_families_by_turns() -> None:
    zone = Zone({("m.example", "A"): ["192.0.2.1", "192.0.2.2"], ("m.example", "AAAA"): ["2001:db8::1"]})
    found = [address for _, address in route(zone, ["m.example"])]
    assert found[0] == "2001:db8::1"
    assert sorted(found[1:]) == ["192.0.2.1", "192.0.2.2"]


def test_a_host_without_address_is_passed_over() -> None:
    zone = Zone({("m.example", "A"): ["192.0.2.1"], ("bad.example", "A"): dns.exception.Timeout()})
    assert route(zone, ["none.example", "bad.example", "m.example"]) == [("m.example", "192.0.2.1")]


@pytest.mark.parametrize(
    ("names", "status"),
    [(["none.example"], "5.4.4"), (["bad.example"], "4.4.3"), (["none.example", "bad.example"], "4.4.3"),
     (["bad.example", "none.example"], "4.4.3")],
)  # fmt: skip
def test_no_host_has_an_address(names: list[str], status: str) -> None:
    with pytest.raises(NoRoute) as caught:
        route(Zone({("bad.example", "A"): dns.exception.Timeout()}), names)
    assert caught.value.outcome.status == status


def test_the_other_family_does_when_one_cannot_be_looked_up() -> None:
    zone = Zone({("m.example", "AAAA"): dns.exception.Timeout(), ("m.example", "A"): ["192.0.2.1"]})
    assert route(zone, ["m.example"]) == [("m.example", "192.0.2.1")]


@pytest.mark.parametrize(
    ("domain", "address"),
    [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:db8::1]", "2001:db8::1"), ("[ipv6:::1]", "::1"), ("[x]", None),
     ("192.0.2.1", None), ("[192.0.2.1", None)],
)  # fmt: skip
def test_address_literals(domain: str, address: str | None) -> None:
    assert mx.literal(domain) == address


class NameServer(asyncio.DatagramProtocol):
    """A name server over UDP that knows one domain; it says SERVFAIL for another. It validates for who asks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        asked = query.question[0]
        response = dns.message.make_response(query)
        response.flags |= query.flags & dns.flags.AD
        answers = {
            ("example.com.", "MX"): ["10 m.example.com."],
            ("m.example.com.", "A"): ["192.0.2.9"],
            ("m.example.com.", "AAAA"): ["2001:db8::9"],
        }
        found = answers.get((asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype)))
        if found:
            response.answer.append(dns.rrset.from_text(asked.name, 60, "IN", asked.rdtype, *found))
        elif asked.name.to_text() == "broken.example.":
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(response.to_wire(), address)


def test_with_dnspython_over_the_network() -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = transport.get_extra_info("sockname")[1]
        resolver.lifetime = 2.0
        found = await mx.hosts("example.com", resolver, straight, NONE)
        assert found == Hosts(("m.example.com",), secure=False)
        assert [each async for each in mx.reachable(found.names, resolver)] == [
            ("m.example.com", "2001:db8::9"), ("m.example.com", "192.0.2.9"),
        ]  # fmt: skip
        for domain, status in (("nowhere.example", "5.1.2"), ("broken.example", "4.4.3")):
            with pytest.raises(NoRoute) as caught:
                await mx.hosts(domain, resolver, straight, NONE)
            assert caught.value.outcome.status == status
        resolver.flags = relaying.resolver().flags
        assert (await mx.hosts("example.com", resolver, straight, NONE)).secure
        transport.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("servers", "local"), [(["127.0.0.1", "::1"], True), (["127.0.0.1", "192.0.2.1"], False), ([], False)]
)
def test_whose_word_for_dnssec_is_believed(servers: list[str], local: bool) -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = servers
    assert relaying.is_local(resolver) is local
