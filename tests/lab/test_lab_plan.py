"""The plan is pure: addresses that meet nothing of the provider's, and a tree in which everything is reached."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.cli.service.config import load
from op25b.lab.addresses import CANDIDATES4, CANDIDATES6, free_host, free_networks
from op25b.lab.mailserver import main_cf, master_cf, networks_table
from op25b.lab.network import build_script
from op25b.lab.plan import Customer, Pool, Provider, lab_plan
from op25b.lab.servers import Account, MailServer, OwnServer, SmartHost, accounts
from op25b.lab.service import service_toml

SERVER = OwnServer("mail", ("mail.toy.example",), ("192.0.2.1", "2001:db8::1"), (25, 587))


def provider(*pools: Pool, **more: object) -> Provider:
    return Provider("toy", pools, (SERVER,), **more)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(0, 0xFFF), st.integers(16, 32)), max_size=12), st.integers(22, 28))
def test_free_networks_meet_nothing_used(used: list[tuple[int, int]], length: int) -> None:
    within = ip_network("198.18.0.0/20")
    start = int(within.network_address)
    taken = [ip_network((start + offset, bits), strict=False) for offset, bits in used]
    found = list(free_networks([within], taken, length))
    for network in within.subnets(new_prefix=length):
        assert (network in found) == (not any(network.overlaps(t) for t in taken))


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.1"),
        ("192.0.2.6/31", "192.0.2.6"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("2001:db8::/64", "2001:db8::1"),
        ("2001:db8::7/128", "2001:db8::7"),
    ],
)
def test_free_host_leaves_network_addresses_out(prefix: str, expected: str) -> None:
    assert free_host([ip_network(prefix)], []) == ip_address(expected)


def test_subscriber_is_clear_of_servers_companies_exemptions_and_inner_pools() -> None:
    plan = lab_plan(
        provider(
            Pool("wide", ("192.0.2.0/24",)),
            Pool("inner", ("192.0.2.4/30",)),
            customers=(Customer("company", ("192.0.2.2",)),),
            reserved=("192.0.2.8/29", "192.0.2.3/32"),
        )
    )
    assert plan.subscriber("wide").addresses == (ip_address("192.0.2.16"),)
    assert plan.subscriber("inner").addresses == (ip_address("192.0.2.5"),)
    assert plan.subscriber("company").addresses == (ip_address("192.0.2.2"),)


def test_a_pool_that_is_reserved_as_a_whole_still_has_a_subscriber() -> None:
    plan = lab_plan(provider(Pool("exempt", ("198.51.100.0/28",)), reserved=("198.51.100.0/24",)))
    assert plan.subscriber("exempt").addresses == (ip_address("198.51.100.1"),)


def test_the_lab_keeps_out_of_everything_the_policy_uses() -> None:
    everything = Pool("all", (*CANDIDATES4[:4], "2001:db8::/32"))
    plan = lab_plan(provider(everything, destinations=("10.0.0.1",)))
    around = [plan.host(n) for n in ("internet", "edge", "otherisp", "offnet", "foreign", "web")]
    private = [ip_network("10.0.0.0/8"), ip_network("3fff::/20")]
    for host in around:
        assert all(any(a in n for n in private) for a in host.addresses)
    assert plan.host("foreign").addresses.count(ip_address("10.0.0.1")) == 1


def test_no_room_left_is_an_error() -> None:
    with pytest.raises(ValueError, match="no addresses"):
        lab_plan(provider(Pool("all", ("0.0.0.0/0", *CANDIDATES6))))


def test_a_name_used_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="same name"):
        lab_plan(provider(Pool("a b", ("192.0.2.0/25",)), Pool("a_b", ("192.0.2.128/25",))))


def test_every_address_is_reached_from_the_root() -> None:
    plan = lab_plan(provider(Pool("a", ("192.0.2.0/25", "2001:db8:1::/48")), Pool("b", ("198.51.100.0/30",))))
    behind = set(plan.behind(plan.host("internet")))
    assert {ip_network(a) for h in plan.hosts for a in h.addresses} <= behind
    assert {ip_network("192.0.2.0/25"), ip_network("2001:db8:1::/48"), ip_network("198.51.100.0/30")} <= behind


def test_the_script_is_the_same_every_time() -> None:
    given_twice = [provider(Pool("a", ("192.0.2.0/25", "2001:db8:1::/48"))) for _ in range(2)]
    first, second = (build_script(lab_plan(p)) for p in given_twice)
    assert first == second
    assert "route replace 192.0.2.0/25 via inet6 fe80::2" in first


def test_postfix_is_told_only_what_it_knows_and_listens_only_where_it_should() -> None:
    addresses = (ip_address("192.0.2.1"), ip_address("2001:db8::1"))
    customers = (ip_network("198.51.100.0/25"), ip_network("2001:db8:1::/48"))
    server = MailServer("x", "x", ("x.example",), addresses, (25, 587), ("x.example", "y.example"), customers)
    bare_newline = {"smtpd_forbid_bare_newline", "smtpd_forbid_bare_newline_exclusions"}
    hardened = main_cf(server, "/x", frozenset(bare_newline)).splitlines()
    # by itself Postfix leaves out whoever is in mynetworks
    assert {"smtpd_forbid_bare_newline = normalize", "smtpd_forbid_bare_newline_exclusions = "} <= set(hardened)
    assert "smtpd_forbid" not in main_cf(server, "/x", frozenset())
    assert "virtual_mailbox_domains = x.example, y.example\n" in main_cf(server, "/x", frozenset())
    listeners = [line.split()[0] for line in master_cf(server).splitlines() if " smtpd" in line]
    assert listeners == ["192.0.2.1:25", "192.0.2.1:587", "[2001:db8::1]:25", "[2001:db8::1]:587"]
    assert networks_table(server).splitlines() == ["198.51.100.0/25 OK", "2001:db8:1::/48 OK"]


def test_a_home_server_relays_for_its_own_machine_only() -> None:
    plan = lab_plan(provider(Pool("a", ("198.51.100.0/25",)), home_servers=("a",), domains=("toy.example",)))
    home = plan.mail_servers[-1]
    assert (home.host, home.ports, home.relay_to) == ("sub-a", (25,), plan.host("foreign").address(4))
    assert home.relay_for == (ip_network("198.51.100.1/32"),)
    assert home.smart_hosts == (
        SmartHost("via587@home.example", "mail.toy.example", 587, "a@toy.example"),
        SmartHost("via25@home.example", "mail.toy.example", 25, None),
    )


def test_a_provider_that_takes_no_submission_has_no_accounts() -> None:
    only25 = OwnServer("mail", ("mail.toy.example",), ("192.0.2.1",), (25,))
    given = (Pool("a", ("198.51.100.0/25",)),)
    plan = lab_plan(Provider("toy", given, (only25,), home_servers=("a",), domains=("toy.example",)))
    assert plan.accounts == {}
    assert plan.mail_servers[-1].smart_hosts == ()
    assert lab_plan(Provider("toy", given, ())).services == ()


def test_the_name_of_the_server_goes_by_the_customers_sub_domain() -> None:
    """Claim S7."""
    server = OwnServer("mail", ("mail.aa2.toy.example", "mail.bb3.toy.example"), ("192.0.2.1",), (587,))
    found = accounts(["offnet", "sub-a", "sub-b"], ("aa2.toy.example", "bb3.toy.example"), [server])
    assert found == {
        "offnet": Account("offnet@aa2.toy.example", "mail.aa2.toy.example"),
        "sub-a": Account("a@bb3.toy.example", "mail.bb3.toy.example"),
        "sub-b": Account("b@aa2.toy.example", "mail.aa2.toy.example"),
    }


def test_the_service_is_told_where_it_listens_and_where_mail_goes(tmp_path: Path) -> None:
    given = provider(Pool("a", ("198.51.100.0/25", "2001:db8:1::/48")), domains=("toy.example",))
    plan = lab_plan(given)
    file = tmp_path / "service.toml"
    file.write_text(service_toml(plan.services[0], 1))
    read = load(file)
    listeners = [(str(each.address), each.port, each.tls, each.role) for each in read.submission.listen]
    assert listeners == [
        ("192.0.2.1", 25, "starttls", "relay"),
        ("192.0.2.1", 587, "starttls", "submission"),
        ("2001:db8::1", 25, "starttls", "relay"),
        ("2001:db8::1", 587, "starttls", "submission"),
    ]
    assert {route.domain: route.host for route in read.relay.routes} == {
        "foreign.example": str(plan.host("foreign").address(4)),
        "toy.example": "127.0.0.1",
    }
    assert (read.submission.local_domains, read.health.port) == (("toy.example",), 9527)
