"""The verdict, read as documentation: every row of the table of reasons, every remedy, and the edges of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from op25b.policy.model import Policy
from op25b.policy.reasons import ORDER, Decision, Reason, Remedy
from op25b.policy.verdict import Flow, Judge, Verdict, verdict
from tests.support import oracle

TOKYO = ZoneInfo("Asia/Tokyo")
START = datetime(2008, 4, 1, tzinfo=TOKYO)
END = datetime(2009, 4, 1, tzinfo=TOKYO)
BEFORE, DURING, AFTER = START - timedelta(days=1), START + timedelta(days=1), END + timedelta(days=1)

OUTSIDE, FOREIGN_SERVER = "203.0.113.9", "203.0.113.25"
OPEN_SERVER, CLOSED_SERVER = "192.0.2.25", "192.0.2.26"
POOLS = {
    # name: third octet of 198.18.x.0/24, and what is said of it
    "covered": (0, {"line": "b-flets", "region": "osaka", "assignment": "dynamic"}),
    "corporate": (1, {"line": "b-flets", "region": "osaka", "assignment": "dynamic", "contract": "corporate"}),
    "dial-up": (2, {"line": "dial-up", "region": "osaka", "assignment": "dynamic"}),
    "toyama": (3, {"line": "b-flets", "region": "toyama", "assignment": "dynamic"}),
    "static": (4, {"line": "b-flets", "region": "osaka", "assignment": "static"}),
    "counted": (5, {"line": "leased-line", "region": "osaka"}),
    "noticed": (6, {"line": "hosting", "region": "osaka"}),
    "undecided": (7, {"line": "mobile", "region": "osaka"}),
    "silent": (8, {}),
}
NO_COMPANY = {"not_contracts": ["corporate"]}
SCOPE = {"lines": ["b-flets"], "not_regions": ["toyama"], "assignments": ["dynamic"], **NO_COMPANY}


def policy(**changes: Any) -> Policy:
    document: dict[str, Any] = {
        "provider": {"name": "example", "display": {"ja": "例", "en": "Example"}, "time_zone": "Asia/Tokyo"},
        "own_servers": [
            {"name": "open", "hosts": ["mail.example.net"], "addresses": [OPEN_SERVER], "ports": [25, 587]},
            {"name": "closed", "hosts": ["auth.example.net"], "addresses": [CLOSED_SERVER], "ports": [587, 465]},
        ],
        "pools": [
            # the own servers stand in a pool of their own
            {"name": "servers", "prefixes": ["192.0.2.0/24"]},
            *({"name": name, "prefixes": [f"198.18.{n}.0/24"]} | said for name, (n, said) in POOLS.items()),
        ],
        "phases": [
            {"name": "block", "scope": SCOPE, "mode": "enforce", "from": START, "until": END},
            {"name": "count", "scope": {"lines": ["leased-line"], **NO_COMPANY}, "mode": "monitor"},
            {"name": "notice", "scope": {"lines": ["hosting"], **NO_COMPANY}, "mode": "announce"},
            {
                "name": "later",
                "scope": {"lines": ["mobile"], **NO_COMPANY},
                "mode": "enforce",
                "from": START,
                "tentative": True,
            },
        ],
        "exemptions": [
            {"name": "by-source", "prefixes": ["198.18.0.64/26"], "reason": "own mail server", "from": START},
            {"name": "by-destination", "destinations": ["203.0.113.64/26"], "reason": "a partner", "until": END},
            {"name": "both", "prefixes": ["198.18.0.128/26"], "destinations": ["203.0.113.128/26"], "reason": "asked"},
        ],
    }
    return Policy.model_validate(document | changes)


def host(pool: str, number: int = 1) -> str:
    return f"198.18.{POOLS[pool][0]}.{number}"


def ask(src: str, dst: str = FOREIGN_SERVER, at: datetime = DURING, **flow: Any) -> Verdict:
    return verdict(policy(), Flow(ip_address(src), ip_address(dst), **flow), at)


PASS, BLOCK, MONITORED = Decision.PASS, Decision.BLOCK, Decision.MONITORED
ROWS: list[Any] = [
    # row of ORDER, what is asked, decision, rule
    pytest.param(0, (host("covered"), OUTSIDE, DURING, {"sport": 25, "dport": 40000}), PASS, "built-in/inbound",
                 id="I9-the answer of a customer's own server"),
    pytest.param(1, (host("covered"), FOREIGN_SERVER, DURING, {"dport": 587}), PASS, "built-in/not-port-25",
                 id="F6-submission to another provider"),
    pytest.param(1, (host("covered"), FOREIGN_SERVER, DURING, {"dport": 465}), PASS, "built-in/not-port-25",
                 id="F6-submission over TLS to another provider"),
    pytest.param(1, (host("covered"), FOREIGN_SERVER, DURING, {"dport": 443}), PASS, "built-in/not-port-25",
                 id="L8-webmail"),
    pytest.param(1, (host("covered"), FOREIGN_SERVER, DURING, {"proto": 17}), PASS, "built-in/not-port-25",
                 id="UDP to port 25"),
    pytest.param(1, (OUTSIDE, host("covered"), DURING, {"sport": 25, "dport": 40000}), PASS, "built-in/not-port-25",
                 id="the answer of somebody else's server"),
    pytest.param(2, (OPEN_SERVER, FOREIGN_SERVER, DURING, {}), PASS, "own-server/open",
                 id="relay of the provider's own server"),
    pytest.param(2, (CLOSED_SERVER, FOREIGN_SERVER, DURING, {}), PASS, "own-server/closed",
                 id="relay of an own server that is closed on 25"),
    pytest.param(3, (OUTSIDE, host("covered"), DURING, {}), PASS, "built-in/inbound",
                 id="I9-inbound to a customer's server"),
    pytest.param(4, (OUTSIDE, FOREIGN_SERVER, DURING, {}), PASS, "built-in/not-a-customer",
                 id="N6-on another provider's line"),
    pytest.param(4, (OUTSIDE, OPEN_SERVER, DURING, {}), PASS, "built-in/not-a-customer",
                 id="L6-from another provider to our server, though its address is in a pool"),
    pytest.param(5, (host("covered"), OPEN_SERVER, DURING, {}), PASS, "own-server/open",
                 id="L4-to an own server open on 25"),
    pytest.param(6, (host("corporate"), FOREIGN_SERVER, DURING, {}), PASS, "phase/block", id="I10-contract"),
    pytest.param(7, (host("dial-up"), FOREIGN_SERVER, DURING, {}), PASS, "phase/block", id="L5-line"),
    pytest.param(7, (host("silent"), FOREIGN_SERVER, DURING, {}), PASS, "phase/block", id="line not said"),
    pytest.param(8, (host("toyama"), FOREIGN_SERVER, DURING, {}), PASS, "phase/block", id="F2-region"),
    pytest.param(9, (host("static"), FOREIGN_SERVER, DURING, {}), PASS, "phase/block", id="N5-static address"),
    pytest.param(10, (host("covered", 70), FOREIGN_SERVER, DURING, {}), PASS, "exemption/by-source",
                 id="I10-exempt by source"),
    pytest.param(10, (host("covered"), "203.0.113.65", DURING, {}), PASS, "exemption/by-destination",
                 id="exempt by destination"),
    pytest.param(10, (host("covered", 130), "203.0.113.130", DURING, {}), PASS, "exemption/both", id="exempt by both"),
    pytest.param(10, (host("covered", 70), "203.0.113.65", DURING, {}), PASS, "exemption/by-source",
                 id="of two exemptions the first in the file"),
    pytest.param(11, (host("covered"), FOREIGN_SERVER, DURING, {}), BLOCK, "phase/block", id="L1-covered"),
    pytest.param(11, (host("covered"), CLOSED_SERVER, DURING, {}), BLOCK, "phase/block",
                 id="N7-to an own server closed on 25"),
    pytest.param(11, (host("covered"), host("dial-up"), DURING, {}), BLOCK, "phase/block",
                 id="from one customer to another"),
    pytest.param(11, (host("covered", 130), FOREIGN_SERVER, DURING, {}), BLOCK, "phase/block",
                 id="exempt for another destination"),
    pytest.param(11, (host("covered"), "203.0.113.130", DURING, {}), BLOCK, "phase/block",
                 id="exempt for another source"),
    pytest.param(11, (host("covered"), FOREIGN_SERVER, DURING, {"sport": 25}), BLOCK, "phase/block",
                 id="from port 25 to port 25"),
    pytest.param(12, (host("counted"), FOREIGN_SERVER, DURING, {}), MONITORED, "phase/count", id="monitored"),
    pytest.param(13, (host("noticed"), FOREIGN_SERVER, DURING, {}), PASS, "phase/notice", id="announced"),
    pytest.param(13, (host("undecided"), FOREIGN_SERVER, DURING, {}), PASS, "phase/later", id="N2-tentative"),
    pytest.param(14, (host("covered"), FOREIGN_SERVER, BEFORE, {}), PASS, "phase/block", id="I2-before the day"),
    pytest.param(15, (host("covered"), FOREIGN_SERVER, AFTER, {}), PASS, "phase/block", id="after the end"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "asked", "decision", "rule"), ROWS)
def test_row_of_the_table(
    row: int, asked: tuple[str, str, datetime, dict[str, Any]], decision: Decision, rule: str
) -> None:
    src, dst, at, flow = asked
    found = ask(src, dst, at, **flow)
    assert (found.decision, found.reason, found.rule) == (decision, ORDER[row][0], rule)
    assert oracle.answer(policy(), Flow(ip_address(src), ip_address(dst), **flow), at) == (decision, found.reason, rule)


def test_every_row_of_the_table_is_shown() -> None:
    assert {param.values[0] for param in ROWS} == set(range(len(ORDER)))
    assert {reason for reason, _ in ORDER} == set(Reason)


def test_the_pool_is_that_of_the_source() -> None:
    assert ask(host("covered")).pool == "covered"
    assert ask(OUTSIDE, host("covered")).pool is None
    assert ask(OPEN_SERVER).pool == "servers"


# Which phase counts.


def phases(*spans: dict[str, Any]) -> Policy:
    return policy(phases=[{"name": f"phase-{n}", "scope": {}, **span} for n, span in enumerate(spans)], exemptions=[])


@pytest.mark.parametrize(
    ("spans", "reason", "rule"),
    [
        (({"mode": "monitor"}, {"mode": "enforce"}), "covered", "phase/phase-1"),
        (({"mode": "announce"}, {"mode": "monitor"}), "monitored", "phase/phase-1"),
        (({"mode": "enforce", "from": END}, {"mode": "announce"}), "announced", "phase/phase-1"),
        (({"mode": "enforce", "until": START}, {"mode": "enforce", "from": END}), "not-yet", "phase/phase-1"),
        (({"mode": "enforce"}, {"mode": "enforce"}), "covered", "phase/phase-0"),
        (({"mode": "enforce", "tentative": True}, {"mode": "monitor"}), "monitored", "phase/phase-1"),
        # a tentative phase blocks nobody, even when its date has gone by
        (({"mode": "enforce", "from": BEFORE, "tentative": True},), "announced", "phase/phase-0"),
        (({"mode": "announce", "from": END},), "not-yet", "phase/phase-0"),
    ],
)
def test_of_several_phases_the_strongest_counts(spans: tuple[dict[str, Any], ...], reason: str, rule: str) -> None:
    found = verdict(phases(*spans), Flow(ip_address(host("covered")), ip_address(FOREIGN_SERVER)), DURING)
    assert (found.reason, found.rule) == (reason, rule)


def test_without_phases_no_line_is_covered() -> None:
    found = verdict(phases(), Flow(ip_address(host("covered")), ip_address(FOREIGN_SERVER)), DURING)
    assert (found.decision, found.reason, found.rule) == (PASS, Reason.LINE_NOT_COVERED, "built-in/line-not-covered")


def test_the_nearest_phase_names_the_reason() -> None:
    """A pool that fails one phase on its line and another on its region has come nearer to the second."""
    two = policy(
        phases=[
            {"name": "far", "scope": {"lines": ["dial-up"]}, "mode": "enforce"},
            {"name": "near", "scope": {"lines": ["b-flets"], "regions": ["tokyo"]}, "mode": "enforce"},
        ]
    )
    found = verdict(two, Flow(ip_address(host("covered")), ip_address(FOREIGN_SERVER)), DURING)
    assert (found.reason, found.rule) == (Reason.REGION_NOT_COVERED, "phase/near")


# Time: the first instant counts, the last does not, and an offset is only a way to write an instant.


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (START - timedelta(microseconds=1), "not-yet"),
        (START, "covered"),
        (END - timedelta(microseconds=1), "covered"),
        (END, "ended"),
        (START.astimezone(UTC), "covered"),
        ((START - timedelta(microseconds=1)).astimezone(ZoneInfo("America/New_York")), "not-yet"),
        (datetime(2008, 3, 31, 15, tzinfo=UTC), "covered"),
        (datetime(2008, 3, 31, 14, 59, 59, 999999, tzinfo=UTC), "not-yet"),
    ],
)
def test_from_is_included_and_until_is_not_I2(at: datetime, reason: str) -> None:
    assert ask(host("covered"), at=at).reason == reason


def test_exemption_has_the_same_edges() -> None:
    def by_source(at: datetime) -> str:
        return ask(host("covered", 70), at=at).reason

    def by_destination(at: datetime) -> str:
        always = policy(phases=[{"name": "block", "scope": {}, "mode": "enforce"}])
        return verdict(always, Flow(ip_address(host("covered")), ip_address("203.0.113.65")), at).reason

    tick = timedelta(microseconds=1)
    assert (by_source(START - tick), by_source(START)) == ("not-yet", "exempt")
    assert (by_destination(END - tick), by_destination(END)) == ("exempt", "covered")


@pytest.mark.parametrize(("fold", "reason"), [(0, "not-yet"), (1, "covered")])
def test_the_hour_that_comes_twice_is_told_apart(fold: int, reason: str) -> None:
    """1:30 in New York on 2008-11-02 is 5:30 UTC and again 6:30 UTC; the phase starts in between."""
    new_york = ZoneInfo("America/New_York")
    starts = phases({"mode": "enforce", "from": datetime(2008, 11, 2, 6, tzinfo=UTC)})
    at = datetime(2008, 11, 2, 1, 30, fold=fold, tzinfo=new_york)
    assert verdict(starts, Flow(ip_address(host("covered")), ip_address(FOREIGN_SERVER)), at).reason == reason


def test_naive_instant_is_refused() -> None:
    with pytest.raises(TypeError):
        ask(host("covered"), at=datetime(2008, 4, 1))  # noqa: DTZ001


# Remedies.

OWN, OTHER, THEIRS = Remedy.USE_OWN_SUBMISSION, Remedy.USE_OTHER_SUBMISSION, Remedy.ASK_THEIR_OPERATOR
WEB, SMART, EXEMPTION = Remedy.USE_WEBMAIL, Remedy.USE_SMART_HOST, Remedy.REQUEST_EXEMPTION
SUPPORT, PROVIDER = Remedy.CONTACT_SUPPORT, Remedy.ASK_THAT_PROVIDER
REMEDIES = {
    "L9 L10-blocked": ((host("covered"),), {}, (OWN, OTHER, THEIRS, WEB, SUPPORT)),
    "N4-before the block": ((host("covered"), FOREIGN_SERVER, BEFORE), {}, (OWN, OTHER, THEIRS, WEB, SUPPORT)),
    "N7-our own server on 25": ((host("covered"), CLOSED_SERVER), {}, (OWN, SUPPORT)),
    "S5-a server at home": (
        (host("covered"),), {"home_servers": "smart-host"}, (OWN, OTHER, THEIRS, SMART, WEB, SUPPORT),
    ),
    "I5-exemption on offer": (
        (host("covered"),), {"exemption_terms": {"offered": True}}, (OWN, OTHER, THEIRS, WEB, EXEMPTION, SUPPORT),
    ),
    "no server of our own takes mail": (
        (host("covered"),),
        {"own_servers": [{"name": "mx", "hosts": ["mx.example.net"], "addresses": ["192.0.2.9"], "ports": [25]}]},
        (OTHER, THEIRS, WEB, SUPPORT),
    ),
    "L6-on another provider's line": ((OUTSIDE,), {}, (PROVIDER, OWN)),
    "monitored": ((host("counted"),), {}, (OWN, OTHER, THEIRS, WEB, SUPPORT)),
    "announced": ((host("noticed"),), {}, (OWN, OTHER, THEIRS, WEB, SUPPORT)),
    "nothing is wrong": ((host("dial-up"),), {}, ()),
    "exempt": ((host("covered", 70),), {}, ()),
    "ended": ((host("covered"), FOREIGN_SERVER, AFTER), {}, ()),
}  # fmt: skip


@pytest.mark.parametrize("case", REMEDIES)
def test_remedies_in_the_order_to_try_them(case: str) -> None:
    (src, *rest), changes, remedies = REMEDIES[case]
    dst, at = (*rest, *(FOREIGN_SERVER, DURING)[len(rest) :])
    found = Judge(policy(**changes)).verdict(Flow(ip_address(src), ip_address(dst)), at)
    assert found.remedies == remedies


@pytest.mark.parametrize("dport", [587, 465])
def test_closed_submission_port_is_no_work_of_ours_I11(dport: int) -> None:
    """Who cannot reach 587 asks their network's administrator first, then us."""
    found = ask(host("covered"), dport=dport)
    assert found.remedies == (Remedy.ASK_NETWORK_ADMINISTRATOR, Remedy.CONTACT_SUPPORT)


def test_a_flow_has_one_family() -> None:
    with pytest.raises(ValueError, match="different families"):
        Flow(ip_address("198.18.0.1"), ip_address("2001:db8::25"))
