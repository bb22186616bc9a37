"""What is asked of a mail server: what it is and offers, and whether it takes a password. No mail is sent."""

from __future__ import annotations

import base64
import re
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Any

from op25b.doctor.probe.outcomes import RELAY, SUBMISSION, SUBMISSIONS, Login, Outcome, Role, Try
from op25b.doctor.probe.talking import CONNECT_SECONDS, Deadline, NotSmtp, Talk, Trust

LOGIN_SECONDS = 5.0
RECIPIENT = "nobody@example.com"  # somewhere else; RFC 2606 3


class Dialogue:
    """What is asked of a mail server on its port. `made` grows as answers come."""

    def __init__(self, made: Try, talk: Talk, trust: Trust) -> None:
        self.made, self.talk, self._trust = made, talk, trust

    def run(self, sender: str) -> None:
        port = self.made.target.port
        if self.begin():
            if self.made.target.role is Role.OWN and port == RELAY:
                self._relay(sender)
            with suppress(OSError, NotSmtp):  # it has said all that we ask for
                self.talk.ask("QUIT")

    def begin(self) -> bool:
        """Up to where mail could be sent, or a password; False where it does not come so far."""
        port = self.made.target.port
        if port == SUBMISSIONS:
            self._secure()
        code, lines = self.talk.reply()
        self._note(name=lines[0].split(" ")[0], seen=_address_in(lines[0]))
        if code != 220:
            self._note(outcome=Outcome.FAILING, detail=str(code))
            return False
        keywords = self._ehlo()
        if port == SUBMISSION:
            if "STARTTLS" not in keywords:
                self._note(outcome=Outcome.STRIPPED)
                return False
            code, _ = self.talk.ask("STARTTLS")
            if code != 220:
                self._note(outcome=Outcome.FAILING, detail=str(code))
                return False
            self._secure()
            keywords = self._ehlo()
        self._note(outcome=Outcome.WORKS, mechanisms=tuple(keywords.get("AUTH", "").upper().split()))
        return True

    def authenticate(self, account: str, password: str) -> int:
        """The last reply's code."""

        def encoded(text: str) -> str:
            return base64.b64encode(text.encode()).decode()

        if "PLAIN" in self.made.mechanisms:
            return self.talk.ask("AUTH PLAIN " + encoded(f"\0{account}\0{password}"))[0]
        code, _ = self.talk.ask("AUTH LOGIN")
        for text in (account, password):
            if code == 334:
                code, _ = self.talk.ask(encoded(text))
        return code

    def _ehlo(self) -> dict[str, str]:
        """What it offers: keyword -> parameters. Our name is our address (RFC 5321 4.1.3): another is not known."""
        tag = "IPv6:" if self.made.family == 6 else ""
        code, lines = self.talk.ask(f"EHLO [{tag}{self.made.source.partition('%')[0]}]")
        if code != 250:
            raise NotSmtp
        self._note(seen=_address_in(lines[0]) or self.made.seen)
        pairs = (line.partition(" ") for line in lines[1:])
        return {keyword.upper(): rest for keyword, _, rest in pairs}

    def _secure(self) -> None:
        self.talk.secure(self._trust.context, self.made.target.host)
        self._note(verified=self._trust.checks)
        if not self._trust.checks:
            self._note(detail="certificate not checked: this Python knows no authorities")

    def _relay(self, sender: str) -> None:
        """Whether mail for elsewhere is taken from here without a password; none is sent."""
        code, _ = self.talk.ask(f"MAIL FROM:<{sender}>")
        if code == 250:
            code, _ = self.talk.ask(f"RCPT TO:<{RECIPIENT}>")
        if code in (530, 550, 551, 553, 554):
            self._note(outcome=Outcome.DENIED, detail=str(code))

    def _note(self, **more: Any) -> None:
        self.made = replace(self.made, **more)


def _address_in(line: str) -> str:
    """Ours, as many servers show it in their greeting or in their reply to EHLO."""
    found = re.search(r"\[(?:IPv6:)?([0-9A-Fa-f.:]{2,45})\]", line)
    return found.group(1) if found else ""


def log_in(made: Try, trust: Trust, account: str, password: str) -> Login:
    """One log-in, by PLAIN (RFC 4616) or LOGIN, on a port where TLS was verified."""
    deadline = Deadline(LOGIN_SECONDS)
    try:
        connection = socket.create_connection((made.address, made.target.port), deadline.left(CONNECT_SECONDS))
    except OSError:
        return Login.UNAVAILABLE
    dialogue = Dialogue(made, Talk(connection, deadline), trust)
    try:
        if not dialogue.begin():
            return Login.UNAVAILABLE
        code = dialogue.authenticate(account, password)
    except (OSError, NotSmtp, ValueError):
        return Login.UNAVAILABLE
    finally:
        dialogue.talk.close()
    return Login.ACCEPTED if code == 235 else Login.WRONG if code >= 500 else Login.UNAVAILABLE
