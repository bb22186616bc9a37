"""Notices in the lab: `op25b notify` on the provider's host, and the mail that arrives at a server elsewhere."""

from __future__ import annotations

import email.header
import email.message
import sys
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex

from op25b.answers.speech import LANGUAGES, Language
from op25b.errors import UserError
from op25b.lab import reading
from op25b.lab.claims import Claim, Claims, Notice
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab
from op25b.lab.pages import NAME
from op25b.lab.servers import FOREIGN_DOMAIN, PASSWORD
from op25b.lab.service import STORE, notices_account
from op25b.lab.trial import Trial

_DELIVERY_SECONDS = 15.0
_SECONDS = 60.0
_QUICK = "6000"
"""Mails a minute: nobody's mailbox is flooded here."""


@dataclass(frozen=True)
class Announcements:
    """The provider's lab with its policy file."""

    lab: Lab
    text: str
    claims: Claims

    def all(self) -> list[tuple[Claim, Notice]]:
        theirs = self.claims.of(self.lab.plan.provider)
        return [(claim, notice) for claim in theirs for notice in claim.notices]

    def run(self, progress: Callable[[], None]) -> list[Trial]:
        """Send every notice, to a reader of each language; `progress` is called after each."""
        found: list[Trial] = []
        for claim, notice in self.all():
            token = token_hex(8)
            self._send(notice, token)
            found += [self._trial(claim, notice, language, token) for language in LANGUAGES]
            progress()
        return found

    def _send(self, notice: Notice, token: str) -> None:
        """As the operator does it. Raises UserError with what the command said if it fails."""
        files, here = self.lab.files / NAME, f"{WORK}/{NAME}"
        (files / "notices.toml").write_text(self.claims.edited(self.text, notice.edit))
        rows = "".join(f"{language}-{token},{_address(language, token)},{language},,,,\n" for language in LANGUAGES)
        (files / "customers.csv").write_text("id,email,language,name,postal_code,address,fax\n" + rows)
        (files / "password").touch(0o600)
        (files / "password").write_text(PASSWORD)
        account = notices_account(self.lab.plan)
        command = [
            sys.executable, "-m", "op25b", "notify", f"{here}/notices.toml", "--phase", notice.phase,
            "--stage", notice.stage, "--at", notice.at.isoformat(), "--to", f"{here}/customers.csv",
            "--server", f"{account.server}:587", "--user", account.name, "--password-file", f"{here}/password",
            "--from", account.name, "--ca", self.lab.authority, "--rate", _QUICK, "--store", STORE, "--by", "lab",
        ]  # fmt: skip
        done = self.lab.run(NAME, command, seconds=_SECONDS)
        if done.returncode:
            raise UserError(f"op25b notify: {done.stdout.strip()}")

    def _trial(self, claim: Claim, notice: Notice, language: Language, token: str) -> Trial:
        wanted = notice.words(language)
        arrived = self.lab.mailbox("foreign").wait(_address(language, token), _DELIVERY_SECONDS, "To")
        if arrived is None:
            observed, good = "no mail arrived", False
        else:
            lacking = reading.missing(_text(arrived), wanted)
            good = lacking is None
            observed = "it arrived, and says it" if good else f"not there, or not in this order: {lacking}"
        edit = f", {notice.edit}" if notice.edit else ""
        tried = f"notice {notice.stage} of {notice.phase}{edit}, at {notice.at.isoformat()}"
        return Trial(claim.provider, claim.id, f"{language} reader", tried, " ... ".join(wanted), observed, None, good)


def _address(language: Language, token: str) -> str:
    return f"{language}-{token}@{FOREIGN_DOMAIN}"


def _text(message: email.message.Message) -> str:
    """The subject and the plain text, white space made one space."""
    plain = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    octets = plain.get_payload(decode=True)
    assert isinstance(octets, bytes)
    subject = str(email.header.make_header(email.header.decode_header(message["Subject"])))
    return reading.plain(f"{subject} {octets.decode()}")
