"""Real clients, real servers, and rules written by hand in the edge router: what the wire then shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from op25b.lab import Client, Kind, Lab, Message, attempt, clients

_numbers = count()


def message(**more: str) -> Message:
    return Message(f"attempt-{next(_numbers)}-", **more)


def foreign(lab: Lab, version: int) -> str:
    return str(lab.plan.host("foreign").address(version))


@contextmanager
def rule_at(lab: Lab, router: str, statement: str) -> Iterator[None]:
    hook = "type filter hook forward priority 0; policy accept;"
    rules = f"table inet byhand {{ chain forward {{ {hook}\ntcp dport 25 {statement}\n}}\n}}\n"
    lab.run(router, ["nft", "-f", "-"], input=rules, check=True)
    try:
        yield
    finally:
        lab.run(router, ["nft", "delete", "table", "inet", "byhand"], check=True)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("port", [25, 587, 465])
@pytest.mark.parametrize("make", [clients.swaks, clients.curl, clients.smtplib])
def test_mail_goes_through(toy: Lab, make: Callable[..., Client], port: int, version: int) -> None:
    mail = message()
    tried = attempt(toy, "sub-flets", make(mail, foreign(toy, version), port, toy.authority))
    assert (tried.exit_code, tried.outcome.kind) == (0, Kind.CONNECTED), tried.output
    assert tried.outcome.source == toy.plan.subscriber("flets").address(version)
    assert toy.mailbox("foreign").wait(mail.token, 5) is not None


def test_a_certificate_that_nobody_knows_is_refused_by_the_client(toy: Lab) -> None:
    wrong = clients.smtplib(message(), foreign(toy, 4), 465, "/etc/ssl/certs/ca-certificates.crt")
    tried = attempt(toy, "sub-flets", wrong)
    assert tried.exit_code == 1
    assert tried.outcome.kind is Kind.CONNECTED  # the wire is open: it is not the network that refused


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("reject with tcp reset", Kind.RESET),
        ("reject with icmpx admin-prohibited", Kind.PROHIBITED),
        ("reject with icmpx no-route", Kind.UNREACHABLE),
        ("drop", Kind.SILENT),
    ],
)
def test_a_refusal_is_told_from_the_wire(toy: Lab, statement: str, kind: Kind, version: int) -> None:
    target = foreign(toy, version)
    with rule_at(toy, "edge", statement):
        tried = attempt(toy, "sub-flets", clients.connect(target, 25, seconds=0.5))
        beside = attempt(toy, "sub-flets", clients.connect(target, 587))
    assert tried.exit_code == 1
    assert (tried.outcome.kind, tried.outcome.forwarded) == (kind, False), tried
    assert tried.outcome.here is (kind is not Kind.SILENT)
    assert (tried.outcome.milliseconds is None) is (kind is Kind.SILENT)
    assert tried.outcome.refused
    assert beside.outcome.kind is Kind.CONNECTED
    assert attempt(toy, "sub-flets", clients.connect(target, 25)).outcome.kind is Kind.CONNECTED


def test_refused_mail_does_not_arrive(toy: Lab) -> None:
    mail = message()
    with rule_at(toy, "edge", "reject with tcp reset"):
        tried = attempt(toy, "sub-flets", clients.swaks(mail, foreign(toy, 4), 25, toy.authority))
    assert tried.exit_code != 0
    assert "Connection refused" in tried.output
    assert toy.mailbox("foreign").find(mail.token) is None


def test_a_closed_port_is_a_reset_from_beyond_the_edge(toy: Lab) -> None:
    tried = attempt(toy, "sub-flets", clients.connect("198.51.100.25", 25))
    assert (tried.outcome.kind, tried.outcome.here, tried.outcome.forwarded) == (Kind.RESET, False, True)


def test_a_client_that_never_tries_is_no_attempt(toy: Lab) -> None:
    tried = attempt(toy, "sub-only6", clients.connect(foreign(toy, 4), 25))
    assert (tried.exit_code, tried.outcome.kind) == (1, Kind.NONE)


@pytest.mark.parametrize(("pool", "version"), [("only4", 4), ("only6", 6), ("dial-up", 6), ("company", 4)])
def test_every_kind_of_pool_is_wired(toy: Lab, pool: str, version: int) -> None:
    subscriber = toy.plan.subscriber(pool)
    tried = attempt(toy, subscriber.name, clients.connect(foreign(toy, version), 25))
    assert tried.outcome.kind is Kind.CONNECTED
    assert tried.outcome.source == subscriber.address(version)


@pytest.mark.parametrize("address", ["192.0.2.100", "2001:db8:1:ffff::9"])
def test_another_address_of_the_pool_is_a_source_too(toy: Lab, address: str) -> None:
    toy.add_address("sub-flets", address)
    target = foreign(toy, 6 if ":" in address else 4)
    tried = attempt(toy, "sub-flets", clients.connect(target, 25, source=address))
    assert (tried.outcome.kind, str(tried.outcome.source)) == (Kind.CONNECTED, address)


def test_the_own_server_relays_for_subscribers_and_for_nobody_else(toy: Lab) -> None:
    mail = message()
    tried = attempt(toy, "sub-flets", clients.curl(mail, "192.0.2.5", 587, toy.authority))
    assert tried.exit_code == 0, tried.output
    arrived = toy.mailbox("foreign").wait(mail.token, 10)
    assert arrived is not None
    # As the last to hand it on it is named first.
    assert "192.0.2.5" in arrived.get_all("Received", [])[0]
    stranger = attempt(toy, "offnet", clients.swaks(message(), "192.0.2.5", 25, toy.authority))
    assert stranger.outcome.kind is Kind.CONNECTED
    assert "Relay access denied" in stranger.output


def test_mail_for_the_provider_arrives_at_its_server(toy: Lab) -> None:
    mail = message(recipient="somebody@provider.example")
    assert attempt(toy, "offnet", clients.smtplib(mail, "192.0.2.5", 25, toy.authority)).exit_code == 0
    assert toy.mailbox("own0").wait(mail.token, 10) is not None


def test_names_of_servers_are_known_to_clients(toy: Lab) -> None:
    assert "192.0.2.5" in toy.run("sub-flets", ["getent", "ahostsv4", "mail.toy.example"]).stdout


def test_webmail_hands_the_mail_over_itself(toy: Lab) -> None:
    mail = message()
    with rule_at(toy, "edge", "reject with tcp reset"):
        tried = attempt(toy, "sub-flets", clients.webmail(mail, str(toy.plan.host("web").address(6))))
    assert (tried.exit_code, tried.outcome.kind) == (0, Kind.CONNECTED), tried.output
    assert toy.mailbox("foreign").wait(mail.token, 10) is not None


def test_another_provider_may_block_too(toy: Lab) -> None:
    with rule_at(toy, "otherisp", "reject with tcp reset"):
        theirs = attempt(toy, "offnet", clients.connect("192.0.2.5", 25))
        ours = attempt(toy, "sub-flets", clients.connect(foreign(toy, 4), 25))
    assert (theirs.outcome.kind, theirs.outcome.here) == (Kind.RESET, True)
    assert ours.outcome.kind is Kind.CONNECTED


def test_a_home_server_is_reached_from_outside_and_delivers_outward(toy: Lab) -> None:
    home = str(toy.plan.subscriber("dial-up").address(4))
    inward = message(recipient="me@home.example")
    tried = attempt(toy, "foreign", clients.swaks(inward, home, 25, toy.authority))
    assert (tried.exit_code, tried.outcome.kind) == (0, Kind.CONNECTED), tried.output
    assert toy.mailbox("sub-dial-up").wait(inward.token, 10) is not None
    outward = message()
    assert attempt(toy, "sub-dial-up", clients.swaks(outward, home, 25, toy.authority)).exit_code == 0
    assert toy.mailbox("foreign").wait(outward.token, 10) is not None
