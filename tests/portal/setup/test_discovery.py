"""What mail programs ask for, over HTTP, and what strangers send in its place."""

from __future__ import annotations

from xml.etree import ElementTree as xml

import httpx
import pytest

from op25b.portal.setup import autodiscover
from op25b.store import Store
from tests.portal.public.conftest import example, serving
from tests.portal.setup.test_autodiscover import OUTER, request

ADDRESS = "taro@netlaputa.example"
MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"


@pytest.mark.parametrize("path", ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"])
def test_autoconfig_by_the_address_or_by_the_host(client: httpx.Client, path: str) -> None:
    first = client.get(path, params={"emailaddress": ADDRESS})
    assert (first.status_code, first.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert first.headers["x-content-type-options"] == "nosniff"
    for host in ("autoconfig.netlaputa.example", "netlaputa.example:443", "AUTOCONFIG.Netlaputa.Example"):
        assert client.get(path, headers={"Host": host}).content == first.content
    # an address of a domain that the provider hosts, whose mail exchanger is the provider's
    ours = {"Host": "autoconfig.netlaputa.example"}
    hosted = client.get(path, params={"emailaddress": "x@own.example"}, headers=ours)
    assert hosted.content == first.content


@pytest.mark.parametrize("address", ["taro@elsewhere.example", "netlaputa", "", "x@-.example", "a" * 3000])
def test_no_autoconfig_for_others(client: httpx.Client, address: str) -> None:
    assert client.get("/mail/config-v1.1.xml", params={"emailaddress": address}).status_code == 404


def test_whether_an_address_exists_changes_nothing(client: httpx.Client) -> None:
    answers = {
        client.get("/mail/config-v1.1.xml", params={"emailaddress": f"{who}@netlaputa.example"}).content
        for who in ("taro", "nobody", "root", "x" * 64)
    }
    assert len(answers) == 1


@pytest.mark.parametrize(
    "path",
    ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml",
     "/AUTODISCOVER/autodiscover.XML"],
)  # fmt: skip
def test_autodiscover_in_whichever_letters(client: httpx.Client, path: str) -> None:
    answer = client.post(path, content=request(ADDRESS), headers={"Content-Type": "text/xml"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert b"<Server>mail.netlaputa.example</Server>" in answer.content
    assert b"<LoginName>taro</LoginName>" in answer.content


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 600),
        (b"<a>" * 3000, 600),
        (request(ADDRESS, before='<!DOCTYPE a [<!ENTITY b "c">]>'), 600),
        (request("taro@elsewhere.example"), 500),
        (request("taro"), 500),
        (request(ADDRESS, schema=MOBILE), 601),
    ],
)  # fmt: skip
def test_autodiscover_refuses_within_the_protocol(client: httpx.Client, body: bytes, code: int) -> None:
    answer = client.post("/autodiscover/autodiscover.xml", content=body)
    assert answer.status_code == 200
    assert xml.fromstring(answer.content).findtext(f".//{OUTER}ErrorCode") == str(code)


def test_autodiscover_by_get_and_a_body_without_end(client: httpx.Client) -> None:
    answer = client.get("/autodiscover/autodiscover.xml")
    assert xml.fromstring(answer.content).findtext(f".//{OUTER}ErrorCode") == "600"
    assert client.post("/autodiscover/autodiscover.xml", content=b"x" * 100_000).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        f"/autodiscover/autodiscover.json/v1.0/{ADDRESS}?Protocol=AutodiscoverV1&RedirectCount=1",
        f"/Autodiscover/Autodiscover.json?Email={ADDRESS}&Protocol=autodiscoverv1",
        f"/autodiscover/autodiscover.json?email={ADDRESS}&protocol=AutodiscoverV1",
    ],
)
def test_the_newer_form_leads_to_the_xml(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "Protocol": "AutodiscoverV1",
        "Url": f"https://autodiscover.netlaputa.example{autodiscover.PATH}",
    }


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/autodiscover/autodiscover.json?Email={ADDRESS}&Protocol=ActiveSync", 400, "InvalidProtocol"),
        (f"/autodiscover/autodiscover.json?Email={ADDRESS}", 400, "InvalidProtocol"),
        ("/autodiscover/autodiscover.json?Protocol=AutodiscoverV1", 404, "DomainNotFound"),
        ("/autodiscover/autodiscover.json/v1.0/x@elsewhere.example?Protocol=AutodiscoverV1", 404, "DomainNotFound"),
    ],
)
def test_the_newer_form_refuses(client: httpx.Client, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["ErrorCode"]) == (status, code)


def test_the_sub_domain_is_filled_in(store: Store) -> None:
    with serving(example("sonet"), store) as portal, portal.client() as client:
        answer = client.get("/mail/config-v1.1.xml", params={"emailaddress": "hanako@aa2.sonet.example"})
        assert b"<hostname>mail.aa2.sonet.example</hostname>" in answer.content
        answer = client.post("/autodiscover/autodiscover.xml", content=request("hanako@bb7.sonet.example"))
        assert b"<Server>mail.bb7.sonet.example</Server>" in answer.content


def test_autoconfig_says_nothing_where_it_would_have_to_guess(store: Store) -> None:
    with serving(example("fitweb"), store) as portal, portal.client() as client:
        assert client.get("/mail/config-v1.1.xml", params={"emailaddress": "x@fitweb.example"}).status_code == 404
        answer = client.post("/autodiscover/autodiscover.xml", content=request("x@fitweb.example"))
        assert b"<Server>smtp.fitweb.example</Server>" in answer.content
        assert b"POP3" not in answer.content
