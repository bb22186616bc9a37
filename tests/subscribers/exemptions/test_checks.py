"""What the checks find out: from a real name server over the loopback, and from leases."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from op25b.store import Store
from op25b.subscribers.exemptions import checks
from op25b.subscribers.exemptions.checks import reverse_of
from op25b.subscribers.exemptions.criteria import Reverse
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import Kind
from op25b.subscribers.leases import Claim, Leases
from tests.subscribers.exemptions.conftest import START, policy

ZONE = {
    ("25.1.18.198.in-addr.arpa.", "PTR"): ["MAIL.company.example.", "other.company.example."],
    ("mail.company.example.", "A"): ["198.18.1.20", "198.18.1.25"],
    ("mail.company.example.", "AAAA"): ["2001:db8:1::25"],
    ("other.company.example.", "A"): ["198.18.1.99"],
    ("5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "PTR"): ["mail.company.example."],
    ("26.1.18.198.in-addr.arpa.", "PTR"): [f"m{number:02}.company.example." for number in range(30)],
    **{(f"m{number:02}.company.example.", "A"): ["198.18.1.26"] for number in range(30)},
}


class NameServer:
    """Answers over UDP from ZONE; SERVFAIL for 198.18.1.27, nothing at all for 198.18.1.28."""

    def __init__(self) -> None:
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def resolver(self) -> dns.resolver.Resolver:
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port, made.lifetime = ["127.0.0.1"], self._socket.getsockname()[1], 0.5
        return made

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            self.asked += 1
            query = dns.message.from_wire(data)
            question = query.question[0]
            name = question.name.to_text().lower()
            response = dns.message.make_response(query)
            response.flags |= dns.flags.RA
            if found := ZONE.get((name, dns.rdatatype.to_text(question.rdtype))):
                response.answer.append(dns.rrset.from_text(question.name, 60, "IN", question.rdtype, *found))
            elif name.startswith("27."):
                response.set_rcode(dns.rcode.SERVFAIL)
            elif name.startswith("28."):
                continue
            else:
                response.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(response.to_wire(), client)


@pytest.fixture
def server() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("198.18.1.25", Reverse(("mail.company.example", "other.company.example"), ("mail.company.example",))),
        ("2001:db8:1::25", Reverse(("mail.company.example",), ("mail.company.example",))),
        ("198.18.1.1", Reverse()),
    ],
)
def test_names_and_those_that_lead_back(server: NameServer, address: str, found: Reverse) -> None:
    assert reverse_of(ip_address(address), server.resolver) == found


@pytest.mark.parametrize(("address", "error"), [("198.18.1.27", "NoNameservers"), ("198.18.1.28", "LifetimeTimeout")])
def test_no_answer_is_not_the_same_as_no_name(server: NameServer, address: str, error: str) -> None:
    assert reverse_of(ip_address(address), server.resolver).trouble == f"the name service gives no answer ({error})"


def test_who_has_a_thousand_names_keeps_nobody_busy(server: NameServer) -> None:
    found = reverse_of(ip_address("198.18.1.26"), server.resolver)
    assert len(found.names) == checks.MOST_NAMES
    assert server.asked <= 1 + checks.MOST_NAMES


def test_a_subscriber_is_looked_at_where_he_is_now(server: NameServer, store: Store) -> None:
    terms = policy({"subscriber": {"static_address": True, "reverse_dns": "not-generic"}})
    asked = Asked(Kind.SUBSCRIBER, "taro", None, "own server")
    look = checks.looking(store, terms, server.resolver, START)
    assert [finding.found for finding in look(asked)] == [
        "the subscriber holds no address now",
        "it is not said which of the addresses is the server's, or it is none of them",
    ]
    at = START - timedelta(hours=1)
    claim = Claim("bng1", "s1", "taro", ("198.18.1.25/32",), at, at)
    Leases(store, timedelta(hours=24)).merge([claim], START)
    assert [(finding.passed, finding.found) for finding in look(asked)] == [
        (True, "198.18.1.25/32: static"),
        (True, "198.18.1.25 is mail.company.example, and back"),
    ]


def test_a_prefix_is_looked_at_as_it_is(server: NameServer, store: Store) -> None:
    terms = policy({"prefix": {"static_address": True, "reverse_dns": "confirmed"}})
    asked = Asked(Kind.PREFIX, "taro", "198.18.1.24/29", "own server", server="198.18.1.25")
    assert all(finding.passed for finding in checks.looking(store, terms, server.resolver, START)(asked))


def test_nothing_is_asked_of_the_name_service_that_the_terms_do_not_want(server: NameServer, store: Store) -> None:
    asked = Asked(Kind.PREFIX, "taro", "198.18.1.25/32", "own server")
    assert checks.looking(store, policy({}), server.resolver, START)(asked) == []
    assert server.asked == 0


def test_a_host_without_a_name_server_finds_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: object, _: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", none)
    assert not reverse_of(ip_address("198.18.1.25"), checks.resolver()).confirmed
