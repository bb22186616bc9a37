"""setup: what customers' mail programs look for, as an operator publishes it."""

from __future__ import annotations

from typing import Annotated

import typer

from op25b.cli import output, policyfile
from op25b.cli.options import PolicyPath
from op25b.errors import UserError
from op25b.portal.setup import zone
from op25b.portal.setup.profile import domain_name, needs_subdomain, own_submission

app = typer.Typer(
    add_completion=False,
    help="Mail programs that set themselves up.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def setup() -> None:
    pass


@app.command("zone")
def zone_(
    policy: PolicyPath,
    portal: Annotated[str, typer.Option("--portal", metavar="HOST", help="The host that serves the pages over HTTPS.")],
    subdomain: Annotated[
        list[str] | None,
        typer.Option("--subdomain", metavar="LABEL", help="A sub-domain of customers' addresses; as often as needed."),
    ] = None,
) -> None:
    """Print the DNS records by which mail programs find the servers: for the zone file of each of the brands."""
    found, host, labels = policyfile.policy(policy), domain_name(portal), subdomain or []
    if host is None or "@" in portal:
        raise UserError(f"--portal: {portal!r} is not the name of a host; write one such as portal.example.net")
    if own_submission(found) is None:
        raise UserError(f"{policy}: no own server takes submission; write ports = [587, 465] for one")
    for label in labels:
        if "." in label or domain_name(f"{label}.example") is None:
            raise UserError(f"--subdomain: {label!r} is not one label of a domain; write one such as aa2")
    without = [brand.name for brand in found.provider.brands if needs_subdomain(found, brand)]
    if without and not labels:
        raise UserError(
            f"the server names of brand {', '.join(without)} have {{subdomain}}; write --subdomain LABEL for each"
        )
    output.text(zone.snippet(found, host, labels))
