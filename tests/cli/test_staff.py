"""`op25b staff`: who may use the console, and a code that an app would show."""

from __future__ import annotations

import io
import re
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pyotp
import pytest

from op25b.portal.staff import codes
from op25b.portal.staff.login import LIMITS, Logins
from op25b.portal.staff.roles import Role
from op25b.store import Store
from op25b.subscribers.lockout import Lockout
from tests.cli.conftest import Op25b
from tests.support.staff import counted, hasher

PASSWORD = "correct horse battery"


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return ["--store", f"sqlite:///{tmp_path}/op25b.db"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n" * 3))


@pytest.mark.usefixtures("typed")
def test_who_is_added_can_log_in_with_what_was_shown(op25b: Op25b, tmp_path: Path, options: list[str]) -> None:
    key = tmp_path / "key"
    made = op25b("staff", "add", "hanako", "--role", "support", "--role", "abuse", "--key", key, *options)
    assert made.status == 0, made.err
    assert key.stat().st_mode & 0o777 == 0o640
    assert "█" in made.out or "▀" in made.out, "a QR code"
    found = re.search(r"otpauth://totp/op25b:hanako\?secret=(\w+)&issuer=op25b", made.out)
    assert found is not None
    now = datetime.now(UTC)
    store = Store(options[1])
    logins = Logins(store, codes.read_key(key), hasher(), Lockout(LIMITS), now.timestamp, lambda: now, counted)
    person = logins.check("hanako", PASSWORD, pyotp.TOTP(found[1]).at(now), ip_address("192.0.2.1"))
    assert person is not None
    assert person.roles == {Role.SUPPORT, Role.ABUSE}
    store.close()


@pytest.mark.usefixtures("typed")
def test_list_change_reset_remove(op25b: Op25b, tmp_path: Path, options: list[str]) -> None:
    key = ["--key", tmp_path / "key"]
    op25b("staff", "add", "hanako", "--role", "support", *key, *options)
    assert op25b("staff", "change", "hanako", "--role", "manager", *options).status == 0
    assert op25b("staff", "list", "--json", *options).data == [{"name": "hanako", "roles": ["manager"]}]
    assert "otpauth://" in op25b("staff", "reset", "hanako", *key, *options).out
    assert op25b("staff", "remove", "hanako", *options).status == 0
    assert op25b("staff", "list", *options).out.splitlines() == ["name  roles"]


@pytest.mark.usefixtures("typed")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "hanako", "--role", "boss"], "there is no role 'boss'"),
        (["add", "hanako", "--role", "approver"], "there is no role 'approver'"),
        (["add", "Hanako!", "--role", "mail"], "the name 'Hanako!'"),
        (["reset", "jiro"], "nobody of the staff is called jiro"),
        (["remove", "jiro"], "nobody of the staff is called jiro"),
    ],
)
def test_what_is_refused(op25b: Op25b, tmp_path: Path, options: list[str], arguments: list[str], says: str) -> None:
    key = ["--key", str(tmp_path / "key")] if arguments[0] != "remove" else []
    op25b("staff", "add", "saburo", "--role", "mail", "--key", tmp_path / "key", *options)
    refused = op25b("staff", *arguments, *key, *options)
    assert (refused.status, says in refused.err) == (2, True), refused.err


def test_a_short_password_is_refused(
    op25b: Op25b, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("too short\n"))
    refused = op25b("staff", "add", "hanako", "--role", "mail", "--key", tmp_path / "key", *options)
    assert refused.status == 2
    assert "fewer than 12 characters" in refused.err
