"""`pools`, `servers` and `compile`: what a policy says, and what becomes of it at an instant."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from op25b.cli import output, policyfile
from op25b.cli.instants import instant
from op25b.cli.options import At, Json, PolicyPath
from op25b.ruleset import nftables
from op25b.ruleset.lower import lower


class Dialect(StrEnum):
    """Ways of writing a ruleset."""

    NFTABLES = "nftables"


_RENDER = {Dialect.NFTABLES: nftables.render}


def pools(policy: PolicyPath, json: Json = False) -> None:
    """Show name, prefixes, line, region, assignment and contract of each pool."""
    listed = policyfile.policy(policy).pools
    if json:
        output.data([pool.model_dump(mode="json") for pool in listed])
        return
    header = ("pool", "line", "region", "assignment", "contract", "prefixes")
    rows = [
        (each.name, each.line or "-", each.region or "-", each.assignment or "-", each.contract or "-")
        for each in listed
    ]
    prefixes = (" ".join(map(str, each.prefixes)) for each in listed)
    output.table(header, ((*row, last) for row, last in zip(rows, prefixes, strict=True)))


def servers(policy: PolicyPath, json: Json = False) -> None:
    """Show the provider's own mail servers: host names, addresses, open ports."""
    listed = [(host, server) for server in policyfile.policy(policy).own_servers for host in server.hosts]
    if json:
        output.data(
            [
                {"host": host, "addresses": list(map(str, server.addresses)), "ports": list(server.ports)}
                for host, server in listed
            ]
        )
        return
    rows = [(host, " ".join(map(str, server.addresses)), " ".join(map(str, server.ports))) for host, server in listed]
    output.table(("host", "addresses", "ports"), rows)


def compile_(
    policy: PolicyPath,
    to: Annotated[Dialect, typer.Option("--to", help="How to write the ruleset.")],
    at: At = None,
) -> None:
    """Write the policy at an instant as a ruleset of a dialect."""
    found = policyfile.policy(policy)
    when = instant(at, ZoneInfo(found.provider.time_zone))
    output.text(_RENDER[to](lower(found, when)).removesuffix("\n"))
