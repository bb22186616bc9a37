"""`op25b integrate dovecot`: what Dovecot must be told to report log-ins and to answer for its accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from op25b.errors import UserError
from op25b.submission import config as configuration
from op25b.submission.config import Config
from op25b.submission.driver.pop_reports import SERVICES, read_secret

_HEAD = """\
# Made by `op25b integrate dovecot` for Dovecot 2.3.
"""
_POP = """\
# It holds a secret: write it to a file that only root can read (0600), /etc/dovecot/op25b.conf say, and end
# /etc/dovecot/dovecot.conf with `!include_try op25b.conf`.

# POP before SMTP: each good log-in is reported, so that its address may relay on port 25 for a time.
event_exporter op25b {{
  format = json
  format_args = time-rfc3339
  transport = http-post
  transport_args = {url}
  transport_timeout = 2s
}}
metric op25b_log_in {{
  exporter = op25b
  # If mail read by IMAP is to count as well: (service=pop3 or service=imap)
  filter = event=auth_request_finished and success=yes and service={service}
  fields = user master_user remote_ip service success
}}
"""


def snippet(config: Config) -> str:
    """Dovecot's settings, in the syntax of its 2.3. Raises UserError if there is nothing to tell, or no secret."""
    if config.pop is None:
        raise UserError("the configuration has no [pop]; see examples/service.toml")
    pop = config.pop
    host = f"[{pop.address}]" if pop.address.version == 6 else str(pop.address)
    url = f"http://{host}:{pop.port}/{read_secret(pop.secret_file)}"
    return _HEAD + _POP.format(url=url, service=SERVICES[0])


def dovecot(
    config: Annotated[Path, typer.Argument(help="The service's configuration (examples/service.toml).")],
) -> None:
    """Print the settings for a Dovecot that reports log-ins (POP before SMTP)."""
    typer.echo(snippet(configuration.load(config)), nl=False)
