"""The claims as plain rules, one a provider, against `explain --batch` for random flows at random times."""

from __future__ import annotations

import csv
import json
import random
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from op25b.cli.main import run

ROOT = Path(__file__).parents[2]
FLETS = {"b-flets", "flets-adsl", "flets-isdn", "flets-hikari-premium", "flets-hikari-next"}
HOKURIKU = {"toyama", "ishikawa", "fukui"}
START = datetime.fromisoformat("2008-04-01T00:00:00+09:00")
Pool = dict[str, Any]

# whether a customer of the pool is cut off from a server: `own` is whether it is the provider's, `exempt` the customer
BLOCKED: dict[str, Callable[[Pool, bool, bool, datetime], bool]] = {
    # L1 to L5
    "netlaputa": lambda pool, own, _, at: not own and pool["line"] in {"b-flets", "flets-adsl", "flets-isdn"},
    # F2, F3, F5
    "fitweb": lambda pool, own, _, at: (
        not own
        and (
            pool["line"] == "flets-hikari-premium"
            or (pool["line"] in {"b-flets", "flets-adsl", "flets-isdn"} and pool["region"] not in HOKURIKU)
        )
    ),
    # N1, N7: on for some contracts, and their port 25 to the provider's own server is closed too
    "nmtnet": lambda pool, own, _, at: pool["contract"] == "already-covered",
    # S4, S8
    "sonet": lambda pool, own, _, at: not own and pool["line"] in FLETS,
    # I2, I8, I10
    "infonia": lambda pool, own, exempt, at: at >= START and pool["contract"] != "corporate" and not exempt,
}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(arguments) == 0
    return json.loads(capsys.readouterr().out)


def somewhere(chance: random.Random, prefix: str) -> str:
    network = ip_network(prefix)
    return str(network[chance.randrange(min(network.num_addresses, 2**64))])


@pytest.mark.parametrize("name", BLOCKED)
def test_batch_says_what_the_claims_say(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = str(ROOT / "examples" / f"{name}.toml")
    pools = printed(capsys, "pools", policy, "--json")
    own = [address for each in printed(capsys, "servers", policy, "--json") for address in each["addresses"]]
    file = tomllib.loads(Path(policy).read_text())
    exempt = [ip_network(prefix) for each in file.get("exemptions", []) for prefix in each["prefixes"]]
    chance = random.Random(25)
    rows, expected = [], []
    for _ in range(3000):
        pool = chance.choice(pools)
        src = somewhere(chance, chance.choice(pool["prefixes"] + [str(each) for each in exempt] * (name == "infonia")))
        pool = next(p for p in pools if any(ip_address(src) in ip_network(each) for each in p["prefixes"]))
        family = ip_address(src).version
        elsewhere = "203.0.113.25" if family == 4 else "2001:db8:ffff::25"
        dst = chance.choice([elsewhere, *(each for each in own if ip_address(each).version == family)])
        at = START + timedelta(seconds=chance.choice([-1, 0, chance.randrange(-(10**8), 10**9)]))
        dport, proto = chance.choice([25, 25, 25, 587, 465, 443]), chance.choice(["tcp", "tcp", "tcp", "udp"])
        free = any(ip_address(src) in each for each in exempt)
        cut = dport == 25 and proto == "tcp" and BLOCKED[name](pool, dst in own, free, at)
        rows.append([src, dst, dport, at.astimezone(UTC).isoformat(), proto])
        expected.append("block" if cut else "pass")
    flows = tmp_path / "flows.csv"
    with flows.open("w", newline="") as file_:
        csv.writer(file_).writerows([["src", "dst", "dport", "at", "proto"], *rows])
    assert run(["explain", policy, "--batch", str(flows), "--out", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open() as file_:
        found = [row["verdict"] for row in csv.DictReader(file_)]
    assert found == expected
    assert {"block", "pass"} == set(expected)
