"""Delivery status notifications (RFC 3461, 3464, 6522, 6533): who is to be told what, and the report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum

from op25b.submission.relay.content import split
from op25b.submission.relay.outcome import Outcome
from op25b.submission.spool.envelope import Envelope, Recipient


class Action(StrEnum):
    """RFC 3464 2.3.3. Relayed: handed on to a host that gives no success notices of its own."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"


_WORDS = {
    Action.FAILED: "Your message could not be delivered to the recipients below. It will not be tried again.",
    Action.DELAYED: (
        "Your message has not been delivered to the recipients below yet. You need not send it again:\r\n"
        "delivery goes on being tried until {until}."
    ),
    Action.RELAYED: (
        "Your message was handed on for the recipients below to a host that confirms no deliveries.\r\n"
        "This is the last notice that you asked for."
    ),
}
_SUBJECTS = {
    Action.FAILED: "Undelivered mail: returned to sender",
    Action.DELAYED: "Delayed mail: still being tried",
    Action.RELAYED: "Mail handed on",
}


def wanted(action: Action, sender: str, to: Recipient) -> bool:
    """Whether the sender is to hear of it (RFC 3461 4.1); <> never is (RFC 5321 6.1)."""
    if not sender:
        return False
    if not to.notify:
        return action is not Action.RELAYED
    return {Action.FAILED: "FAILURE", Action.DELAYED: "DELAY", Action.RELAYED: "SUCCESS"}[action] in to.notify


@dataclass(frozen=True, slots=True)
class Report:
    """One notice, of one message, about recipients who share an action. `until`: of delayed, when it is given up."""

    action: Action
    queue_id: str
    envelope: Envelope
    outcomes: Mapping[str, Outcome]
    at: datetime
    until: datetime | None = None

    @property
    def recipients(self) -> Sequence[Recipient]:
        return [to for to in self.envelope.recipients if to.address in self.outcomes]

    def render(self, own_name: str, report_id: str, content: bytes) -> bytes:
        """The message, CRLF throughout. `report_id`: its own queue id, for Message-ID and the boundary.

        `content` is what is reported on; the whole of it is returned only where it was asked for (RET=FULL) of a
        failure; REQUIRETLS forbids it (RFC 8689 5).
        """
        whole = self.action is Action.FAILED and self.envelope.ret == "FULL" and not self.envelope.requiretls
        original = content if whole else split(content)[0]
        wide = self.envelope.smtputf8
        boundary = f"{report_id}/{own_name}"
        kinds = ("message/global-delivery-status", "message/global" if whole else "message/global-headers")
        plain = ("message/delivery-status", "message/rfc822" if whole else "text/rfc822-headers")
        status_type, original_type = kinds if wide else plain
        parts = [
            _part("text/plain; charset=utf-8", "Notification", self._words(own_name)),
            _part(status_type, "Delivery report", self._status(own_name)),
            _part(original_type, "Undelivered message" if whole else "Message headers", original),
        ]
        lines = b"".join(f"--{boundary}\r\n".encode() + part for part in parts) + f"--{boundary}--\r\n".encode()
        return self._head(own_name, report_id, boundary) + lines

    def _head(self, own_name: str, report_id: str, boundary: str) -> bytes:
        fields = [
            f"From: Mail Delivery System <postmaster@{own_name}>",
            f"To: <{self.envelope.sender}>",
            f"Subject: {_SUBJECTS[self.action]}",
            f"Date: {format_datetime(self.at)}",
            f"Message-ID: <{report_id}@{own_name}>",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"',
            "Content-Transfer-Encoding: 8bit",
        ]
        return _text(fields) + b"\r\n"

    def _words(self, own_name: str) -> bytes:
        until = format_datetime(self.until) if self.until else ""
        lines = [f"This is the mail system at {own_name}.", "", _WORDS[self.action].format(until=until), ""]
        for to in self.recipients:
            outcome = self.outcomes[to.address]
            host = f"{outcome.remote} said: " if outcome.remote else ""
            lines += [f"<{to.address}>: {outcome.status}", f"    {host}{_one_line(outcome.text)}"]
        lines += ["", f"Its number here was {self.queue_id}; postmaster@{own_name} can look it up."]
        return _text(lines)

    def _status(self, own_name: str) -> bytes:
        """RFC 3464 2.2 and 2.3: fields of the message, then of each recipient, between empty lines."""
        lines = [f"Original-Envelope-Id: {_one_line(self.envelope.envid)}"] if self.envelope.envid else []
        lines += [f"Reporting-MTA: dns; {own_name}", f"Arrival-Date: {format_datetime(self.envelope.arrived)}"]
        kind = "utf-8" if self.envelope.smtputf8 else "rfc822"
        for to in self.recipients:
            outcome = self.outcomes[to.address]
            lines.append("")
            if to.orcpt:
                original_kind, _, address = to.orcpt.partition(";")
                lines.append(f"Original-Recipient: {original_kind}; {_one_line(address)}")
            lines += [f"Final-Recipient: {kind}; {to.address}", f"Action: {self.action}", f"Status: {outcome.status}"]
            if outcome.remote:
                lines += [f"Remote-MTA: dns; {outcome.remote}", f"Diagnostic-Code: smtp; {_one_line(outcome.text)}"]
            lines.append(f"Last-Attempt-Date: {format_datetime(self.at)}")
            if self.until:
                lines.append(f"Will-Retry-Until: {format_datetime(self.until)}")
        return _text(lines)


def _part(kind: str, description: str, body: bytes) -> bytes:
    encoding = "7bit" if body.isascii() else "8bit"
    head = [f"Content-Type: {kind}", f"Content-Description: {description}", f"Content-Transfer-Encoding: {encoding}"]
    return _text(head) + b"\r\n" + body + (b"" if body.endswith(b"\r\n") else b"\r\n")


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")


def _one_line(text: str) -> str:
    """A next hop's words in a header field: no control characters, and within the length of a line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:900]
