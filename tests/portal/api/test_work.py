"""The interface beyond exemptions: what the console does, with a token of a role, and what OpenAPI says of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.resolver
import httpx
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from op25b.policy.load import load
from op25b.portal.api import tokens
from op25b.portal.api.application import application
from op25b.portal.api.guard import Guard
from op25b.portal.api.tokens import Tokens
from op25b.portal.desk.context import Context
from op25b.portal.staff.roles import ALLOWED, Action, Role
from op25b.store import Store, upgrade
from op25b.store.audit import trail
from tests.portal.console.test_roles import actions, routes
from tests.support.desk import HERS, SHOP, TARO, fill
from tests.support.examples import FOLDER
from tests.support.staff import NOW
from tests.support.web import Log

BEGIN = "2026-11-03T01:00:00+09:00"
CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)


class Api:
    """The application in this process, with a token for each role."""

    def __init__(self, folder: Path, store: Store) -> None:
        policy = load((FOLDER / "netlaputa.toml").read_text("utf-8")).policy
        assert policy is not None
        file = folder / "tokens"
        self.tokens = {role: tokens.add(file, role.value, [role], os.urandom) for role in Role}
        self.store, log = store, Log([])
        resolver = dns.resolver.Resolver(configure=False)
        context = Context(store, policy, resolver, lambda: NOW, log, lambda: None, folder / "spool")
        self.app = application(context, Guard(Tokens(file), log, lambda: None))
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def __call__(self, role: Role, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        return self.client.request(method, path, headers=headers, **given)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    url = f"sqlite:///{folder}/store.db"
    upgrade(url)
    store = Store(url)
    fill(store, folder / "spool", NOW)
    yield Api(folder, store)
    store.close()


def test_every_path_asks_for_one_action_and_every_action_has_a_path(api: Api) -> None:
    asked = {(method, path): actions(route) for method, path, route in routes(api.app)}
    assert {key for key, found in asked.items() if not found} == {("GET", "/terms")}
    assert {action for found in asked.values() for action in found} == set(Action)


@pytest.mark.parametrize("role", list(Role))
def test_a_token_gets_what_the_table_says(api: Api, role: Role) -> None:
    for method, path, route in routes(api.app):
        if asked := actions(route):
            answer = api(role, method, path.replace("{number}", "999999").replace("{queue_id}", "nothing"), json={})
            assert (answer.status_code == 403) is (role not in ALLOWED[asked[0]]), (method, path, answer.text)
            assert answer.status_code < 500, (method, path)


def test_who_is_this_customer(api: Api) -> None:
    found = api(Role.SUPPORT, "GET", "/customers", params={"who": HERS}).json()
    assert found["subscriber"] == TARO
    assert [each["prefix"] for each in found["past"]] == ["198.18.8.20/32"]
    assert found["verdicts"][0]["verdict"] == "block"
    assert set(found["verdicts"][0]["text"]) == {"ja", "en"}
    assert found["accounts"][0]["log_ins"][0]["block"] == "203.0.113.9/32"
    assert api(Role.SUPPORT, "GET", "/customers", params={"who": "nobody"}).json()["known"] is False


def test_a_case_a_bulletin_and_a_message(api: Api) -> None:
    assert api(Role.ABUSE, "POST", "/cases/2/notice", json={"seen": "noticed"}).status_code == 412
    assert api(Role.ABUSE, "POST", "/cases/2/notice", json={"seen": "open", "why": "x"}).json()["state"] == "noticed"
    assert api(Role.ABUSE, "POST", "/cases/2/release", json={"seen": "noticed"}).status_code == 409
    assert [case["subscriber"] for case in api(Role.ABUSE, "GET", "/cases").json()] == [TARO, SHOP, None]
    written = {
        "kind": "maintenance",
        "ja": "保守を行います。",
        "en": "Maintenance.",
        "from": "2026-11-03T01:00:00+09:00",
    }
    made = api(Role.SUPPORT, "POST", "/bulletins", json=written)
    assert (made.status_code, made.json()["from"]) == (201, BEGIN)
    assert api(Role.SUPPORT, "POST", "/bulletins/1/end", json={}).status_code == 200
    number = api(Role.MAIL, "GET", "/queue").json()["messages"][0]["queue_id"]
    assert api(Role.MAIL, "POST", f"/queue/{number}/hold", json={"why": "w"}).json()["held"] == "w"
    with api.store.read() as connection:
        assert trail(connection, "case 2")[-1].who == "abuse"
        assert trail(connection, "bulletin 1")[-1].who == "support"
        assert trail(connection, f"message {number}")[-1].who == "mail"


def test_the_overview_and_the_trail(api: Api) -> None:
    found = api(Role.NETWORK, "GET", "/overview").json()
    assert found["cases"]["bot"] == 1
    assert [edge["drift"] for edge in api(Role.NETWORK, "GET", "/edges").json()] == [[], ["chain main: other rules"]]
    lines = api(Role.NETWORK, "GET", "/audit", params={"text": "attempts"}).json()["lines"]
    assert {line["subject"] for line in lines} == {"case 1", "case 2", "case 3"}


def test_every_operation_is_documented(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)
            success = next(code for code in operation["responses"] if code.startswith("2"))
            assert operation["responses"][success]["content"]["application/json"]["schema"], (method, path)


def test_no_input_makes_it_fail(api: Api) -> None:
    """What the document allows, sent to every operation: no fault of ours, and only answers that it describes."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", api.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        _fuzz(api, operation)


def _fuzz(api: Api, operation: Any) -> None:
    @settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        for role in (Role.MANAGER, Role.MAIL):
            answer = case.call(headers={"Authorization": f"Bearer {api.tokens[role]}"})
            case.validate_response(
                answer, checks=(not_a_server_error, status_code_conformance, response_schema_conformance)
            )

    run()
