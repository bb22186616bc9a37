"""The eight examples: faultless, in the address space that is free for examples, and as their providers are."""

from __future__ import annotations

from datetime import date, datetime, time
from ipaddress import ip_network
from itertools import combinations

import pytest

from op25b.policy.intervals import AddressSet
from op25b.policy.load import load
from op25b.policy.model import Mode, Policy, PopBeforeSmtp, Words
from op25b.policy.scope import first_miss
from tests.support.examples import POLICIES

EXAMPLES = {path.stem: path for path in POLICIES}
FIVE = ("netlaputa", "fitweb", "nmtnet", "sonet", "infonia")
NAMES = (*FIVE, "campus", "hosting", "wisp")
FREE = AddressSet.of(  # RFC 5737, 2544, 6598, 3849
    map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "198.18.0.0/15", "100.64.0.0/10", "2001:db8::/32"))
)
FOREIGN = AddressSet.of(map(ip_network, ("203.0.113.0/24", "2001:db8:ffff::/48")))
"""Where the lab puts the rest of the Internet."""
FLETS = {"b-flets", "flets-adsl", "flets-isdn", "flets-hikari-premium", "flets-hikari-next"}


def policy(name: str) -> Policy:
    loaded = load(EXAMPLES[name].read_text("utf-8"))
    assert loaded.policy is not None, loaded.errors
    return loaded.policy


def covered(name: str) -> dict[str, set[str]]:
    """Names of the pools in the scope of each phase."""
    found = policy(name)
    return {
        phase.name: {pool.name for pool in found.pools if first_miss(phase.scope, pool) is None}
        for phase in found.phases
    }


def pools_by_line(name: str, lines: set[str]) -> set[str]:
    return {pool.name for pool in policy(name).pools if pool.line in lines}


