"""autoconfig: by the rules of its description, and by Thunderbird's own reader."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from op25b.policy.incoming import Security
from op25b.portal.setup import autoconfig
from op25b.portal.setup.profile import Address, Profile, profile
from tests.portal.setup.conftest import EXAMPLES, KNOWN, addresses
from tests.support import thunderbird
from tests.support.browser import visit

# draft-ietf-mailmaint-autoconfig, section 4: the values that the elements of a server may have, None for any text
SERVER: dict[str, set[str] | None] = {
    "hostname": None,
    "port": None,
    "socketType": {"SSL", "STARTTLS", "plain"},
    "authentication": {"password-cleartext"},
    "username": {"%EMAILADDRESS%", "%EMAILLOCALPART%"},
}
SOCKETS = {Security.NONE: 0, Security.STARTTLS: 2, Security.TLS: 3}
ACCOUNTS = [
    Address("taro.yamada", "netlaputa.example"),
    Address("hanako", "aa2.sonet.example"),
    Address("jiro", "imart.example"),
    Address("saburo", "nmtnet.example"),
    Address("student-1", "alumni.campus.example"),
]


def made(address: Address) -> tuple[Profile, bytes]:
    policy = next(each for each in EXAMPLES.values() if profile(each, address.domain))
    found = profile(policy, address.domain)
    assert found is not None
    document = autoconfig.document(found)
    assert document is not None
    return found, document


@pytest.mark.parametrize("name", sorted(KNOWN))
@settings(max_examples=25)
@given(data=st.data())
def test_by_its_description(name: str, data: st.DataObject) -> None:
    address = data.draw(addresses(EXAMPLES[name]))
    found, document = made(address)
    root = xml.fromstring(document)
    assert (root.tag, root.attrib) == ("clientConfig", {"version": "1.1"})
    (provider,) = root
    assert provider.attrib == {"id": found.apex}
    assert address.domain in [each.text for each in provider.iter("domain")]
    assert [each.get("type") for each in provider.iter("incomingServer")] == [each.kind for each in found.receiving]
    assert {each.get("type") for each in provider.iter("outgoingServer")} == {"smtp"}
    for server in (*provider.iter("incomingServer"), *provider.iter("outgoingServer")):
        assert [each.tag for each in server] == list(SERVER)
        for each in server:
            values = SERVER[each.tag]
            assert values is None or each.text in values


def test_one_document_for_all_addresses_of_a_domain() -> None:
    assert made(ACCOUNTS[0])[1] == made(Address("nobody", "netlaputa.example"))[1]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return thunderbird.modules(tmp_path_factory.mktemp("thunderbird"))


@pytest.mark.long
@pytest.mark.parametrize("address", ACCOUNTS, ids=str)
def test_by_thunderbirds_own_reader(browser: Browser, modules: dict[str, str], address: Address) -> None:
    found, document = made(address)
    with visit(browser) as seen:
        account = thunderbird.read(seen.page, modules, document.decode(), str(address))
    assert account["complete"]
    assert account["id"] == found.apex
    assert address.domain in account["domains"]
    assert account["identity"]["emailAddress"] == str(address)
    assert [_way(each) for each in (account["outgoing"], *account["outgoingAlternatives"])] == [
        (each.host, each.port, SOCKETS[each.security]) for each in found.sending
    ]
    incoming = [account["incoming"], *account["incomingAlternatives"]]
    assert [(*_way(each), each["type"]) for each in incoming] == [
        (each.host, each.port, SOCKETS[each.security], each.kind) for each in found.receiving
    ]
    names = {"mail-address": str(address), "local-part": address.local, "told": str(address)}
    assert account["outgoing"]["username"] == names[found.user_name]
    assert [each["username"] for each in incoming] == [names[each.user_name] for each in found.receiving]
    assert {each["auth"] for each in (account["outgoing"], *incoming)} == {3}


@pytest.mark.long
def test_the_reader_can_refuse(browser: Browser, modules: dict[str, str]) -> None:
    _, document = made(ACCOUNTS[0])
    broken = document.decode().replace("<port>995</port>", "<port>no</port>")
    with visit(browser) as seen, pytest.raises(Exception, match="no-number-error"):
        thunderbird.read(seen.page, modules, broken, str(ACCOUNTS[0]))


def _way(server: dict[str, Any]) -> tuple[Any, ...]:
    return server["hostname"], server["port"], server["socketType"]
