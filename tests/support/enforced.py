"""A filter to work with: policies that are alike but for who is covered, and the six commands on one folder."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv4Address

from op25b.enforcement import apply as enforcement
from op25b.enforcement import kernel
from op25b.enforcement.apply import Applied, Plan, Status
from op25b.enforcement.generations import Records
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.verify import Difference
from op25b.policy.load import load
from op25b.policy.model import Policy

NOW = datetime(2025, 6, 1, tzinfo=UTC)
POOLS = {"a": 1, "b": 2, "c": 3, "d": 4}
"""Pool by name: 198.18.N.0/24 and 2001:db8:N::/48."""
NEIGHBOURS = """
table ip op25b { chain forward { type filter hook forward priority -5; policy accept; counter accept; }; }
table inet op25b-of-another { set pending { type ipv4_addr; elements = { 192.0.2.1 }; }; }
table inet filter {
  set g1_main { type ipv4_addr; flags interval; elements = { 192.0.2.0/25 }; }
  chain forward { type filter hook forward priority 0; policy accept; ip saddr @g1_main counter drop; }
}
"""
"""Tables of other people, with names that are easily taken for ours."""


def prefixes(pool: str) -> tuple[str, str]:
    number = POOLS[pool]
    return f"198.18.{number}.0/24", f"2001:db8:{number}::/48"


def ranges(count: int) -> list[str]:
    """IPv4 prefixes, none beside another; `count` of two addresses each."""
    return [f"{IPv4Address('198.19.0.0') + 4 * number}/31" for number in range(count)]


def hosts(count: int) -> list[str]:
    """Single IPv4 addresses, none beside another."""
    return [f"{IPv4Address('100.64.0.0') + 2 * number}/32" for number in range(count)]


def policy(covered: str, exempt: str = "", more: tuple[str, ...] = (), phase: str = "") -> str:
    """A policy file: pools a to d, those in `covered` in a phase (with the keys `phase`); `more` prefixes in pool c."""
    pools = "".join(
        f'[[pools]]\nname = "{name}"\nprefixes = {_strings((*prefixes(name), *(more if name == "c" else ())))}\n'
        for name in POOLS
    )
    scope = f'[[phases]]\nname = "block"\nmode = "enforce"\nscope = {{ pools = {_strings(covered)} }}\n{phase}\n'
    exemptions = "".join(
        f'[[exemptions]]\nname = "let-{name}"\nprefixes = {_strings(prefixes(name))}\nreason = "asked for"\n'
        for name in exempt
    )
    return f"{_HEAD}{pools}{scope if covered else ''}{exemptions}"


def _strings(values: str | tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


_HEAD = """
[provider]
name = "example"
display = { ja = "例", en = "Example" }
time_zone = "Asia/Tokyo"
[[own_servers]]
name = "mail"
hosts = ["mail.example.net"]
addresses = ["192.0.2.25", "2001:db8:ff::25"]
ports = [587]
"""


@cache
def loaded(text: str) -> Policy:
    found = load(text)
    assert found.policy is not None, found.errors
    return found.policy


@dataclass(frozen=True)
class Edge:
    """The filter of the network namespace in which `link` was opened."""

    link: Netlink
    records: Records

    def apply(self, text: str, seconds: int | None = None, at: datetime = NOW) -> Applied:
        return enforcement.apply(self.link, self.records, text, loaded(text), at, NOW, seconds)

    def plan(self, text: str) -> Plan:
        return enforcement.plan(self.link, self.records, enforcement.lower(loaded(text), NOW))

    def verify(self, text: str, at: datetime = NOW) -> list[Difference]:
        return enforcement.verify(self.link, self.records, loaded(text), at)

    def confirm(self) -> int:
        return enforcement.confirm(self.link, self.records)

    def rollback(self) -> int | None:
        return enforcement.rollback(self.link, self.records, NOW)

    def status(self) -> Status:
        return enforcement.status(self.link, self.records)

    @property
    def state(self) -> kernel.InForce:
        return kernel.in_force(self.link)

    def name(self, rest: str) -> str:
        """The full name of a chain or set of the generation in force."""
        assert self.state.current is not None
        return kernel.prefix(self.state.current) + rest


def of_others() -> str:
    """All that is in the kernel's filter, but for our table; without the counts of packets."""
    names = [line.removeprefix("table ") for line in _nft("list tables").splitlines() if line != "table inet op25b"]
    return "".join(_nft(f"list table {name}") for name in names)


def _nft(command: str) -> str:
    return subprocess.run(["nft", "-s", command], capture_output=True, text=True, check=True).stdout
