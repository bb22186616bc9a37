"""A real FreeRADIUS: as the access server, as a proxy, and reporting over HTTP as `op25b integrate freeradius` says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from op25b.cli import integrate_freeradius
from op25b.subscribers.accounting.config import Http
from op25b.subscribers.accounting.numbers import Counted
from tests.subscribers.accounting.conftest import TOKEN, LeaseService
from tests.support import freeradius
from tests.support.accounting import SECRET
from tests.support.freeradius import FreeRadius, radclient

pytestmark = freeradius.NEEDED

SESSION = {
    "User-Name": '"tanaka@example.jp"',
    "Acct-Session-Id": '"0a1b"',
    "NAS-Identifier": '"bng1"',
    "Framed-IP-Address": "192.0.2.7",
    "Framed-IPv6-Prefix": "2001:db8:0:7::/64",
    "Delegated-IPv6-Prefix": "2001:db8:7:700::/56",
}
START = {"Acct-Status-Type": "Start", **SESSION}
STOP = {"Acct-Status-Type": "Stop", **SESSION, "Acct-Session-Time": "7"}
ADDRESSES = ("192.0.2.7", "2001:db8:0:7::1", "2001:db8:7:742::1")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """One database will do: what is shown here has nothing to do with it."""
    return f"sqlite:///{tmp_path}/op25b.db"


def reporting(folder: Path, http: Http, token: str = TOKEN) -> FreeRadius:
    """One that is set up by what is printed."""
    files = integrate_freeradius.files(http, token)
    return FreeRadius(
        folder,
        modules=files[integrate_freeradius.MODULE],
        policy=files[integrate_freeradius.POLICY],
        accounting="op25b",
    )


def proxying(folder: Path, service: LeaseService) -> FreeRadius:
    """One that passes accounting on; it asks by Status-Server whether we are there."""
    more = f"""
proxy server {{
}}
home_server op25b {{
  type = acct
  ipaddr = 127.0.0.1
  port = {service.radius_port}
  secret = "{SECRET.decode()}"
  response_window = 2
  status_check = status-server
}}
home_server_pool op25b {{
  home_server = op25b
}}
realm op25b {{
  acct_pool = op25b
}}
"""
    return FreeRadius(folder, more=more, preacct="update control {\n&Proxy-To-Realm := op25b\n}")


@pytest.mark.parametrize("way", ["radius", "signed", "http", "proxy"])
def test_a_session_from_its_start_to_its_end(service: LeaseService, tmp_path: Path, way: str) -> None:
    service.start()
    http = service.settings.http
    assert http is not None
    if way in ("radius", "signed"):
        more = {"Message-Authenticator": "0x00"} if way == "signed" else {}
        _session(service, service.radius_port, SECRET.decode(), more)
        return
    with reporting(tmp_path / "radius", http) if way == "http" else proxying(tmp_path / "radius", service) as server:
        _session(service, server.port, freeradius.SECRET, {})


def _session(service: LeaseService, port: int, secret: str, more: dict[str, str]) -> None:
    now = int(time.time())
    assert radclient(port, secret, START | more | {"Event-Timestamp": str(now - 7)})
    assert [service.holder(address) for address in ADDRESSES] == ["tanaka@example.jp"] * 3
    assert radclient(port, secret, STOP | more | {"Event-Timestamp": str(now)})
    assert [service.holder(address) for address in ADDRESSES] == [None] * 3
    with service.store.read() as connection:
        (row,) = connection.exec_driver_sql("SELECT source, name, started_at, stopped_at FROM sessions").fetchall()
    assert tuple(row) == ("bng1", "0a1b", (now - 7) * 1_000_000, now * 1_000_000)


def test_a_wrong_secret_gets_no_answer(service: LeaseService) -> None:
    service.start()
    assert not radclient(service.radius_port, "another", START, seconds=0.2)
    assert service.counted(Counted.WRONG_SECRET) == 1
    assert service.holder(ADDRESSES[0]) is None


def test_a_wrong_token_gets_no_answer(service: LeaseService, tmp_path: Path) -> None:
    service.start()
    assert service.settings.http is not None
    with reporting(tmp_path / "radius", service.settings.http, "fedcba9876543210") as server:
        assert not radclient(server.port, freeradius.SECRET, START, seconds=0.5)
    assert service.counted(Counted.WRONG_SECRET) >= 1
    assert service.holder(ADDRESSES[0]) is None


def test_while_we_are_away_freeradius_does_not_answer(service: LeaseService, tmp_path: Path) -> None:
    assert service.settings.http is not None
    service.start()
    with reporting(tmp_path / "radius", service.settings.http) as server:
        service.stop()
        for each in service.made.all():
            each.close()
        assert not radclient(server.port, freeradius.SECRET, START, seconds=1)
        service.made = type(service.made).of(service.settings)
        service.start()
        # FreeRADIUS tries again a second after it failed
        assert radclient(server.port, freeradius.SECRET, START, tries=8, seconds=1)
    assert service.holder(ADDRESSES[0]) == "tanaka@example.jp"
