"""Real clients, real servers, and rules written by hand in the edge router: what the wire then shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count

import pytest

from op25b.lab import Client, Kind, Lab, Login, Message, To, attempt, clients
from op25b.lab.attempts import NO_AUTH, refusal
from op25b.lab.clients import Tls
from op25b.lab.servers import PASSWORD

from .conftest import FORWARD, rules

_numbers = count()


def message(**more: str) -> Message:
    return Message(f"attempt-{next(_numbers)}-", **more)


def foreign(lab: Lab, version: int) -> str:
    return str(lab.plan.host("foreign").address(version))


def rule_at(lab: Lab, router: str, statement: str) -> AbstractContextManager[None]:
    return rules(lab, router, FORWARD, f"tcp dport 25 {statement}")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("port", [25, 587, 465])
@pytest.mark.parametrize("make", [clients.swaks, clients.curl, clients.smtplib, clients.msmtp])
def test_mail_goes_through(toy: Lab, make: Callable[..., Client], port: int, version: int) -> None:
    mail = message()
    tried = attempt(toy, "sub-flets", make(mail, To(foreign(toy, version), port, toy.authority)))
    assert (tried.exit_code, tried.outcome.kind) == (0, Kind.CONNECTED), tried.output
    assert tried.outcome.source == toy.plan.subscriber("flets").address(version)
    assert toy.mailbox("foreign").wait(mail.token, 5) is not None


def test_a_certificate_that_nobody_knows_is_refused_by_the_client(toy: Lab) -> None:
    wrong = clients.smtplib(message(), To(foreign(toy, 4), 465, "/etc/ssl/certs/ca-certificates.crt"))
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
        tried = attempt(toy, "sub-flets", clients.swaks(mail, To(foreign(toy, 4), 25, toy.authority)))
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


PROGRAMS = [clients.swaks, clients.curl, clients.smtplib, clients.msmtp]


def own(lab: Lab, host: str, port: int = 587, version: int = 4, **more: object) -> To:
    """The provider's server as a customer's mail program is told of it."""
    account, source = lab.plan.accounts[host], str(lab.plan.host(host).address(version))
    login = Login(account.name, PASSWORD)
    return To(account.server, port, lab.authority, source, **{"login": login, **more})  # type: ignore[arg-type]


def from_account(lab: Lab, host: str) -> Message:
    return message(sender=lab.plan.accounts[host].name)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("port", [587, 465])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("make", PROGRAMS)
def test_a_customer_submits(toy: Lab, make: Callable[..., Client], mechanism: str, port: int, version: int) -> None:
    mail, login = from_account(toy, "sub-flets"), Login("flets@toy.example", PASSWORD, mechanism)
    tried = attempt(toy, "sub-flets", make(mail, own(toy, "sub-flets", port, version, login=login)))
    assert (tried.exit_code, tried.outcome.kind, tried.answer) == (0, Kind.CONNECTED, ""), tried.output
    arrived = toy.mailbox("foreign").wait(mail.token, 10)
    assert arrived is not None
    assert mail.is_in(arrived)
    # as the last to hand it on the provider's server is named first, and the customer's address nowhere
    last, first = arrived.get_all("Received", [])
    assert "192.0.2.5" in last
    assert "from customer" in first
    assert "with ESMTPSA" in first


@pytest.mark.parametrize("make", PROGRAMS)
def test_the_servers_refusal_is_read_off_each_client(toy: Lab, make: Callable[..., Client]) -> None:
    mail = from_account(toy, "sub-flets")
    wrong = Login(mail.sender, "wrong")
    for to, answer in [
        (own(toy, "sub-flets", login=wrong), "535 5.7.8"),
        (own(toy, "sub-flets", login=None), "530 5.7.0"),
        (own(toy, "sub-flets", login=None, tls=Tls.NONE), "530 5.7.0"),
    ]:
        tried = attempt(toy, "sub-flets", make(mail, to))
        assert (tried.answer, tried.outcome.kind) == (answer, Kind.CONNECTED), tried.output
        assert tried.exit_code != 0
    foreign_sender = attempt(toy, "sub-flets", make(message(), own(toy, "sub-flets")))
    assert foreign_sender.answer == "550 5.7.1"
    assert toy.mailbox("foreign").find(mail.token) is None


@pytest.mark.parametrize("make", [clients.swaks, clients.smtplib])
def test_without_tls_there_is_no_auth(toy: Lab, make: Callable[..., Client]) -> None:
    tried = attempt(toy, "sub-flets", make(from_account(toy, "sub-flets"), own(toy, "sub-flets", tls=Tls.NONE)))
    assert tried.answer == NO_AUTH, tried.output


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("<** 535 5.7.8 authentication failed", "535 5.7.8"),
        ("< 250 2.1.0 Sender ok\n< 550 5.7.1 relaying denied\n* Connected to 192.0.2.5", "550 5.7.1"),
        ("SMTPDataError: 554 5.6.0 no", "554 5.6.0"),
        ("msmtp: server message: 530 5.7.0 Authentication required", "530 5.7.0"),
        ("connected from 1530 to 192.0.2.5 port 587", ""),
    ],
)
def test_a_refusal_is_a_reply_with_its_status(output: str, answer: str) -> None:
    assert refusal(output) == answer


def test_each_name_of_the_server_has_a_certificate_of_its_own(toy: Lab) -> None:
    mail = from_account(toy, "sub-flets")
    for name in ("mail.toy.example", "smtp.toy.example"):
        to = replace(own(toy, "sub-flets"), address=name)
        assert attempt(toy, "sub-flets", clients.curl(mail, to)).exit_code == 0
        shown = toy.run("sub-flets", ["openssl", "s_client", "-connect", f"{name}:465", "-servername", name])
        assert f"DNS:{name}," in toy.run("sub-flets", ["openssl", "x509", "-noout", "-text"], input=shown.stdout).stdout


def test_the_own_server_relays_for_the_policys_pools_and_for_nobody_else(toy: Lab) -> None:
    mail = message()
    tried = attempt(toy, "sub-flets", clients.curl(mail, To("192.0.2.5", 25, toy.authority)))
    assert tried.exit_code == 0, tried.output
    assert toy.mailbox("foreign").wait(mail.token, 10) is not None
    for host in ("offnet", "sub-only4"):
        stranger = attempt(toy, host, clients.swaks(message(), To("192.0.2.5", 25, toy.authority)))
        assert (stranger.outcome.kind, stranger.answer) == (Kind.CONNECTED, "550 5.7.1"), stranger.output


def test_mail_for_the_provider_arrives_at_its_mailboxes(toy: Lab) -> None:
    mail, to = message(recipient="flets@toy.example"), To("192.0.2.5", 25, toy.authority)
    assert attempt(toy, "offnet", clients.smtplib(mail, to)).exit_code == 0
    assert toy.mailbox("mailboxes").wait(mail.token, 10) is not None
    assert attempt(toy, "offnet", clients.smtplib(message(recipient="nobody@toy.example"), to)).answer == "550 5.1.1"


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
    tried = attempt(toy, "foreign", clients.swaks(inward, To(home, 25, toy.authority)))
    assert (tried.exit_code, tried.outcome.kind) == (0, Kind.CONNECTED), tried.output
    assert toy.mailbox("sub-dial-up").wait(inward.token, 10) is not None
    # straight to the foreign server, and through the provider's: logged in on 587, by address on 25
    for sender in ("owner@home.example", "via587@home.example", "via25@home.example"):
        outward = message(sender=sender)
        assert attempt(toy, "sub-dial-up", clients.swaks(outward, To(home, 25, toy.authority))).exit_code == 0
        arrived = toy.mailbox("foreign").wait(outward.token, 10)
        assert arrived is not None, sender
        servers = [each.split()[1] for each in arrived.get_all("Received", [])]
        assert servers[-1] == "client.example"
        assert len(servers) == (2 if sender.startswith("owner") else 3), servers
