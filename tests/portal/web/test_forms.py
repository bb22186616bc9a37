"""Forms: read strictly, and taken from our own pages only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from op25b.portal.web import forms
from op25b.portal.web.csrf import FIELD, Forms

URL = "https://portal.example"


def application(ours: Forms) -> FastAPI:
    made = FastAPI()

    @made.get("/form")
    def form(request: Request) -> Response:
        return ours.bound(request, Response(ours.field(request)))

    @made.post("/form")
    def sent(request: Request, fields: forms.Posted) -> dict[str, str]:
        ours.check(request, fields)
        return fields

    @made.get("/asked")
    def asked(fields: forms.Asked) -> dict[str, str]:
        return fields

    return made


@pytest.fixture
def client() -> Iterator[TestClient]:
    ours = Forms(URL, b"key", lambda octets: b"r" * octets)
    with TestClient(application(ours), base_url=URL) as made:
        yield made


def token(client: TestClient) -> str:
    return client.get("/form").text.rpartition('value="')[2].partition('"')[0]


def post(client: TestClient, given: dict[str, str], **headers: str) -> Any:
    return client.post("/form", data=given, headers=headers)


def test_a_form_of_ours_is_taken(client: TestClient) -> None:
    given = {"name": "太郎", FIELD: token(client)}
    answer = post(client, given, Origin=URL)
    assert (answer.status_code, answer.json()) == (200, {"name": "太郎"})
    assert post(client, given).status_code == 200  # a browser that does not say where a form is from


def test_the_cookie_can_be_neither_read_nor_sent_by_others(client: TestClient) -> None:
    cookie = client.get("/form").headers["set-cookie"]
    assert cookie.startswith("__Host-form=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(cookie.split("; ")[1:])


def test_the_token_stays_the_same_for_a_visitor(client: TestClient) -> None:
    assert token(client) == token(client)


def test_a_form_of_others_is_refused(client: TestClient) -> None:
    right = token(client)
    assert post(client, {FIELD: right}, Origin="https://elsewhere.example").status_code == 403
    assert post(client, {FIELD: right}, Origin="null").status_code == 403
    assert post(client, {FIELD: "0" * 64}, Origin=URL).status_code == 403
    assert post(client, {FIELD: "é"}, Origin=URL).status_code == 403
    assert post(client, {"name": "taro"}, Origin=URL).status_code == 403
    client.cookies.clear()
    assert post(client, {FIELD: right}, Origin=URL).status_code == 403


def test_a_token_of_another_visitor_is_refused() -> None:
    ours = Forms(URL, b"key", _counting())
    with TestClient(application(ours), base_url=URL) as one, TestClient(application(ours), base_url=URL) as other:
        right = token(one)
        token(other)
        assert post(other, {FIELD: right}).status_code == 403
        assert post(one, {FIELD: right}).status_code == 200


def _counting() -> Any:
    made = iter(range(9))
    return lambda octets: bytes([next(made)]) * octets


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"a=1&a=2", 400),
        (b"a=%ff", 400),
        (b"a=1%0d%0aBcc:%20x", 200),  # a line end of a text area; never a bare CR
        (b"a=1%0dBcc", 400),
        (b"a=%00", 400),
        (b"a=\xe3\x81\x82", 400),
        (b"&".join(b"a%d=1" % number for number in range(60)), 400),
        (b"a=%ED%A0%80", 400),
        (b"%", 403),
    ],
)
def test_what_no_browser_sends(client: TestClient, body: bytes, status: int) -> None:
    right = token(client).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = body if status == 403 else body + b"&" + FIELD.encode() + b"=" + right
    assert client.post("/form", content=body, headers=headers).status_code == status


def test_another_kind_of_body_is_refused(client: TestClient) -> None:
    assert client.post("/form", json={}).status_code == 415
    assert client.post("/form").status_code == 415


def test_a_query_is_read_as_strictly(client: TestClient) -> None:
    assert client.get("/asked?server=%EF%BC%A1").json() == {"server": "Ａ"}
    assert client.get("/asked?a=%ff").status_code == 400
    assert client.get("/asked?a=" + "x" * 5000).status_code == 414


def test_full_width_is_made_narrow() -> None:
    assert forms.narrow("１９２．０。２．１ ") == "192.0.2.1"
    assert forms.narrow("ｍａｉｌ．ｅｘａｍｐｌｅ　") == "mail.example"
