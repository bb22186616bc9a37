"""integrate: what programs that a provider keeps must be told, so that op25b works with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from op25b.cli import output
from op25b.cli.integrate_dovecot import dovecot
from op25b.cli.integrate_freeradius import freeradius
from op25b.cli.service.present import read
from op25b.errors import UserError
from op25b.submission.postfix import parameters

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def integrate() -> None:
    """Configuration for programs that op25b works with; it is printed, and nothing is changed."""


@app.command()
def postfix(
    config: Annotated[Path, typer.Argument(help="The service's configuration, with a [postfix] table.")],
    file: Annotated[
        Literal["main.cf", "master.cf"] | None, typer.Option("--file", help="Print the lines of one file alone.")
    ] = None,
    queue: Annotated[
        Path, typer.Option("--queue", metavar="FOLDER", help="Postfix's queue_directory (`postconf -h`).")
    ] = Path("/var/spool/postfix"),
) -> None:
    """Print what main.cf and master.cf need for submission on 587 and 465 by op25b's accounts, rights and limits."""
    read_config, policy = read(config)
    mail = read_config.mail
    if mail is None or mail.postfix is None:
        raise UserError(f"{config}: there is no [postfix]; it says where Postfix reaches op25b (docs/postfix.md)")
    main, master = parameters.main_cf(mail, policy, queue), parameters.master_cf(mail, queue)
    if file is None:
        output.text(f"# --- main.cf\n\n{main}\n# --- master.cf\n\n{master}".rstrip())
    else:
        output.text((main if file == "main.cf" else master).rstrip())


app.command()(dovecot)
app.command()(freeradius)
