"""A small provider, and a lab of it that runs for a module's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.lab import Customer, Lab, OwnServer, Pool, Provider, down, up

POLICY = """
[provider]
name = "toy"
display = { ja = "おもちゃ", en = "Toy" }
time_zone = "Asia/Tokyo"
[[own_servers]]
name = "mail"
hosts = ["mail.toy.example", "smtp.toy.example"]
addresses = ["192.0.2.5", "2001:db8:1::25"]
ports = [25, 587, 465]
[[own_servers]]
name = "second"
hosts = ["second.toy.example"]
addresses = ["198.51.100.25"]
ports = [587]
[[pools]]
name = "lines"
prefixes = ["192.0.2.0/25", "192.0.2.128/26", "2001:db8:1::/48", "2001:db8:2:8::/61"]
"""

TOY = Provider(
    "toy",
    (
        Pool("flets", ("192.0.2.0/25", "2001:db8:1::/48")),
        Pool("dial-up", ("192.0.2.128/26", "2001:db8:2:8::/61")),
        Pool("only4", ("198.51.100.7/32",)),
        Pool("only6", ("2001:db8:3::5/128",)),
    ),
    (
        OwnServer("mail", ("mail.toy.example", "smtp.toy.example"), ("192.0.2.5", "2001:db8:1::25"), (25, 587, 465)),
        OwnServer("second", ("second.toy.example",), ("198.51.100.25",), (587,)),
    ),
    customers=(Customer("company", ("192.0.2.66", "2001:db8:1::66")),),
    home_servers=("dial-up",),
    policy=POLICY,
    domains=("toy.example",),
)


def now() -> datetime:
    """Certificates are checked by clients that read the clock, so this is the real one."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    records: Path = tmp_path_factory.mktemp("records")
    lab = up("toy", TOY, now=now(), directory=records)
    yield lab
    down("toy", directory=records)


FORWARD = "type filter hook forward priority 0; policy accept;"


@contextmanager
def rules(lab: Lab, router: str, hook: str, *statements: str) -> Iterator[None]:
    """What somebody has set up by hand on a router."""
    lines = "\n".join(statements)
    table = f"table inet byhand {{ chain one {{ {hook}\n{lines}\n}}\n}}\n"
    lab.run(router, ["nft", "-f", "-"], input=table, check=True)
    try:
        yield
    finally:
        lab.run(router, ["nft", "delete", "table", "inet", "byhand"], check=True)
