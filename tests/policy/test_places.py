"""From an address to what the policy knows of it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings

from op25b.policy.intervals import TOP
from op25b.policy.model import Policy
from op25b.policy.places import Place, destinations, sources
from tests.support.policies import edges, policies

PARTS = {
    "provider": {"name": "p", "display": {"ja": "P", "en": "P"}, "time_zone": "UTC"},
    "own_servers": [{"name": "mail", "hosts": ["m.example"], "addresses": ["198.18.0.25"], "ports": [587]}],
    "pools": [
        {"name": "outer", "prefixes": ["198.18.0.0/16"]},
        {"name": "again", "prefixes": ["198.18.0.0/24", "198.18.0.0/16"]},
        {"name": "next", "prefixes": ["198.19.0.0/16"]},
    ],
    "exemptions": [
        {"name": "wide", "prefixes": ["198.18.0.0/24"], "reason": "x"},
        {"name": "narrow", "prefixes": ["198.18.0.24/31", "198.18.0.24/32"], "destinations": ["::/0"], "reason": "x"},
    ],
}
POLICY = Policy.model_validate(PARTS)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("198.17.255.255", Place()),
        ("198.18.0.0", Place(pool=0, exemptions=(0,))),
        ("198.18.0.23", Place(pool=0, exemptions=(0,))),
        ("198.18.0.24", Place(pool=0, exemptions=(0, 1))),
        ("198.18.0.25", Place(pool=0, server=0, exemptions=(0, 1))),
        ("198.18.0.26", Place(pool=0, exemptions=(0,))),
        ("198.18.1.0", Place(pool=0)),
        ("198.18.255.255", Place(pool=0)),
        ("198.19.0.0", Place(pool=2)),
        ("198.20.0.0", Place()),
        ("0.0.0.0", Place()),
        ("255.255.255.255", Place()),
        ("::", Place()),
    ],
)
def test_source_knows_its_pool_server_and_exemptions(address: str, place: Place) -> None:
    """A pool that is listed twice goes by the name that stands first in the file."""
    assert sources(POLICY).of(ip_address(address)) == place


def test_destination_knows_servers_exemptions_by_destination_and_whether_it_is_a_customer() -> None:
    found = destinations(POLICY)
    assert found.of(ip_address("198.18.0.25")) == Place(pool=0, server=0)
    assert found.of(ip_address("198.19.0.1")) == Place(pool=0)
    assert found.of(ip_address("2001:db8::1")) == Place(exemptions=(1,))
    assert found.of(ip_address("192.0.2.1")) == Place()


def test_nowhere_is_the_first_place_even_when_no_address_is_in_it() -> None:
    whole = Policy.model_validate(PARTS | {"pools": [{"name": "all", "prefixes": ["0.0.0.0/0", "::/0"]}]})
    assert sources(whole).known[0] == Place()
    assert sources(whole).of(ip_address("255.255.255.255")) == Place(pool=0)
    assert sources(whole).of(ip_address("::")) == Place(pool=0)


@settings(max_examples=150)
@given(policies())
def test_every_edge_is_where_a_plain_loop_finds_it(policy: Policy) -> None:
    found = sources(policy)
    for table, top in ((found.v4, TOP[4]), (found.v6, TOP[6])):
        assert table.starts[0] == 0
        assert table.starts == sorted(set(table.starts))
        assert table.starts[-1] <= top
        # no boundary without a difference
        assert all(left != right for left, right in zip(table.numbers, table.numbers[1:], strict=False))
    for address in (each for family in edges(policy).values() for each in family):
        expected = Place(
            next((n for n, pool in enumerate(policy.pools) if any(address in net for net in pool.prefixes)), -1),
            next((n for n, server in enumerate(policy.own_servers) if address in server.addresses), -1),
            tuple(n for n, each in enumerate(policy.exemptions) if any(address in net for net in each.prefixes)),
        )
        assert found.of(address) == expected


def test_equal_places_share_one_entry() -> None:
    many = {"name": "all", "prefixes": [str(net) for net in list(ip_network("198.18.0.0/16").subnets(8))[::2]]}
    found = sources(Policy.model_validate(PARTS | {"pools": [many], "exemptions": [], "own_servers": []}))
    assert len(found.known) == 2
    assert len(found.v4.starts) == 257
