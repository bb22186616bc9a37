"""`op25b integrate dovecot`: what a Dovecot must be told to report log-ins and to check passwords."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from op25b.cli import output
from op25b.cli.service.config import Config, load
from op25b.errors import UserError
from op25b.submission.config import Pop
from op25b.submission.driver.pop_reports import read_secret

_HEAD = """\
# For Dovecot 2.3, made by `op25b integrate dovecot`. Put it into /etc/dovecot/op25b.conf, and at the end of
# /etc/dovecot/dovecot.conf write: !include_try op25b.conf
"""
_POP = """
# POP before SMTP: each successful log-in is reported. The URL is a secret: `chmod 600` this file.
event_exporter op25b {{
  format = json
  format_args = time-rfc3339
  transport = http-post
  transport_args = {url}
  transport_timeout = 2s
}}
metric op25b_log_in {{
  exporter = op25b
  # (service=pop3 or service=imap) lets IMAP count as well; programs that keep looking keep their address open
  filter = event=auth_request_finished and success=yes and service=pop3
  fields = user master_user remote_ip service success
}}
"""
_ACCOUNTS = """
# op25b asks here whether a password is right; nobody else may.
service auth {{
  unix_listener {path} {{
    mode = 0600
    user = {user}
  }}
}}
"""


def snippet(config: Config, user: str) -> str:
    """Dovecot's settings for [pop] and [accounts], in the syntax of its 2.3. `user`: who op25b runs as.

    Raises UserError if the configuration has neither, or the secret cannot be read.
    """
    parts = []
    if config.pop is not None:
        parts.append(_POP.format(url=_url(config.pop)))
    if config.accounts.dovecot is not None:
        parts.append(_ACCOUNTS.format(path=config.accounts.dovecot, user=user))
    if not parts:
        raise UserError("the configuration has neither [pop] nor accounts.dovecot; see examples/service.toml")
    return "".join([_HEAD, *parts])


def dovecot(
    config: Annotated[Path, typer.Argument(help="The service's configuration, with [pop] or accounts.dovecot.")],
    user: Annotated[str, typer.Option("--user", help="Who op25b runs as.")] = "op25b",
) -> None:
    """Print what Dovecot needs to report log-ins (POP before SMTP), and to check passwords for op25b."""
    output.text(snippet(load(config), user).rstrip())


def _url(pop: Pop) -> str:
    host = f"[{pop.address}]" if pop.address.version == 6 else str(pop.address)
    return f"http://{host}:{pop.port}/{read_secret(pop.secret_file)}"
