"""Customers whose addresses change, pure: what is reported of them, what is wired, what is read off the wire."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from op25b.cli.service import config
from op25b.lab.claims import Claim, Claims, Try
from op25b.lab.leases import Lease, Status, accounting, leased
from op25b.lab.network import build_script, moving
from op25b.lab.packets import ACK, SYN, Datagram, Segment, parse
from op25b.lab.plan import Customer, Further, LabPlan, Pool, Provider, lab_plan
from op25b.lab.router import service_toml
from op25b.lab.servers import OwnServer
from op25b.lab.stage import FASTER, further, in_lab
from op25b.lab.steps import Steps
from op25b.lab.wire import Seen, Spread, first_datagram, settled, spread
from op25b.policy.load import load
from op25b.policy.model import Policy

from .conftest import now

SERVER = OwnServer("mail", ("mail.toy.example",), ("192.0.2.1", "2001:db8::1"), (25, 587))
POOLS = (Pool("a", ("198.51.100.0/25", "2001:db8:1::/48")), Pool("b", ("198.51.100.128/25",)))


def plan(*more: Further, **others: object) -> LabPlan:
    return lab_plan(Provider("toy", POOLS, (SERVER,), further=more, domains=("toy.example",), **others))  # type: ignore[arg-type]


def test_a_further_customer_has_addresses_of_the_pool_that_nobody_else_has() -> None:
    found = plan(Further("one", "a", 2), Further("two", "a"), customers=(Customer("c", ("198.51.100.3",)),))
    one, two = found.subscriber("one"), found.subscriber("two")
    homes = [str(each) for home in (one.addresses, *one.later, two.addresses) for each in home]
    assert homes == [
        "198.51.100.2", "2001:db8:1:1::", "198.51.100.4", "2001:db8:1:2::", "198.51.100.5", "2001:db8:1:3::"
    ]  # fmt: skip
    assert found.who("sub-one") == "one@toy.example"
    # a line of its own each: what is granted to one must not pass for another
    held = [prefix for lease in found.leases() for prefix in lease.prefixes]
    assert len(held) == len(set(held))
    assert not any(a.overlaps(b) for a in held for b in held if a is not b)


def test_a_further_customer_of_no_pool_is_an_error() -> None:
    with pytest.raises(KeyError):
        plan(Further("one", "nothing"))


@pytest.mark.parametrize(
    ("address", "others", "expected"),
    [
        ("198.51.100.1", (), "198.51.100.1/32"),
        ("2001:db8:1::1", (), "2001:db8:1::/64"),
        ("2001:db8:1::1", ("2001:db8:1::2",), "2001:db8:1::1/128"),  # somebody else is on the same line
        ("2001:db8:2::1", (), "2001:db8:2::1/128"),  # no pool is as wide
    ],
)
def test_a_lease_is_a_line_and_never_more_than_the_pool(address: str, others: tuple[str, ...], expected: str) -> None:
    pools = [ip_network(each) for each in ("198.51.100.0/24", "2001:db8:1::/48", "2001:db8:2::/126")]
    given = [*map(ip_address, others), ip_address(address)]
    assert leased(ip_address(address), given, pools) == ip_network(expected)


def test_reports_are_as_radclient_reads_them() -> None:
    lease = Lease("u@toy.example", "s1", (ip_network("198.51.100.2/32"), ip_network("2001:db8:1:1::/64")))
    start, stop = accounting([(Status.START, lease), (Status.STOP, lease)]).split("\n\n")
    assert start.splitlines() == [
        "Acct-Status-Type = Start", 'Acct-Session-Id = "s1"', 'User-Name = "u@toy.example"',
        'NAS-Identifier = "edge.lab"', "Framed-IP-Address = 198.51.100.2", "Framed-IPv6-Prefix = 2001:db8:1:1::/64",
    ]  # fmt: skip
    assert stop.startswith("Acct-Status-Type = Stop\n")


def test_what_is_given_up_is_routed_to_the_pools_usual_customer_again() -> None:
    found = plan(Further("one", "a", 2))
    host = found.subscriber("one")
    at_router, at_host = moving(found, host, host.addresses, host.later[0])
    assert "route del 198.51.100.2/32\n" in at_router
    assert "route replace 198.51.100.3/32 via inet6 fe80::2 dev " in at_router
    lines = at_host.splitlines()
    # the new one is there before the old one goes: at no time is there no way out
    assert lines.index("route replace 0.0.0.0/0 via inet6 fe80::1 dev eth0 src 198.51.100.3") < lines.index(
        "addr del 198.51.100.2/32 dev eth0"
    )


def test_every_address_of_the_crowd_is_its_own() -> None:
    found = plan()
    crowd = found.host("crowd")
    assert [network.prefixlen for network in crowd.routed] == [24, 48]
    script = build_script(found)
    assert all(f"route replace local {network} dev lo\n" in script for network in crowd.routed)
    assert not any(network.overlaps(ip_network(a)) for network in crowd.routed for a in found.host("foreign").addresses)


@pytest.fixture
def policy() -> Policy:
    read = load((Path(__file__).parents[2] / "examples" / "infonia.toml").read_text()).policy
    assert read is not None
    return read


MOVING = {"who": {"assignments": ["dynamic"]}, "customer": "m", "to": "foreign", "expect": "pass exempt"}


def test_a_move_counts_from_its_try_on(policy: Policy) -> None:
    tries = [
        MOVING | {"first": "grant"},
        MOVING | {"first": "move"},
        {**MOVING, "customer": None, "heir_of": "m"},
        MOVING | {"first": "revoke"},
    ]
    claim = Claim.model_validate({"id": "X", "provider": "infonia", "shown_by": "packet", "title": "x", "try": tries})
    assert further(policy, claim.tries) == (Further("m", "dynamic", 2),)
    pools = tuple(Pool(pool.name, tuple(map(str, pool.prefixes))) for pool in policy.pools)
    lab = lab_plan(Provider("infonia", pools, (SERVER,), further=further(policy, claim.tries)))
    steps = Steps(lab, policy, now()).of(Claims.model_validate({"edit": (), "claim": (claim,)}), (), watched=True)
    old, new = lab.subscriber("m").addresses, lab.subscriber("m").later[0]
    assert [step.src for step in steps] == [*old, *new, *old, *new]
    assert [step.host.name for step in steps] == ["sub-m"] * 4 + ["sub-dynamic"] * 2 + ["sub-m"] * 2


def test_the_watch_comes_first(policy: Policy) -> None:
    later, watched = Try(who="offnet", to="foreign", expect="pass not-a-customer"), "bot"
    claim = Claim.model_validate(
        {
            "id": "X", "provider": "infonia", "shown_by": "packet", "title": "x",
            "try": [later, later.model_copy(update={"seen": watched})],
        }
    )  # fmt: skip
    lab = lab_plan(Provider("infonia", POOLS, (SERVER,)))
    steps = Steps(lab, policy, now()).of(Claims.model_validate({"edit": (), "claim": (claim,)}), (), watched=True)
    assert [step.how.seen for step in steps] == ["bot", "bot", None, None]


def test_a_lab_hurries_the_watch_unless_the_policy_says_how_long_it_waits(policy: Policy) -> None:
    text = (Path(__file__).parents[2] / "examples" / "infonia.toml").read_text()
    copy = in_lab(policy, text)
    assert copy == text + FASTER
    hurried = load(copy).policy
    assert hurried is not None
    assert hurried.watch.return_seconds == 1
    assert in_lab(hurried, copy) == copy


def test_the_router_is_told_all_of_its_parts(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text(service_toml(ip_address("203.0.113.2")))
    read = config.load(file)
    assert read.leases is not None
    assert read.leases.http is not None
    assert [str(each.address) for each in read.leases.listen] == ["203.0.113.2"]
    assert None not in (read.enforcer, read.follower, read.watch)
    assert read.submission is None


HERE, THERE = ip_address("198.51.100.2"), ip_address("203.0.113.9")


def attempts(*times: tuple[float, bool]) -> list[Seen]:
    """Each (when, whether it passes) as a router sees it."""
    found = []
    for number, (at, passes) in enumerate(times):
        syn = Segment(HERE, 2000 + number, THERE, 25, SYN)
        found.append(Seen(at, "to1", False, syn))
        if passes:
            found.append(Seen(at + 0.001, "eth0", True, syn))
            found.append(Seen(at + 0.002, "to1", True, Segment(THERE, 25, HERE, 2000 + number, SYN | ACK)))
    return found


def test_from_when_on_every_attempt_passes() -> None:
    seen = attempts((1.0, False), (2.0, True), (3.0, False), (4.0, True), (5.0, True), (6.0, False))
    # of the last one it is not known yet
    assert settled(seen, 25, THERE, HERE, True) == 4.001
    assert settled(seen[:-1], 25, THERE, HERE, False) is None
    assert settled([], 25, THERE, HERE, True) is None
    assert settled(seen, 25, HERE, THERE, True) is None


def test_from_when_on_every_attempt_is_kept() -> None:
    seen = attempts((1.0, True), (2.0, False), (3.0, False), (4.0, False))
    assert settled(seen, 25, THERE, HERE, False) == 2.0


def test_a_bots_targets_are_counted_once_each() -> None:
    targets = [Segment(HERE, 2000, ip_address(f"203.0.113.{n}"), 25, SYN) for n in (1, 2, 2, 3)]
    seen = [Seen(1.0, "to1", False, each) for each in targets]
    assert spread(seen, 25, HERE) == Spread(3, 0)
    assert spread([*seen, Seen(1.1, "eth0", True, targets[0])], 25) == Spread(3, 1)
    assert spread(seen, 587) == Spread(0, 0)


def test_the_first_report_is_found() -> None:
    header = bytes.fromhex("4500001c00000000401100000a0000010a000002")
    report = parse(header + bytes.fromhex("1388071500080000"))
    assert report == Datagram(ip_address("10.0.0.1"), 5000, ip_address("10.0.0.2"), 1813)
    assert parse(header + bytes.fromhex("13")) is None
    seen = [Seen(2.0, "lo", True, report), Seen(1.5, "lo", False, report), *attempts((1.0, True))]
    assert first_datagram(seen, 1813) == 1.5
    assert first_datagram(seen, 1812) is None
