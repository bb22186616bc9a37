"""Live checks: what a stranger can make this host connect to, how often, and what is said of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from types import SimpleNamespace
from typing import Any

import dns.name
import dns.resolver
import pytest

from op25b.doctor.probe.outcomes import Outcome
from op25b.policy.model import Policy
from op25b.policy.verdict import Judge
from op25b.portal.public import checking, reach
from op25b.portal.public.reach import No, Reach, Reached, is_public
from tests.portal.public.conftest import Portal, example
from tests.support.words import visible

HERE = ip_address("203.0.113.80")


@dataclass
class Names:
    """A resolver with these addresses."""

    addresses: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def resolve(self, qname: dns.name.Name, rdtype: str) -> Any:
        name = qname.to_text(omit_final_dot=True)
        self.asked.append(name)
        found = [each for each in self.addresses.get(name, ()) if (":" in each) == (rdtype == "AAAA")]
        if not found:
            raise dns.resolver.NXDOMAIN
        return [SimpleNamespace(address=each) for each in found]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where connections would have gone to; none is made."""
    found: list[tuple[str, int]] = []

    def note(planned: Any, *_: Any) -> Any:
        found.append((planned.address, planned.target.port))
        return planned

    monkeypatch.setattr(reach, "attempt", note)
    return found


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(example("netlaputa"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1",
        "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:a00:1::1", "ff02::1",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_no_way_into_private_networks(judge: Judge, tried: list[tuple[str, int]], address: str) -> None:
    assert not is_public(ip_address(address))
    names = Names({"evil.example.com": [address]})
    assert Reach(names, lambda: 0.0).check(judge, "evil.example.com", HERE) is No.CLOSED
    assert tried == []


def test_of_several_addresses_the_public_ones(judge: Judge, tried: list[tuple[str, int]]) -> None:
    names = Names({"mail.example.com": ["10.0.0.1", "8.8.8.8", "9.9.9.9", "2606:4700::1"]})
    assert isinstance(Reach(names, lambda: 0.0).check(judge, "Mail.Example.com.", HERE), Reached)
    assert sorted(tried) == [("2606:4700::1", 465), ("2606:4700::1", 587), ("8.8.8.8", 465), ("8.8.8.8", 587)]


def test_no_customer_is_knocked_at(judge: Judge, tried: list[tuple[str, int]]) -> None:
    names = Names({"taro.example.com": ["198.18.0.9"]})
    assert Reach(names, lambda: 0.0, lambda _: True).check(judge, "taro.example.com", HERE) is No.CLOSED
    assert tried == []


@pytest.mark.parametrize(
    "written",
    ["", "localhost", "8.8.8.8", "2606:4700::1", "[::1]", "a b.example", "x" * 300, "http://mail.example.com/",
     "mail.example.com:25", "mail.example.com\r\nRSET", "例え.example", "{subdomain}.example.com", "0x7f.1"],
)  # fmt: skip
def test_names_of_servers_only(judge: Judge, tried: list[tuple[str, int]], written: str) -> None:
    names = Names()
    assert Reach(names, lambda: 0.0).check(judge, written, HERE) is No.NO_NAME
    assert (names.asked, tried) == ([], [])


def test_the_provider_s_own_servers_are_as_the_policy_has_them(judge: Judge, tried: list[tuple[str, int]]) -> None:
    names = Names({"mail.netlaputa.example": ["10.0.0.1"]})
    found = Reach(names, lambda: 0.0).check(judge, "mail.netlaputa.example", HERE)
    assert isinstance(found, Reached)
    own = judge.policy.own_servers[0].addresses
    assert sorted(tried) == sorted((str(address), port) for address in own for port in (465, 587))
    assert names.asked == []


def test_a_name_without_addresses(judge: Judge) -> None:
    assert Reach(Names(), lambda: 0.0).check(judge, "nowhere.example.com", HERE) is No.UNKNOWN


def test_so_often_and_no_oftener(judge: Judge, tried: list[tuple[str, int]]) -> None:
    now = [0.0]
    checks = Reach(Names(), lambda: now[0])
    for number in range(reach.MOST_OF_A_VISITOR):
        assert checks.check(judge, f"m{number}.example.com", HERE) is No.UNKNOWN
    assert checks.check(judge, "one-more.example.com", HERE) is No.OFTEN
    assert checks.check(judge, "m0.example.com", ip_address("203.0.113.81")) is No.UNKNOWN
    now[0] = reach.WINDOW_SECONDS + 1
    assert checks.check(judge, "one-more.example.com", HERE) is No.UNKNOWN


def test_all_together_no_oftener_either(judge: Judge) -> None:
    checks = Reach(Names(), lambda: 0.0)
    answers = [
        checks.check(judge, f"m{number}.example.com", IPv4Address(number)) for number in range(reach.MOST_OF_ALL + 1)
    ]
    assert answers[-2:] == [No.UNKNOWN, No.OFTEN]


def test_a_server_is_not_asked_again_at_once(judge: Judge, tried: list[tuple[str, int]]) -> None:
    now = [0.0]
    checks = Reach(Names({"mail.example.com": ["8.8.8.8"]}), lambda: now[0])
    for _ in range(20):
        assert isinstance(checks.check(judge, "mail.example.com", HERE), Reached)
    assert len(tried) == 2
    now[0] = reach.KEPT_SECONDS
    checks.check(judge, "mail.example.com", HERE)
    assert len(tried) == 4


def test_only_so_many_at_once(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, started = threading.Event(), threading.Semaphore(0)

    def wait(planned: Any, *_: Any) -> Any:
        started.release()
        go_on.wait(20)
        return planned

    monkeypatch.setattr(reach, "attempt", wait)
    names = Names({f"m{number}.example.com": ["8.8.8.8"] for number in range(9)})
    checks = Reach(names, lambda: 0.0)
    threads = [
        threading.Thread(target=checks.check, args=(judge, f"m{number}.example.com", IPv4Address(number)))
        for number in range(reach.AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for _ in range(2 * reach.AT_ONCE):
        assert started.acquire(timeout=20)
    assert checks.check(judge, "m8.example.com", HERE) is No.BUSY
    go_on.set()
    for thread in threads:
        thread.join()
    assert isinstance(checks.check(judge, "m8.example.com", HERE), Reached)


@contextmanager
def answering(greeting: bytes) -> Iterator[int]:
    """Somebody who says that on a port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)
                connection.recv(1000)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_real_connections(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    names = Names({"mail.example.com": ["127.0.0.1"]})
    checks = Reach(names, lambda: 0.0, lambda _: True)
    with answering(b"554 go away\r\n") as port:
        monkeypatch.setattr(reach, "SUBMISSION", (port, closed))
        found = checks.check(Judge(policy), "mail.example.com", HERE)
    assert isinstance(found, Reached)
    assert [each.outcome for each in found.tries] == [Outcome.FAILING, Outcome.REFUSED]


@pytest.fixture
def policy() -> Policy:
    return example("netlaputa")


def test_every_outcome_has_its_words() -> None:
    said = checking._OUTCOMES.keys()
    assert {each for each in Outcome if each not in said} == {
        Outcome.UNTRIED, Outcome.UNRESOLVED, Outcome.FAILING, Outcome.DENIED, Outcome.REDIRECTED,
    }  # fmt: skip
    assert set(checking._NO) == set(No)


def test_the_page_takes_its_own_form_only_and_says_what_is_wrong(portal: Portal) -> None:
    with portal.client("203.0.113.80") as client:
        shown = client.get("/en/check").text
        token = shown.partition('name="form_token" value="')[2].partition('"')[0]
        assert client.post("/en/check", data={"host": "mail.example.com"}).status_code == 403
        answer = client.post("/en/check", data={"host": "<b>", "form_token": token})
        assert (answer.status_code, "Please write the name of the server" in visible(answer.text)) == (422, True)
        assert "<b>" not in answer.text
        answer = client.post("/en/check", data={"host": "mail.example.com", "form_token": token})
        assert (answer.status_code, "There is no server of this name" in answer.text) == (422, True)
        assert client.post("/en/check", data={"host": "x" * 20_000, "form_token": token}).status_code == 413


def test_of_our_own_server_nobody_is_sent_elsewhere(portal: Portal, tried: list[tuple[str, int]]) -> None:
    with portal.client("203.0.113.80") as client:
        token = client.get("/en/check").text.partition('name="form_token" value="')[2].partition('"')[0]
        page = client.post("/en/check", data={"host": "mail.netlaputa.example", "form_token": token}).text
    assert tried
    assert "This is our own server" in visible(page)
    assert 'href="/en/contact">Outages and contacts' in page
    assert "ask the operator" not in page
