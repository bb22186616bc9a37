"""What can be wrong with a service's configuration, found before anything is served or taken over."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError
from op25b.policy.model import Policy, PopBeforeSmtp
from op25b.store import Store
from op25b.store.schema import require_current
from op25b.submission import config as configuration
from op25b.submission.config import Config
from op25b.submission.driver import pop_reports, relaying
from op25b.submission.driver.service import certificates


def fit(path: Path, config: Config, policy: Policy) -> None:
    """Raises UserError if the configuration at `path` and the policy do not fit together."""
    if all(server.name != config.submission.server for server in policy.own_servers):
        known = ", ".join(server.name for server in policy.own_servers) or "none"
        raise UserError(
            f"{path}: submission.server: {config.policy} has no own server {config.submission.server!r}; "
            f"write one of: {known}"
        )
    relays = any(listen.role == "relay" for listen in config.submission.listen)
    if relays and config.accounts.dovecot and config.submission.local_recipients == "accounts":
        raise UserError(
            f"{path}: submission.local_recipients: the store does not have the mailboxes that are Dovecot's; "
            'write local_recipients = "ask", and [[relay.routes]] for their domains'
        )
    if config.submission.local_recipients == "ask":
        routed = {route.domain.lower() for route in config.relay.routes}
        for domain in configuration.local_domains(config, policy):
            if domain not in routed:
                raise UserError(
                    f'{path}: submission.local_recipients: "ask" needs to know whom to ask for {domain}; '
                    'write [[relay.routes]] for it, or local_recipients = "accounts"'
                )


def check(config: Config, takes_mail: bool) -> None:
    """What a process would fail over. Without `takes_mail`, certificates and mail are Postfix's business."""
    if config.pop:
        pop_reports.read_secret(config.pop.secret_file)
    if takes_mail:
        certificates(config)
        relaying.read_settings(config.relay, config.submission)
        relaying.read_signer(config.relay)
        spool = config.submission.spool
        folder = spool if spool.exists() else spool.parent
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK) or not folder.is_dir():
            raise UserError(
                f"spool {spool}: not a folder that this user can write to; `chown` it to the service's user"
            )
    store = Store(config.store)
    try:
        require_current(store)
    finally:
        store.close()


def warn(config: Config, policy: Policy, takes_mail: bool, log: FilteringBoundLogger) -> None:
    """What is not wrong enough not to serve, and yet should not stay so."""
    if takes_mail:
        for file, ended in certificates(config).expired(datetime.now(UTC)):
            log.error("certificate has expired; renew it, then reload", file=str(file), ended=ended.isoformat())
    refused = policy.submission.pop_before_smtp is PopBeforeSmtp.REFUSED
    if config.pop and refused:
        log.warning("the policy refuses POP before SMTP: what Dovecot reports to [pop] opens nothing")
    elif not config.pop and not refused:
        log.warning("the policy knows POP before SMTP, and nothing reports log-ins: [pop] is missing")
