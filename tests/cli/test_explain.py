"""`explain` for one flow: the claims about verdicts and schedules, names, instants, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from op25b.cli import hosts
from op25b.cli.instants import instant
from op25b.errors import UserError
from op25b.policy.intervals import Address
from op25b.policy.load import load
from op25b.policy.model import Policy, Pool
from op25b.policy.reasons import Decision, Reason, Remedy
from tests.cli.conftest import EXAMPLES, Op25b

FOREIGN = {4: "203.0.113.9", 6: "2001:db8:ffff::9"}
KEYS = {"verdict", "reason", "rule", "pool", "remedies", "text"}
FLETS = {"b-flets", "flets-adsl", "flets-isdn", "flets-hikari-premium"}
HOKURIKU = {"toyama", "ishikawa", "fukui"}
NOW = "2011-06-01T12:00:00+09:00"


def policy(name: str) -> Policy:
    found = load((EXAMPLES / f"{name}.toml").read_text("utf-8")).policy
    assert found is not None
    return found


def own(name: str, version: int) -> str:
    return next(str(a) for server in policy(name).own_servers for a in server.addresses if a.version == version)


def members(name: str) -> list[Any]:
    """Every pool with the last address of one prefix of each family, as test parameters."""
    return [
        pytest.param(pool, prefix[-1], id=f"{pool.name}-{prefix}")
        for pool in policy(name).pools
        for prefix in {prefix.version: prefix for prefix in pool.prefixes}.values()
    ]


class Asking:
    """One provider's `explain`, as (verdict, reason, whole answer)."""

    def __init__(self, op25b: Op25b) -> None:
        self.op25b = op25b

    def __call__(self, name: str, source: object, to: str, at: str = NOW, port: int = 25) -> dict[str, Any]:
        ask = ("--from", source, "--to", to, "--port", port, "--at", at, "--json")
        result = self.op25b("explain", EXAMPLES / f"{name}.toml", *ask)
        assert result.status == 0, result.err
        data: dict[str, Any] = result.data
        assert set(data) == KEYS
        assert set(data["text"]) == {"ja", "en"}
        assert data["verdict"] in set(Decision)
        assert data["reason"] in set(Reason)
        assert set(data["remedies"]) <= set(Remedy)
        return data


@pytest.fixture
def ask(op25b: Op25b) -> Asking:
    return Asking(op25b)


@pytest.mark.parametrize(("pool", "source"), members("netlaputa"))
def test_l2_l3_l5(ask: Asking, pool: Pool, source: Address) -> None:
    foreign = ask("netlaputa", source, FOREIGN[source.version])
    assert foreign["pool"] == pool.name
    if pool.line in FLETS:
        assert (foreign["verdict"], foreign["reason"]) == ("block", "covered")
        assert foreign["remedies"][0] == "use-own-submission"
        assert "両方の条件" in foreign["text"]["ja"]
    else:
        assert (foreign["verdict"], foreign["reason"]) == ("pass", "line-not-covered")
        assert "is not one of those that are covered" in foreign["text"]["en"]
    to_own = ask("netlaputa", source, own("netlaputa", source.version))
    assert (to_own["verdict"], to_own["reason"]) == ("pass", "own-server")
    assert "one of Netlaputa's own" in to_own["text"]["en"]


def test_l6_n6(ask: Asking) -> None:
    for name in ("netlaputa", "nmtnet"):
        for version, outside in FOREIGN.items():
            answer = ask(name, outside, own(name, version))
            assert (answer["verdict"], answer["reason"]) == ("pass", "not-a-customer")
            assert answer["remedies"] == ["ask-that-provider", "use-own-submission"]
            assert "587" in answer["text"]["ja"]


@pytest.mark.parametrize(("pool", "source"), members("fitweb"))
def test_f2_f3(ask: Asking, pool: Pool, source: Address) -> None:
    covered = pool.line == "flets-hikari-premium" or pool.region not in HOKURIKU
    answer = ask("fitweb", source, FOREIGN[source.version])
    expected = ("block", "covered") if covered else ("pass", "region-not-covered")
    assert (answer["verdict"], answer["reason"]) == expected
    assert ask("fitweb", source, own("fitweb", source.version))["reason"] == "own-server"
    for port in (587, 465):
        assert ask("fitweb", source, FOREIGN[source.version], port=port)["verdict"] == "pass"


