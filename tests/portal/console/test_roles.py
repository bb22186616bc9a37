"""Every path of the console and of the operators' interface, and every role: what the one table says, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from op25b.portal.console.application import unwrapped
from op25b.portal.console.log_in import router as log_in
from op25b.portal.console.pages import Pages
from op25b.portal.staff.roles import ALLOWED, STAFF, Action, Role
from tests.portal.console.conftest import Console

OPEN_PAGES = {("GET", "/"), ("GET", "/{language:language}/log-in"), ("POST", "/{language:language}/log-in"),
              ("POST", "/{language:language}/log-out")}  # fmt: skip
"""What nobody needs to be logged in for."""


def actions(route: Any) -> list[Action]:
    """What a route asks for."""
    calls = [dependency.call for dependency in route.dependant.dependencies]
    return [call.action for call in calls if hasattr(call, "action")]


def routes(app: Any) -> Iterator[tuple[str, str, Any]]:
    for route in app.routes:
        if isinstance(route, APIRoute):
            for method in route.methods:
                yield method, route.path, route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from routes(included)


def filled(path: str) -> str:
    """A path with something in place of its parameters."""
    parts = {
        "{language:language}": "en",
        "{number:number}": "999999",
        "{queue_id}": "nothing",
        "{name}.{scheme}": "a.b",
    }
    for name, value in parts.items():
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize("action", list(Action))
def test_somebody_may_do_each_thing(action: Action) -> None:
    assert ALLOWED[action] & set(STAFF)


def test_tokens_for_exemptions_are_for_nothing_else() -> None:
    for role in (Role.READ, Role.DESK, Role.APPROVER):
        allowed = {action for action in Action if role in ALLOWED[action]}
        assert allowed <= {Action.SEE_EXEMPTIONS, Action.ASK_EXEMPTION, Action.DECIDE_EXEMPTION}


def test_every_page_asks_for_one_action(console: Console) -> None:
    app = unwrapped(console.context())
    asked = {(method, path): actions(route) for method, path, route in routes(app)}
    assert len(asked) > 25
    assert {key for key, found in asked.items() if not found} == OPEN_PAGES
    assert {len(found) for found in asked.values()} == {0, 1}
    assert set(Action) == {action for found in asked.values() for action in found}
    assert log_in(console.context(), Pages(console.context()))


@pytest.mark.parametrize("role", STAFF)
def test_a_role_gets_what_the_table_says(console: Console, role: Role) -> None:
    visitor = console.at(role.value)
    token = visitor.token("/en/")
    for method, path, route in routes(unwrapped(console.context())):
        if not (asked := actions(route)) or path.endswith("/live"):
            continue
        answer = visitor.client.request(method, filled(path), data={"form_token": token} if method == "POST" else None)
        refused = "Your roles do not allow this" in answer.text
        assert refused is (role not in ALLOWED[asked[0]]), (method, path, answer.status_code)
        assert answer.status_code == 403 if refused else answer.status_code < 500, (method, path)
        assert answer.status_code != 303 or "log-in" not in answer.headers["location"], (method, path)


def test_nobody_gets_nothing(console: Console) -> None:
    with console.client() as stranger:
        for method, path, route in routes(unwrapped(console.context())):
            if actions(route):
                answer = stranger.request(method, filled(path), data={"x": "y"} if method == "POST" else None)
                assert answer.status_code == 303, (method, path, answer.status_code)
                assert answer.headers["location"].startswith("/en/log-in"), (method, path)
