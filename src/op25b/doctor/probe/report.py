"""What was found, as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from op25b.doctor.probe.causes import Why, causes
from op25b.doctor.probe.coding import code
from op25b.doctor.probe.findings import Summary
from op25b.doctor.probe.outcomes import SUBMISSION, SUBMISSIONS, Outcome, Provider, Role, Target, Try
from op25b.doctor.probe.words import (
    CAUSES,
    EXPLAINED,
    LOGINS,
    OUTCOMES,
    PLACES,
    READ_FIRST,
    ROLES,
    USE_465,
    USE_587,
    USE_OURS,
    Say,
)


@dataclass(frozen=True)
class Report:
    """What was found."""

    provider: Provider
    tries: tuple[Try, ...]
    summary: Summary
    setting: Target | None = None
    causes: tuple[Why, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "causes", tuple(causes(self.summary)))

    @property
    def way(self) -> Target | None:
        """The own server and port to send through: the first that works, or else is there."""
        own = [
            each
            for each in self.tries
            if each.target.role is Role.OWN and each.target.port in (SUBMISSION, SUBMISSIONS)
        ]
        best = max(own, key=lambda each: (each.outcome is Outcome.WORKS, each.target.port), default=None)
        return best.target if best else None

    def as_json(self) -> dict[str, Any]:
        return {
            "place": self.summary.place.name.lower(),
            "tries": [
                {
                    "server": each.target.role.name.lower(),
                    "host": each.target.host,
                    "port": each.target.port,
                    "family": each.family,
                    "address": each.address or None,
                    "outcome": each.outcome.name.lower(),
                    "milliseconds": round(each.milliseconds, 1),
                    "name": each.name or None,
                    "seen": each.seen or None,
                    "detail": each.detail or None,
                }
                for each in self.tries
            ],
            "login": self.summary.login.name.lower().replace("_", "-"),
            "causes": [{"cause": why.cause, "why": why.sign} for why in self.causes],
            "code": code(self.summary),
        }

    def lines(self, say: Say) -> Iterator[str]:
        """As text."""
        provider = _provider_name(self.provider, say)
        yield from self._tried(say, provider)
        if self.summary.place in PLACES:
            yield say(PLACES[self.summary.place], provider=provider)
        if self.summary.login in LOGINS:
            yield say(LOGINS[self.summary.login])
        if self.summary.place in PLACES or self.summary.login in LOGINS:
            yield ""
        for index, why in enumerate(self.causes):
            yield say("Cause:") if index == 0 else say("Found besides:")
            yield "  " + say(CAUSES[why.cause], provider=provider)
            yield from ("  " + line for line in self._explained(why, say, provider))
        if not self.causes:
            yield from self._fine(say)
        if self.causes and self.provider.contacts:
            listed = ("、" if say.language == "ja" else ", ").join(self.provider.contacts)
            yield say("For help, please contact {provider} ({contacts}).", provider=provider, contacts=listed)
        yield ""
        yield say("Code for the support desk: {code}", code=code(self.summary))

    def _tried(self, say: Say, provider: str) -> Iterator[str]:
        for role in Role:
            rows = [each for each in self.tries if each.target.role is role]
            if rows:
                yield say(ROLES[role], provider=provider)
            for target in dict.fromkeys(each.target for each in rows):
                over = [_told(each, say) for each in rows if each.target == target]
                yield f"  {target.host} {target.port:3}  {'  '.join(over)}"
            if rows:
                yield ""

    def _explained(self, why: Why, say: Say, provider: str) -> Iterator[str]:
        way = self.way
        host = way.host if way else provider
        used = self.setting or way or Target(Role.OWN, host, SUBMISSION)
        odd = next((each for each in self.tries if each.outcome is Outcome.REDIRECTED), None)
        values = {
            "provider": provider,
            "host": host,
            "minutes": str(self.provider.pop_minutes),
            "set_host": used.host,
            "set_port": str(used.port),
            "name": odd.name if odd else "",
            "asked": odd.target.host if odd else "",
        }
        for message in EXPLAINED[why]:
            if message == USE_OURS:
                if way is not None:
                    yield say(USE_587 if way.port == SUBMISSION else USE_465, **values)
            elif message != READ_FIRST or self.provider.pop_minutes:
                yield say(message, **values)

    def _fine(self, say: Say) -> Iterator[str]:
        way = self.way
        if way is not None:
            yield say("Sending works from here through {host}, port {port}.", host=way.host, port=str(way.port))
            yield say("If your mail program cannot send all the same, please compare its settings with these.")
            yield "  " + say("Server: {host}", host=way.host)
            yield "  " + (say("Port: 465, SSL/TLS") if way.port == SUBMISSIONS else say("Port: 587, STARTTLS"))
            yield "  " + say("SMTP AUTH: on, with your user name and password")
        if not any(each.target.role is Role.OTHER for each in self.tries):
            yield say("Port 25 of servers elsewhere was not tried: none was named.")


def _told(each: Try, say: Say) -> str:
    if each.outcome is Outcome.UNRESOLVED:
        return say(OUTCOMES[each.outcome])
    took = f" ({each.milliseconds:.0f} ms)" if each.milliseconds else ""
    return f"IPv{each.family}: {say(OUTCOMES[each.outcome])}{took}"


def _provider_name(provider: Provider, say: Say) -> str:
    return provider.name.get(say.language) or say("your provider")