@pytest.mark.parametrize(("pool", "source"), members("nmtnet"))
def test_n1_n5(ask: Asking, pool: Pool, source: Address) -> None:
    answer = ask("nmtnet", source, FOREIGN[source.version])
    if pool.contract == "already-covered":
        assert (answer["verdict"], answer["rule"]) == ("block", "phase/already-covered")
        # port 25 of the own server is closed as well (claim N7)
        assert ask("nmtnet", source, own("nmtnet", source.version))["verdict"] == "block"
    elif pool.assignment == "dynamic":
        assert (answer["verdict"], answer["reason"], answer["rule"]) == ("pass", "announced", "phase/all-dynamic")
        assert "まだ決まっていません" in answer["text"]["ja"]
    else:
        assert (answer["verdict"], answer["reason"]) == ("pass", "static-address")


@pytest.mark.parametrize(("pool", "source"), members("sonet"))
def test_s4_s5(ask: Asking, pool: Pool, source: Address) -> None:
    answer = ask("sonet", source, FOREIGN[source.version])
    if pool.line in FLETS:
        assert (answer["verdict"], answer["reason"]) == ("block", "covered")
        assert "use-smart-host" in answer["remedies"]
        assert "サポートの対象外" in answer["text"]["ja"]
    else:
        assert (answer["verdict"], answer["reason"]) == ("pass", "line-not-covered")


@pytest.mark.parametrize(("pool", "source"), members("infonia"))
def test_i2_i5_i8(ask: Asking, pool: Pool, source: Address) -> None:
    before, after = "2008-03-31T23:59:59+09:00", "2008-04-01T00:00:00+09:00"
    for to in (FOREIGN[source.version], own("infonia", source.version)):
        if pool.contract == "corporate":
            assert ask("infonia", source, to, after)["reason"] == "contract-not-covered"
            continue
        answer = ask("infonia", source, to, before)
        assert (answer["verdict"], answer["reason"]) == ("pass", "not-yet")
        answer = ask("infonia", source, to, after)
        assert (answer["verdict"], answer["reason"]) == ("block", "covered")
        assert "request-exemption" in answer["remedies"]
        assert "query@infonia.example" in answer["text"]["en"]
        assert "費用" in answer["text"]["ja"]


def test_i10_exempt(ask: Asking) -> None:
    for exemption in policy("infonia").exemptions:
        for prefix in exemption.prefixes:
            answer = ask("infonia", prefix[0], FOREIGN[prefix.version])
            assert (answer["verdict"], answer["reason"]) == ("pass", "exempt")
            assert answer["rule"] == f"exemption/{exemption.name}"


def test_plain_text_says_the_same(op25b: Op25b, ask: Asking) -> None:
    data = ask("sonet", "198.19.0.1", FOREIGN[4])
    result = op25b("explain", EXAMPLES / "sonet.toml", "--from", "198.19.0.1", "--to", FOREIGN[4], "--at", NOW)
    assert result.out.splitlines() == [
        f"198.19.0.1 -> {FOREIGN[4]} port 25 at {NOW}",
        "block: covered (phase/flets-lines, pool flets-east)",
        f"remedies: {' '.join(data['remedies'])}",
        data["text"]["en"],
    ]


@pytest.mark.parametrize(("to", "status"), [(FOREIGN[4], 1), ("192.0.2.40", 0)])
def test_exit_code(op25b: Op25b, to: str, status: int) -> None:
    ask = ("explain", EXAMPLES / "sonet.toml", "--from", "198.19.0.1", "--to", to)
    assert op25b(*ask, "--exit-code").status == status
    assert op25b(*ask).status == 0


