"""Cases for other systems: a table, an abuse report as XARF v4 (xarf.org), or as ARF (RFC 5965)."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import op25b
from op25b.errors import UserError
from op25b.policy.model import ContactKind, Provider
from op25b.policy.watching import SenderKind
from op25b.watch.cases import Case

COLUMNS = (
    "id", "subscriber", "prefix", "kind", "state", "first_at", "last_at", "attempts", "targets", "notice", "noticed_at",
    "opened_at", "closed_at",
)  # fmt: skip
XARF_VERSION = "4.2.0"


@dataclass(frozen=True)
class Reporter:
    """Who reports: the provider, as the policy names him."""

    organisation: str
    contact: str

    @classmethod
    def of(cls, provider: Provider) -> Reporter:
        """Raises UserError where the policy has no mail address of the provider."""
        found = [each.address for each in provider.contacts if each.kind is ContactKind.MAIL]
        if not found:
            raise UserError("a report needs the provider's mail address: write a contact of kind mail in the policy")
        return cls(provider.display.en, found[0])

    @property
    def domain(self) -> str:
        return self.contact.rpartition("@")[2]


def table(cases: Iterable[Case]) -> str:
    """CSV with a header; no evidence but the figures."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    for case in cases:
        shown = case.shown()
        rows.writerow([_harmless(shown[name]) for name in COLUMNS])
    return written.getvalue()


def _harmless(value: Any) -> Any:
    """A spreadsheet takes text that begins so for a formula; names come from customers."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def xarf(case: Case, reporter: Reporter, report: UUID) -> dict[str, Any]:
    """XARF v4, category `connection`, type `infected_host`. Raises UserError for what is no abuse.

    The subscriber's name stays here: the report says what an address did.
    """
    _abuse(case)
    who = {"org": reporter.organisation, "contact": reporter.contact, "domain": reporter.domain}
    proof = json.dumps(_proof(case), indent=1, sort_keys=True).encode()
    return {
        "xarf_version": XARF_VERSION,
        "report_id": str(report),
        "timestamp": case.last_at.isoformat(),
        "reporter": who,
        "sender": who,
        "source_identifier": _source(case),
        "category": "connection",
        "type": "infected_host",
        "evidence_source": "firewall_logs",
        "protocol": "tcp",
        "destination_port": 25,
        "bot_type": "malicious" if case.kind is SenderKind.BOT else "unknown",
        "first_seen": case.first_at.isoformat(),
        "last_seen": case.last_at.isoformat(),
        "total_requests": max(1, case.attempts),
        "description": _sentence(case),
        "evidence": [
            {
                "content_type": "application/json",
                "description": "counts and packet headers",
                "payload": base64.b64encode(proof).decode(),
                "hash": f"sha256:{hashlib.sha256(proof).hexdigest()}",
                "size": len(proof),
            }
        ],
    }


def arf(case: Case, reporter: Reporter, recipient: str, at: datetime) -> Message:
    """ARF: multipart/report of three parts. Raises UserError for what is no abuse.

    No message was seen, as connections were refused or only counted: the third part, which RFC 5965 (2, d) asks for,
    is a header that says so. Feedback-Type (7.3): `virus` for a bot, `other` where the kind is not known; Incidents
    (3.2): the attempts.
    """
    _abuse(case)
    boundary = f"=_op25b_{case.id}_{at.timestamp():.0f}"
    message = MIMEMultipart("report", boundary=boundary, report_type="feedback-report")
    message["From"] = reporter.contact
    message["To"] = recipient
    message["Date"] = format_datetime(at)
    message["Subject"] = f"Abuse report: {_source(case)} on TCP port 25"
    fields = {
        "Feedback-Type": "virus" if case.kind is SenderKind.BOT else "other",
        "User-Agent": f"op25b/{op25b.__version__}",
        "Version": "1",
        "Source-IP": _source(case),
        "Arrival-Date": format_datetime(case.last_at),
        "Incidents": str(max(1, case.attempts)),
    }
    report = "".join(f"{name}: {value}\n" for name, value in fields.items())
    nothing = "Comments: no message was seen; connections to TCP port 25 were refused or counted\n\n"
    message.attach(MIMEText(f"{_sentence(case)}\n", "plain", "us-ascii"))
    message.attach(_part("message", "feedback-report", report))
    message.attach(_part("text", "rfc822-headers", nothing))
    return message


def _part(main: str, sub: str, text: str) -> Message:
    part = MIMENonMultipart(main, sub)
    part.set_payload(text)
    return part


def _abuse(case: Case) -> None:
    if case.kind not in (SenderKind.BOT, SenderKind.UNKNOWN):
        raise UserError(f"case {case.id} is a {case.kind}: that is a setting to be mended, no abuse to be reported")


def _source(case: Case) -> str:
    """The address; of an IPv6 /64 its first, as ARF and XARF know no prefixes."""
    return str(ip_network(case.prefix).network_address)


def _proof(case: Case) -> dict[str, Any]:
    """The evidence without the subscriber."""
    return {key: value for key, value in case.evidence.items() if key != "lease"} | {"prefix": case.prefix}


def _sentence(case: Case) -> str:
    first, last = (each.isoformat(timespec="seconds") for each in (case.first_at, case.last_at))
    return (
        f"{case.prefix} made {case.attempts} attempts at TCP port 25 of {case.targets} targets, "
        f"{case.evidence['figures']['busiest_hour']} of them within one hour, from {first} to {last}. "
        "No message content was looked at."
    )
