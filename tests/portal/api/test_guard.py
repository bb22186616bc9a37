"""Tokens, their file, and who comes without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from op25b.errors import UserError
from op25b.portal.api import tokens
from op25b.portal.api.guard import FAILURES
from op25b.portal.api.tokens import Tokens
from op25b.portal.staff.roles import Person, Role
from tests.portal.api.conftest import Portal


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The store does not matter here."""
    return f"sqlite:///{tmp_path}/op25b.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def test_the_file_holds_no_token(file: Path) -> None:
    token = tokens.add(file, "hanako", [Role.APPROVER], os.urandom)
    assert token.startswith("op25b_")
    assert token[6:] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert Tokens(file).holder(token) == Person("hanako", frozenset({Role.APPROVER}))
    for wrong in ("", token[:-1], token + "0", "op25b_", "\ud800", "あ"):
        assert Tokens(file).holder(wrong) is None


def test_a_file_keeps_its_mode_and_its_other_lines(file: Path) -> None:
    first = tokens.add(file, "hanako", [Role.APPROVER], os.urandom)
    file.chmod(0o640)
    second = tokens.add(file, "jiro", [Role.READ], os.urandom)
    tokens.remove(file, "hanako")
    assert file.stat().st_mode & 0o777 == 0o640
    assert (Tokens(file).holder(first), Tokens(file).holder(second)) == (None, Person("jiro", frozenset({Role.READ})))
    assert [path.name for path in file.parent.iterdir()] == ["tokens"]


def test_what_is_refused(file: Path) -> None:
    tokens.add(file, "hanako", [Role.READ], os.urandom)
    with pytest.raises(UserError, match="hanako has a token"):
        tokens.add(file, "hanako", [Role.READ], os.urandom)
    with pytest.raises(UserError, match="jiro has no token"):
        tokens.remove(file, "jiro")
    with pytest.raises(UserError, match="the name 'A B' is not a name"):
        tokens.add(file, "A B", [Role.READ], os.urandom)
    with pytest.raises(UserError, match="cannot be read"):
        tokens.read(file.parent / "other")
    file.chmod(0o662)
    with pytest.raises(UserError, match="others than its owner can write it"):
        tokens.read(file)


@pytest.mark.parametrize(
    "line",
    ["hanako", "hanako boss 00ff", "hanako read,boss 00ff", "hanako READ 00ff", "hanako read xyz", "hanako read 00 11"],
)
def test_a_line_that_is_none(file: Path, line: str) -> None:
    file.write_text(f"# tokens\n\n{line}\n")
    file.chmod(0o600)
    with pytest.raises(UserError, match="tokens:3: not a name, roles and a hash"):
        tokens.read(file)


def test_a_token_that_is_removed_ends_at_once(portal: Portal) -> None:
    with portal.client("reader") as client:
        assert client.get("/exemptions").status_code == 200
        tokens.remove(portal.file, "reader")
        assert client.get("/exemptions").status_code == 401
    portal.tokens["new"] = tokens.add(portal.file, "new", [Role.READ], os.urandom)
    with portal.client("new") as client:
        assert client.get("/exemptions").status_code == 200


def test_a_file_that_is_spoilt_lets_nobody_in(portal: Portal) -> None:
    portal.file.write_text("nonsense\n")
    with portal.client("reader") as client:
        answered = client.get("/exemptions")
    assert answered.status_code == 503
    assert str(portal.file) not in answered.text
    assert [line["level"] for line in portal.logged] == ["error"]


def test_who_has_no_token_is_refused_and_who_has_one_is_not_locked_out(portal: Portal) -> None:
    with portal.client() as client:
        missing = client.get("/exemptions")
        assert (missing.status_code, missing.headers["WWW-Authenticate"]) == (401, "Bearer")
        statuses = [
            client.get("/exemptions", headers={"Authorization": f"Bearer {number}"}).status_code
            for number in range(FAILURES + 5)
        ]
    assert statuses == [401] * FAILURES + [429] * 5
    assert len(portal.logged) == FAILURES
    with portal.client("reader") as client:
        assert client.get("/exemptions").status_code == 200


def test_what_is_no_bearer_token(portal: Portal) -> None:
    with portal.client() as client:
        for header in ("Basic eDp5", "Bearer", "Token x", "Bearer \xff"):
            answered = client.get("/exemptions", headers={"Authorization": header.encode("latin-1")})
            assert answered.status_code == 401, header


def test_nothing_that_is_logged_holds_a_token(portal: Portal) -> None:
    with portal.client() as client:
        client.get("/exemptions", headers={"Authorization": "Bearer a-secret-of-somebody"})
    portal.made()
    assert portal.logged
    everything = str(portal.logged)
    assert "a-secret-of-somebody" not in everything
    assert not any(token in everything for token in portal.tokens.values())