def test_mapped_ipv4_is_ipv4(ask: Asking) -> None:
    assert ask("sonet", "::ffff:198.19.0.1", f"::ffff:{FOREIGN[4]}") == ask("sonet", "198.19.0.1", FOREIGN[4])


def test_own_servers_are_known_by_name(ask: Asking) -> None:
    for name, host in (("netlaputa", "SMTP.netlaputa.example."), ("sonet", "mail.aa2.sonet.example")):
        for source in (pool.prefixes[0][0] for pool in policy(name).pools):
            assert ask(name, source, host)["reason"] == "own-server"
    assert ask("sonet", "2001:db8:4000::1", "mail.aa2.sonet.example")["reason"] == "own-server"


def test_a_name_that_is_nowhere(op25b: Op25b) -> None:
    result = op25b("explain", EXAMPLES / "sonet.toml", "--from", "198.19.0.1", "--to", "mx.nowhere.invalid")
    assert result.status == 0
    assert "mx.nowhere.invalid cannot be resolved; judged as a server outside the policy" in result.err
    assert "block: covered" in result.out
    assert "cannot be sent to mx.nowhere.invalid" in result.out


def test_the_strictest_of_several_addresses(op25b: Op25b, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [ip_address(text) for text in ("192.0.2.40", FOREIGN[4], FOREIGN[6])]
    monkeypatch.setattr(hosts, "system_lookup", lambda name: found)
    result = op25b("explain", EXAMPLES / "sonet.toml", "--from", "198.19.0.1", "--to", "mx.example.org")
    assert "block: covered" in result.out
    assert "different verdicts" in result.err


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (("--from", "1.2.3", "--to", FOREIGN[4]), "--from '1.2.3' is not an address; write one such as"),
        (("--from", "01.2.3.4", "--to", FOREIGN[4]), "--from '01.2.3.4' is not an address"),
        (("--from", "fe80::1%eth0", "--to", FOREIGN[6]), "is not an address"),
        (("--from", "", "--to", FOREIGN[4]), "--from '' is not an address"),
        (("--from", "1.2.3.4", "--to", "203.0.113.256"), "--to '203.0.113.256' is not an address"),
        (("--from", "1.2.3.4", "--to", "not a name"), "--to 'not a name' is not a host name; write"),
        (("--from", "1.2.3.4", "--to", ""), "is not a host name; write"),
        (("--from", "1.2.3.4", "--to", FOREIGN[6]), "of different families; write two of one family"),
        (("--from", "1.2.3.4", "--to", FOREIGN[4], "--port", "0"), "--port"),
        (("--from", "1.2.3.4", "--to", FOREIGN[4], "--port", "65536"), "--port"),
        (("--from", "1.2.3.4", "--to", FOREIGN[4], "--at", "2008-04-01T00:00:00"), "write 2008-04-01T00:00:00+09:00"),
        (("--from", "1.2.3.4", "--to", FOREIGN[4], "--at", "tomorrow"), "write date, time and offset, such as"),
        (("--from", "1.2.3.4"), "write --from IP and --to IP or HOST"),
        ((), "or --batch FILE"),
        (("--from", "1.2.3.4", "--to", FOREIGN[4], "--out", "x.csv"), "--out goes with --batch"),
        (("--batch", "flows.csv", "--json"), "leave out"),
    ],
)
def test_refused(op25b: Op25b, arguments: tuple[str, ...], mend: str) -> None:
    result = op25b("explain", EXAMPLES / "sonet.toml", *arguments)
    assert (result.status, result.out) == (2, "")
    assert mend in result.err


def test_no_address_of_the_family() -> None:
    with pytest.raises(UserError, match="has no IPv6 address; write a --from of the other family"):
        hosts.find(policy("sonet"), "mx.example.org", 6, lambda name: [ip_address(FOREIGN[4])])


def test_now_is_in_the_providers_zone() -> None:
    now = instant(None, ZoneInfo("Asia/Tokyo"))
    assert now.utcoffset() == timedelta(hours=9)
    assert abs(now - datetime.now(ZoneInfo("UTC"))) < timedelta(minutes=1)
