"""What the connections say together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from op25b.doctor.probe.findings import CELLS, place, settled, summary
from op25b.doctor.probe.outcomes import Login, Outcome, Place, Provider, Role, Server, Target, Try

PROVIDER = Provider(
    {"ja": "例", "en": "Toy"},
    (Server("mail.isp.example", (25, 587)),),
    networks=("198.51.100.0/24", "100.64.0.0/16", "2001:db8::/32"),
    domains=("toy.example",),
)


def made(role: Role, host: str, port: int, outcome: Outcome = Outcome.WORKS, name: str = "", **more: object) -> Try:
    return Try(Target(role, host, port), 4, "192.0.2.1", outcome, name=name or host, **more)  # type: ignore[arg-type]


OURS = made(Role.OWN, "mail.isp.example", 587, name="smtp2.isp.example", verified=True)


@pytest.mark.parametrize(
    ("name", "redirected"),
    [
        ("mail.isp.example", False),
        ("mx9.isp.example", False),
        ("mta.toy.example", False),  # a domain of the provider's
        ("proxy.hotel.example", True),
        ("isp.example.hotel.example", True),
        ("localhost", True),
    ],
)
def test_another_name_than_the_server_has_proved(name: str, redirected: bool) -> None:
    relay = made(Role.OWN, "mail.isp.example", 25, name=name)
    found = settled([OURS, relay], PROVIDER)[1]
    assert (found.outcome is Outcome.REDIRECTED) is redirected


def test_the_name_of_another_server_that_was_tried() -> None:
    elsewhere = made(Role.OTHER, "mx.foreign.example", 25, name="smtp2.isp.example")
    assert settled([OURS, elsewhere], PROVIDER)[1].outcome is Outcome.REDIRECTED
    # a host may well have a name in another domain
    hosted = replace(elsewhere, name="mx.hoster.example")
    assert settled([OURS, hosted], PROVIDER)[1] == hosted


def test_a_missing_route_to_one_port_only_is_a_filter() -> None:
    refused = made(Role.OTHER, "mx.foreign.example", 25, Outcome.UNREACHABLE, detail="host unreachable")
    assert settled([OURS, refused], PROVIDER)[1].outcome is Outcome.PROHIBITED
    six = replace(refused, family=6)
    assert settled([OURS, six], PROVIDER)[1] == six
    assert settled([refused, refused], PROVIDER) == [refused, refused]


@pytest.mark.parametrize(
    ("source", "seen", "expected"),
    [
        ("198.51.100.7", "", Place.OWN),
        ("192.168.1.2", "", Place.UNKNOWN),
        ("192.168.1.2", "198.51.100.7", Place.OWN),
        ("192.168.1.2", "203.0.113.7", Place.OTHER),
        ("2001:db8::1%eth0", "", Place.OWN),
        ("fe80::1%eth0", "", Place.UNKNOWN),
        ("100.64.3.4", "", Place.OWN),  # carrier NAT of the provider's own
        ("100.99.3.4", "", Place.UNKNOWN),
        ("", "not an address", Place.UNKNOWN),
    ],
)
def test_place(source: str, seen: str, expected: Place) -> None:
    assert place([replace(OURS, source=source, seen=seen)], PROVIDER.networks) is expected


def test_without_networks_the_place_is_not_known() -> None:
    assert place([replace(OURS, source="198.51.100.7")], ()) is Place.UNKNOWN


def test_summary_takes_the_farthest_of_several() -> None:
    tries = [
        made(Role.OTHER, "one.example", 25, Outcome.REFUSED),
        made(Role.OTHER, "two.example", 25),
        made(Role.OTHER, "three.example", 443),
    ]
    found = summary(tries, PROVIDER, Login.UNTRIED, None)
    assert found.cells[CELLS.index((Role.OTHER, 25, 4))] is Outcome.WORKS
    assert sum(each is not Outcome.UNTRIED for each in found.cells) == 1
    assert found.network


def test_summary_knows_the_setting_among_the_rest() -> None:
    setting = Target(Role.SETTING, "mail.isp.example", 587)
    found = summary([OURS], PROVIDER, Login.UNTRIED, setting)
    assert found.far(Role.SETTING) is Outcome.WORKS
    assert (found.setting, found.own) == (587, True)
    odd = summary([OURS], PROVIDER, Login.UNTRIED, Target(Role.SETTING, "elsewhere.example", 2525))
    assert (odd.setting, odd.own, odd.far(Role.SETTING)) == (1, False, Outcome.UNTRIED)


def test_a_server_of_which_nothing_is_known_may_have_no_port_25() -> None:
    refused = made(Role.OWN, "mail.isp.example", 25, Outcome.REFUSED)
    unknown = Provider({}, (Server("mail.isp.example", (25, 587, 465)),))
    assert summary([refused], unknown, Login.UNTRIED, None).far(Role.OWN, 25) is Outcome.UNTRIED
    assert summary([refused], PROVIDER, Login.UNTRIED, None).far(Role.OWN, 25) is Outcome.REFUSED
