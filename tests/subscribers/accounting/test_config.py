"""The lease server's tables, and the files that they name."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from op25b.errors import UserError
from op25b.subscribers.accounting import job
from op25b.subscribers.accounting.clients import Client, Clients
from op25b.subscribers.accounting.config import LeaseServer

LISTEN = {"address": "192.0.2.10"}
FILE = {"name": "dhcp1", "path": "kea-leases4.csv", "format": "kea"}
CLIENT = {"prefix": "198.51.100.0/24", "secret_file": "bng"}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "nothing would bring leases"),
        ({"listen": [LISTEN]}, r"write \[\[leases.clients\]\]"),
        ({"listen": [LISTEN], "clients": [CLIENT, CLIENT]}, "two clients have the prefix 198.51.100.0/24"),
        ({"listen": [LISTEN], "clients": [CLIENT | {"prefix": "198.51.100.1/24"}]}, "host"),
        ({"listen": [LISTEN], "clients": [CLIENT | {"secret": "x"}]}, "Extra inputs"),
        ({"files": [FILE, FILE]}, "two files have the name dhcp1"),
        ({"listen": [LISTEN], "clients": [CLIENT], "subscriber": "NAS-Port"}, "User-Name"),
    ],
)
def test_refused(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LeaseServer.model_validate(tables)


@pytest.mark.parametrize(
    ("name", "text", "mode", "message"),
    [
        ("bng", "", 0o600, "empty"),
        ("bng", "secret", 0o644, "everybody on this host can read it"),
        ("bng", "gehe\u00edm", 0o600, "not ASCII"),
        ("bng", None, 0, "cannot be read"),
        ("token", "short", 0o600, "16 to 128 characters"),
        ("token", "0123456789abcdef", 0o604, "everybody"),
    ],
)
def test_files_that_cannot_serve(tmp_path: Path, name: str, text: str | None, mode: int, message: str) -> None:
    for each, good in {"bng": "s3cret", "token": "0123456789abcdef"}.items():
        if each != name or text is not None:
            (tmp_path / each).write_text(text if each == name and text is not None else good)
            (tmp_path / each).chmod(mode if each == name else 0o600)
    settings = LeaseServer.model_validate(
        {
            "listen": [LISTEN],
            "clients": [CLIENT | {"secret_file": str(tmp_path / "bng")}],
            "http": {"token_file": str(tmp_path / "token")},
        }
    )
    with pytest.raises(UserError, match=message) as raised:
        job.secrets(settings)
    assert str(raised.value).startswith(str(tmp_path / name))


def test_the_longest_prefix_counts() -> None:
    wide, narrow = Client(ip_network("198.51.100.0/24"), b"w"), Client(ip_network("198.51.100.8/29"), b"n")
    v6 = Client(ip_network("2001:db8::/32"), b"6")
    clients = Clients([wide, narrow, v6])
    assert clients.of("198.51.100.9") is narrow
    assert clients.of("198.51.100.1") is wide
    assert clients.of("2001:db8::1%eth0") is v6
    assert clients.of("192.0.2.1") is None
    clients.replace([wide])
    assert clients.of("198.51.100.9") is wide
    assert "w" not in repr(wide).replace("Network", "")


def test_made_up_addresses_take_no_memory() -> None:
    clients = Clients([])
    for number in range(10_000):
        assert clients.of(f"10.0.{number >> 8}.{number & 255}") is None
    assert len(clients._known) <= 4096
