"""The mails of `op25b notify`: to which server, and one after the other with what is known of each written down."""

from __future__ import annotations

import ssl
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import track

from op25b.answers.remedies import submission_servers
from op25b.cli import output
from op25b.cli.notify_run import Run
from op25b.errors import UserError
from op25b.policy.fields import SUBDOMAIN
from op25b.policy.model import ContactKind, Policy
from op25b.processes import secret_files
from op25b.rollout.content import STARTTLS
from op25b.rollout.mail import Sender, compose
from op25b.rollout.records import Mail, Records
from op25b.rollout.sending import IMPLICIT_TLS, Sending, Server

SEEN_SECONDS = 60.0
"""How long the relay may take to come upon the first mail."""


@dataclass(frozen=True)
class Access:
    """What the options say."""

    server: str | None
    user: str | None
    password_file: Path | None
    ca: Path | None
    from_: str | None


def server(policy: Policy, access: Access) -> Server:
    """Where to hand in, and as whom. Raises UserError for what is missing."""
    if access.user is None or access.password_file is None:
        raise UserError("there is mail to send: say with --user and --password-file as whom")
    host, port = _place(policy, access.server)
    contact = next((each.address for each in policy.provider.contacts if each.kind is ContactKind.MAIL), None)
    sender = access.from_ or contact
    if sender is None:
        raise UserError("the policy has no mail contact; say with --from whom the notices are from")
    trust = ssl.create_default_context(cafile=None if access.ca is None else str(access.ca))
    password = secret_files.read(access.password_file, "--password-file")
    return Server(host, port, access.user, password, trust, sender)


def _place(policy: Policy, said: str | None) -> tuple[str, int]:
    if said is None:
        own = next(iter(submission_servers(policy)), None)
        if own is None or SUBDOMAIN in own.hosts[0]:
            raise UserError("the policy names no one server to hand mail in at; name it with --server")
        return own.hosts[0], STARTTLS if STARTTLS in own.ports else IMPLICIT_TLS
    try:
        place = urlsplit(f"//{said}")
        return place.hostname or "", place.port or STARTTLS
    except ValueError:
        raise UserError(f"--server {said!r} is not a server; write HOST or HOST:PORT") from None


def send(run: Run, records: Records, mails: list[Mail], to: Server, rate: float, counts: dict[str, int]) -> None:
    """Hand in each mail, and add to `counts` what became of it. Raises UserError when it is no use to go on."""
    quiet, terminal = not sys.stderr.isatty(), Console(stderr=True)
    reply_to = next((each.address for each in run.policy.provider.contacts if each.kind is ContactKind.MAIL), to.sender)
    with Sending(to, rate, time.monotonic, time.sleep, output.note) as sending:
        for mail in track(mails, "sending", console=terminal, transient=True, disable=quiet):
            person = mail.person
            sender = Sender(run.texts.head.provider[person.languages[0]], to.sender, reply_to)
            written = compose(run.texts.mail(person), sender, person.name, person.email, mail.key, datetime.now(UTC))
            refusal = sending.send(mail.key, person.email, written)
            if refusal is not None:
                records.refused(mail.id, refusal)
                counts["refused"] += 1
                continue
            if not counts["sent"]:
                _same_store(records, mail, to)
            records.taken(mail.id, datetime.now(UTC))
            counts["sent"] += 1
    records.finished(run.phase.name, run.notice.name, counts, run.by)


def _same_store(records: Records, mail: Mail, to: Server) -> None:
    """Wait for the relay to come upon the first mail: without its notes nothing keeps a mail from leaving twice."""
    until = time.monotonic() + SEEN_SECONDS
    while not records.seen(mail.key):
        if time.monotonic() > until:
            raise UserError(
                f"{to.host} took a mail, and its relay has noted nothing of it in this store: it has another store, "
                "does not run, or is not op25b's. Nothing more was sent; mend that, then the same command goes on"
            )
        time.sleep(0.1)
