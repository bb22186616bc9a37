"""Autodiscover: the requests of programs, and answers by the rules of [MS-OXDSCLI]."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.portal.setup import autodiscover
from op25b.portal.setup.autodiscover import Invalid, Request, read
from op25b.portal.setup.profile import profile
from tests.portal.setup.conftest import EXAMPLES, addresses

AT = datetime(2010, 12, 1, 10, 30, 5, 250, tzinfo=UTC)
OUTER = f"{{{autodiscover.RESPONSE}}}"
INNER = f"{{{autodiscover.SETTINGS}}}"

# [MS-OXDSCLI] 2.2.4.1.1.2.6, the children of Protocol in an answer with Internet mail: which values each may have,
# None for any text; and whether it must be there with the types POP3, IMAP and SMTP.
PROTOCOL: dict[str, tuple[set[str] | None, bool]] = {
    "Type": ({"POP3", "IMAP", "SMTP"}, True),
    "Server": (None, True),
    "Port": (None, True),
    "LoginName": (None, False),
    "DomainRequired": ({"on", "off"}, False),
    "SPA": ({"on", "off"}, False),
    "SSL": ({"on", "off"}, False),
    "Encryption": ({"None", "SSL", "TLS", "Auto"}, False),
    "AuthRequired": ({"on", "off"}, False),
    "UsePOPAuth": ({"on", "off"}, False),
    "SMTPLast": ({"on", "off"}, False),
}
ONLY_SMTP = {"UsePOPAuth", "SMTPLast"}


def request(address: str, schema: str = autodiscover.SETTINGS, before: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{before}<Autodiscover xmlns="{autodiscover.REQUEST}"><Request>'
        f"<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{schema}</AcceptableResponseSchema>"
        "</Request></Autodiscover>"
    ).encode()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@settings(max_examples=25)
@given(data=st.data())
def test_answers_keep_to_the_schema(name: str, data: st.DataObject) -> None:
    address = data.draw(addresses(EXAMPLES[name]))
    found = profile(EXAMPLES[name], address.domain)
    assert found is not None
    answer = xml.fromstring(autodiscover.settings(found, address))
    assert answer.tag == f"{OUTER}Autodiscover"
    (response,) = answer
    assert [each.tag for each in response] == [f"{INNER}User", f"{INNER}Account"]
    account = response[1]
    assert (account[0].tag, account[0].text) == (f"{INNER}AccountType", "email")
    assert (account[1].tag, account[1].text) == (f"{INNER}Action", "settings")
    assert {each.tag for each in account[2:]} == {f"{INNER}Protocol"}
    for protocol in account[2:]:
        _check({each.tag.removeprefix(INNER): each.text for each in protocol}, len(protocol))
    types = [protocol.findtext(f"{INNER}Type") for protocol in account[2:]]
    assert types[-1] == "SMTP"
    assert len(types) == len(set(types))


def _check(children: dict[str, str | None], count: int) -> None:
    assert len(children) == count, "an element twice"
    assert children.keys() <= PROTOCOL.keys()
    for name, (values, needed) in PROTOCOL.items():
        assert name in children or not needed
        assert name not in children or children[name] in (values or {children[name]})
        assert name not in children or children[name]
    assert children["Type"] == "SMTP" or not ONLY_SMTP & children.keys()
    assert 1 <= int(str(children["Port"])) <= 65535


def test_a_request_of_outlook() -> None:
    found = read(request(" Taro@netlaputa.example\n"))
    assert found == Request("Taro@netlaputa.example", autodiscover.SETTINGS)


def test_any_encoding_that_xml_knows() -> None:
    text = request("taro@netlaputa.example").decode().replace("utf-8", "utf-16")
    assert read(text.encode("utf-16")).address == "taro@netlaputa.example"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 100,
        b"EMailAddress=taro@netlaputa.example",
        request("taro@netlaputa.example")[:-5],
        request("", schema="x"),
        request("taro@netlaputa.example", schema=""),
        request("&a;", before='<!DOCTYPE x [<!ENTITY a "taro@netlaputa.example">]>'),
        request("x", before='<!DOCTYPE x SYSTEM "file:///etc/passwd">'),
        request("&lol;"),
        request("x").replace(b"utf-8", b"nonsense"),
        b"<a>" * 5000,
        b"<Autodiscover><Request/></Autodiscover>",
        b"<Request><EMailAddress>taro@netlaputa.example</EMailAddress></Request>",
    ],
)
def test_what_is_no_request(body: bytes) -> None:
    with pytest.raises(Invalid):
        read(body)


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: request(text)))
def test_any_body_is_a_request_or_refused(body: bytes) -> None:
    try:
        found = read(body)
    except Invalid:
        return
    assert found.address
    assert found.schema


@pytest.mark.parametrize("code", [autodiscover.INVALID, autodiscover.NO_PROVIDER, autodiscover.NO_ADDRESS])
def test_errors(code: int) -> None:
    """[MS-OXDSCLI] 2.2.4.1.1.1."""
    answer = xml.fromstring(autodiscover.error(code, AT))
    (error,) = answer[0]
    assert (answer.tag, answer[0].tag, error.tag) == (f"{OUTER}Autodiscover", f"{OUTER}Response", f"{OUTER}Error")
    assert error.attrib == {"Time": "10:30:05.000250", "Id": "0"}
    assert [each.tag.removeprefix(OUTER) for each in error] == ["ErrorCode", "Message", "DebugData"]
    assert error[0].text == str(code)