def test_these_are_all() -> None:
    assert set(EXAMPLES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_fault(name: str) -> None:
    loaded = load(EXAMPLES[name].read_text("utf-8"))
    assert (loaded.errors, loaded.warnings) == ((), ())
    assert policy(name).provider.name == name


@pytest.mark.parametrize("name", NAMES)
def test_addresses(name: str) -> None:
    found = policy(name)
    pools = AddressSet.of(prefix for pool in found.pools for prefix in pool.prefixes)
    servers = AddressSet.of(address for server in found.own_servers for address in server.addresses)
    elsewhere = AddressSet.of(prefix for exemption in found.exemptions for prefix in exemption.destinations)
    for used in (pools, servers, elsewhere):
        assert not used - FREE
        assert not used & FOREIGN
    assert not pools & servers
    for pool in found.pools:
        for version in (4, 6):
            assert sum(prefix.version == version for prefix in pool.prefixes) >= 2, pool.name
    assert any(prefix.prefixlen % 8 for pool in found.pools for prefix in pool.prefixes)


def test_providers_do_not_overlap() -> None:
    spaces = [AddressSet.of(prefix for pool in policy(name).pools for prefix in pool.prefixes) for name in NAMES]
    assert not any(one & other for one, other in combinations(spaces, 2))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_examples(name: str) -> None:
    found = policy(name)
    hosts = [host for server in found.own_servers for host in server.hosts]
    domains = [domain for brand in found.provider.brands for domain in brand.domains]
    assert all(host.endswith(".example") for host in hosts + domains)
    assert domains


@pytest.mark.parametrize("name", FIVE)
def test_own_server_on_25(name: str) -> None:
    """Open on 25 for netlaputa, fitweb, sonet (L4); closed for nmtnet (N7) and infonia (I8)."""
    ports = {server.ports for server in policy(name).own_servers}
    assert ports == ({(587, 465)} if name in ("nmtnet", "infonia") else {(25, 587, 465)})


def test_netlaputa() -> None:
    """Claims L2, L5."""
    (phase,) = policy("netlaputa").phases
    assert (phase.mode, phase.from_, phase.until) == (Mode.ENFORCE, None, None)
    assert covered("netlaputa")[phase.name] == pools_by_line("netlaputa", {"b-flets", "flets-adsl", "flets-isdn"})
    assert pools_by_line("netlaputa", {"dial-up"})


def test_fitweb() -> None:
    """Claim F2."""
    hokuriku = {"toyama", "ishikawa", "fukui"}
    pools = policy("fitweb").pools
    series = {"b-flets", "flets-adsl", "flets-isdn"}
    for line in series:
        regions = {pool.region for pool in pools if pool.line == line}
        assert hokuriku < regions
        assert len(regions - hokuriku) >= 2
    premium = {pool.region in hokuriku for pool in pools if pool.line == "flets-hikari-premium"}
    assert premium == {True, False}
    assert set().union(*covered("fitweb").values()) == {
        pool.name
        for pool in pools
        if pool.line == "flets-hikari-premium" or (pool.line in series and pool.region not in hokuriku)
    }


def test_nmtnet() -> None:
    """Claims N1, N2, N3, N5, N9."""
    found = policy("nmtnet")
    first, second = found.phases
    assert (first.mode, first.from_, first.tentative) == (Mode.ENFORCE, None, False)
    assert covered("nmtnet")["already-covered"] == {
        pool.name for pool in found.pools if pool.contract == "already-covered"
    }
    assert (second.mode, second.from_, second.tentative) == (Mode.ENFORCE, None, True)
    assert second.expected == Words(ja="2011年1月中旬以降", en="mid-January 2011 or later")
    dynamic = {pool.name for pool in found.pools if pool.assignment == "dynamic"}
    assert covered("nmtnet")["all-dynamic"] == dynamic < {pool.name for pool in found.pools}
    period = second.settings_period
    assert period is not None
    assert period.from_ == datetime.fromisoformat("2010-10-26T00:00:00+09:00")
    assert period.until == datetime.fromisoformat("2011-01-01T00:00:00+09:00")
    hours = found.provider.hours
    assert hours is not None
    assert (hours.opens, hours.closes, hours.holidays) == (time(9), time(17, 45), "closed")
    assert (hours.days, hours.closed) == (("mon", "tue", "wed", "thu", "fri"), ("12-29/01-03",))
    taken = {contact.kind.value: contact.taken for contact in found.provider.contacts}
    assert taken == {"telephone": "hours", "fax": "always", "mail": "always"}


def test_sonet() -> None:
    """Claims S4, S5, S6, S7, S8."""
    found = policy("sonet")
    (phase,) = found.phases
    assert covered("sonet")[phase.name] == pools_by_line("sonet", FLETS)
    assert {pool.region for pool in found.pools if pool.line in FLETS} == {"tokyo", "osaka"}
    assert pools_by_line("sonet", {"hosting"})
    assert pools_by_line("sonet", {"mobile"})
    assert (found.home_servers, found.submission.pop_before_smtp) == ("smart-host", PopBeforeSmtp.REQUIRED)
    (server,) = found.own_servers
    assert (server.hosts, server.submission_since) == (("mail.{subdomain}.sonet.example",), date(2006, 3, 1))


def test_infonia() -> None:
    """Claims I2, I5, I10, I13, I14."""
    found = policy("infonia")
    (phase,) = found.phases
    start = datetime.fromisoformat("2008-04-01T00:00:00+09:00")
    assert (phase.mode, phase.from_) == (Mode.ENFORCE, start)
    assert phase.settings_period is not None
    assert phase.settings_period.until == start
    assert covered("infonia")[phase.name] == {pool.name for pool in found.pools if pool.contract != "corporate"}
    assert {pool.assignment for pool in found.pools if pool.contract is None} == {"dynamic", "static"}
    (exemption,) = found.exemptions
    static = AddressSet.of(next(pool for pool in found.pools if pool.name == "static").prefixes)
    assert not AddressSet.of(exemption.prefixes) - static
    assert exemption.review is not None
    assert exemption.from_ == start
    assert found.exemption_terms.offered
    assert found.exemption_terms.fee is not None
    assert found.submission.pop_before_smtp is PopBeforeSmtp.REFUSED
    assert [brand.name for brand in found.provider.brands] == ["infonia", "imart"]


def test_what_the_five_tell() -> None:
    """Claims L11, L12, F8, F9, S9, S11, I3, I4: reasons, the word on junk mail, JEAG, and what is offered instead."""
    told = {name: policy(name).information for name in FIVE}
    assert {name: each.junk_mail.value for name, each in told.items()} == {
        "netlaputa": "unchanged",
        "fitweb": "unchanged",
        "nmtnet": "indirect",
        "sonet": "indirect",
        "infonia": "slightly-less",
    }
    assert told["netlaputa"].reasons == ("bypass", "together", "anonymous-bulk", "unknowing-sender")
    assert set(told["sonet"].reasons) == {"bypass", "together", "unknowing-sender", "anonymous-bulk"}
    assert "leaks" in told["fitweb"].reasons
    assert "separate-ports" in told["infonia"].reasons
    assert [name for name in FIVE if told[name].jeag] == ["fitweb"]
    assert [offer.kind for offer in told["sonet"].offers] == ["junk-filter", "security-product", "webmail", "hosting"]


def test_credentials() -> None:
    """Claims L7, I14, I15, I16, I17."""
    assert policy("netlaputa").credentials.user_name == "pop-account"
    found = policy("infonia").credentials
    assert (found.user_name, found.self_service, found.on_notice, found.initial_password) == (
        "issued",
        True,
        True,
        True,
    )
    assert found.reissue is not None
    assert "525" in found.reissue.fee.ja
    assert found.reissue.free is not None
    assert found.reissue.free.from_ == datetime.fromisoformat("2008-03-24T00:00:00+09:00")
    assert found.reissue.free.until == datetime.fromisoformat("2008-05-01T00:00:00+09:00")
    others = [policy(name).credentials for name in FIVE if name != "infonia"]
    assert not any(each.reissue or each.initial_password or each.self_service for each in others)
