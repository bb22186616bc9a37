"""The questions of the pages, from what a visitor chose and wrote in a form to a situation that can be answered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from op25b.answers.naming import called
from op25b.answers.situation import Line, Server, Situation, Uses
from op25b.answers.speech import Speaker, mark
from op25b.policy.fields import host_name, single_address
from op25b.policy.information import OfferKind
from op25b.policy.intervals import Address
from op25b.policy.model import Policy
from op25b.policy.verdict import SMTP
from op25b.portal.web.forms import Fields, narrow

PORTS = (25, 587, 465)
HERE, UNKNOWN, ELSEWHERE = "here", "unknown", "elsewhere"
OWN, OTHER = "own", "other"

USES = {
    Uses.MAIL_PROGRAM: mark("A mail program (Outlook, Apple Mail, Thunderbird, a phone and so on)"),
    Uses.WEBMAIL: mark("Webmail in a web browser"),
    Uses.SECURITY_SOFTWARE: mark("A mail program, with security software that checks outgoing mail"),
    Uses.HOME_SERVER: mark("A mail server of your own on this line"),
    Uses.HOSTING: mark("Our hosting service"),
}


@dataclass(frozen=True)
class Asked:
    """A form as it was sent. `situation` None: something is wrong, and `faults` say what, by field."""

    fields: Fields
    situation: Situation | None
    faults: dict[str, str] = field(default_factory=dict)


Option = tuple[str, str]


class Asking:
    """The form for one policy in one language."""

    def __init__(self, policy: Policy, say: Speaker) -> None:
        self._policy, self._say = policy, say
        provider = say.pick(policy.provider.display)
        host = next((say.host(host) for server in policy.own_servers for host in server.hosts), "")
        self.servers: list[Option] = [
            (OTHER, say("Another provider's, a company's or a school's server")),
            (OWN, say("{provider}'s server ({host})", provider=provider, host=host)),
        ]
        self.ports: list[Option] = [(str(port), str(port)) for port in PORTS]
        hosting = any(offer.line is not None for offer in policy.information.of(OfferKind.HOSTING))
        offered = [use for use in USES if use is not Uses.HOSTING or hosting]
        self.uses: list[Option] = [(use.value, say(USES[use])) for use in offered]
        self._labels: dict[str, Line] = {}
        for pool in policy.pools:
            self._labels.setdefault(called(pool, policy, say), Line(pool=pool.name))
        self._lines = {str(number): line for number, line in enumerate(self._labels.values())}

    def lines(self, visitor: Address | None) -> list[Option]:
        """Where a visitor may be."""
        say = self._say
        here = [] if visitor is None else [(HERE, say("This connection ({address})", address=str(visitor)))]
        lines = list(zip(self._lines, self._labels, strict=True))
        elsewhere = say("Another provider's line, a mobile network, a company or a school")
        return [*here, *lines, (UNKNOWN, say("I do not know which line")), (ELSEWHERE, elsewhere)]

    def read(self, fields: Fields, visitor: Address | None) -> Asked:
        """The situation that a form describes; what is left out is as it mostly is."""
        say, faults = self._say, dict[str, str]()
        source = self._source(fields, visitor, faults)
        server = self._server(fields, faults)
        try:
            port = int(fields.get("port") or SMTP)
            uses = Uses(fields.get("uses") or Uses.MAIL_PROGRAM)
        except ValueError:
            return Asked(fields, None, {"port": say("Please choose one of these.")})
        if port not in PORTS:
            faults["port"] = say("Please choose one of these.")
        if faults:
            return Asked(fields, None, faults)
        return Asked(fields, Situation(source, server, port, uses))

    def _source(self, fields: Fields, visitor: Address | None, faults: dict[str, str]) -> Address | Line | None:
        say = self._say
        if written := narrow(fields.get("address", "")):
            try:
                return single_address(written)
            except ValueError:
                faults["address"] = say("This is not an IP address. Please write it as in 192.0.2.1.")
                return None
        line = fields.get("line") or HERE
        if line == HERE and visitor is not None:
            return visitor
        if line in (UNKNOWN, HERE):
            return Line()
        if line == ELSEWHERE:
            return None
        if line in self._lines:
            return self._lines[line]
        faults["line"] = say("Please choose one of these.")
        return None

    def _server(self, fields: Fields, faults: dict[str, str]) -> Address | Server:
        written = narrow(fields.get("host", "")).lower().removesuffix(".")
        if not written:
            return Server.OWN if fields.get("server") == OWN else Server.OTHER
        if own := self._policy.own_servers_called(written):
            return own[0].addresses[0]
        try:
            return single_address(written) if _looks_like_address(written) else _other(written)
        except ValueError:
            say = self._say
            faults["host"] = say("This is not the name of a server. Please write it as in smtp.example.com.")
            return Server.OTHER


def _looks_like_address(text: str) -> bool:
    return ":" in text or re.fullmatch(r"[0-9.]+", text) is not None


def _other(name: str) -> Server:
    """Raises ValueError for what is no name of a host."""
    host_name(name)
    return Server.OTHER
