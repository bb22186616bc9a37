"""Every format, every guide, the records of DNS and the answers name the same servers."""

from __future__ import annotations

import plistlib
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from xml.etree import ElementTree as xml
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b import locale
from op25b.answers.blocks import Definitions, Steps
from op25b.answers.remedies import advice
from op25b.policy.model import Policy
from op25b.policy.reasons import Remedy
from op25b.policy.verdict import Flow
from op25b.portal.setup import autoconfig, autodiscover, guide, mobileconfig, zone
from op25b.portal.setup.profile import Address, Profile, profile
from op25b.portal.setup.programs import PROGRAMS
from tests.portal.setup.conftest import EXAMPLES, addresses

Way = tuple[str, int, bool]
"""Host, port, whether TLS is there from the start."""
SAY = locale.speakers(ZoneInfo("Asia/Tokyo"))
NOW = datetime(2010, 12, 1, tzinfo=UTC)
NAMESPACE = {"r": autodiscover.SETTINGS}


def stated(policy: Policy, address: Address) -> set[Way]:
    """The ways out as the policy has them, worked out anew."""
    server = next(each for each in policy.own_servers if {465, 587} & set(each.ports))
    host = server.hosts[0].replace("{subdomain}", address.domain.partition(".")[0])
    return {(host, port, port == 465) for port in server.ports if port != 25}


def in_autoconfig(found: Profile) -> set[Way]:
    document = autoconfig.document(found)
    if document is None:
        return set()
    return {
        (str(each.findtext("hostname")), int(str(each.findtext("port"))), each.findtext("socketType") == "SSL")
        for each in xml.fromstring(document).iter("outgoingServer")
    }


def in_autodiscover(found: Profile, address: Address) -> set[Way]:
    answer = xml.fromstring(autodiscover.settings(found, address))
    protocols = answer.findall(".//r:Protocol", NAMESPACE)
    smtp = [each for each in protocols if each.findtext("r:Type", None, NAMESPACE) == "SMTP"]
    return {(str(_of(each, "Server")), int(str(_of(each, "Port"))), _of(each, "Encryption") == "SSL") for each in smtp}


def _of(protocol: xml.Element, name: str) -> str | None:
    return protocol.findtext(f"r:{name}", None, NAMESPACE)


def in_mobileconfig(found: Profile, address: Address) -> set[Way]:
    document = mobileconfig.document(found, "x", "x", address)
    if document is None:
        return set()
    account: dict[str, Any] = plistlib.loads(document)["PayloadContent"][0]
    assert account["OutgoingMailServerUseSSL"] is True
    port = account["OutgoingMailServerPortNumber"]
    return {(account["OutgoingMailServerHostName"], port, port == 465)}


def in_zone(policy: Policy, address: Address, apex: str) -> set[Way]:
    label = address.domain.removesuffix(apex).rstrip(".")
    ways = set()
    for line in zone.snippet(policy, "portal.example.net", [label] if label else []).splitlines():
        if line.startswith("_submission"):
            owner, _, _, _, port, host = line.split()
            ways.add((host.rstrip("."), int(port), owner.startswith("_submissions")))
    return ways


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@settings(max_examples=30)
@given(data=st.data())
def test_the_same_servers_everywhere(name: str, data: st.DataObject) -> None:
    policy = EXAMPLES[name]
    address = data.draw(addresses(policy))
    found, ways = profile(policy, address.domain), stated(policy, address)
    assert found is not None
    assert in_autoconfig(found) == (ways if found.receiving else set())
    assert in_autodiscover(found, address) == {way for way in ways if way[1] == 587}
    assert in_mobileconfig(found, address) == ({way for way in ways if way[1] == 465} if found.receiving else set())
    assert ways <= in_zone(policy, address, found.apex)


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", sorted(EXAMPLES))
@settings(max_examples=4)
@given(data=st.data())
def test_every_guide_writes_them_into_the_program(name: str, language: str, data: st.DataObject) -> None:
    policy, say = EXAMPLES[name], SAY["ja" if language == "ja" else "en"]
    address = data.draw(addresses(policy))
    found = profile(policy, address.domain)
    assert found is not None
    for program in PROGRAMS:
        page = guide.guide(policy, found, program, say)
        steps = next(block for section in page.sections for block in section.blocks if isinstance(block, Steps))
        host, port, _ = next(way for way in stated(policy, address) if (way[1] == 465) == (program.wants == "tls"))
        said = "\n".join(steps.items)
        assert f"{host}" in said
        assert f"{port}" in said
        assert "{" not in said
        (sending,) = (section for section in page.sections if section.key == "sending")
        table = sending.blocks[0]
        assert isinstance(table, Definitions)
        assert str(port) in table.pairs[1][1], "the table says what the steps say"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_remedy_of_the_answers_is_the_first_of_them(name: str) -> None:
    """Claim L9."""
    policy = EXAMPLES[name]
    server = next(each for each in policy.own_servers if 587 in each.ports)
    flow = Flow(ip_address("192.0.2.1"), ip_address("198.51.100.25"), 25)
    sentence = advice([Remedy.USE_OWN_SUBMISSION], policy, flow, NOW, SAY["en"])[0][0]
    domain = policy.provider.brands[0].domains[0]
    found = profile(policy, f"aa2.{domain}")
    assert found is not None
    assert SAY["en"].host(server.hosts[0]) in sentence
    assert f"port {found.sending[0].port}" in sentence
    assert found.sending[0].host == server.hosts[0].replace("{subdomain}", "aa2")
