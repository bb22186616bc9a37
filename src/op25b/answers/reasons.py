"""The reason of a verdict, said to the person on that line; and the two conditions, each true or false."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from op25b.answers import phases
from op25b.answers.naming import named
from op25b.answers.situation import Case, Situation, Uses
from op25b.answers.speech import Speaker
from op25b.policy.model import Assignment, Phase, Policy, Pool
from op25b.policy.reasons import Reason
from op25b.policy.verdict import SMTP, SUBMISSION


def when(case: Case, at: datetime, provider: str, say: Speaker) -> list[str]:
    """What the phase that decided does, with its dates, and what is announced besides."""
    found = _when(case.verdict.reason, case.phase, at, provider, say) if case.phase else []
    if case.announced is not None and case.verdict.reason is not Reason.COVERED:
        found += phases.announced(case.announced, at, provider, say)
    return list(dict.fromkeys(found))


def _when(reason: Reason, phase: Phase, at: datetime, provider: str, say: Speaker) -> list[str]:
    match reason:
        case Reason.COVERED:
            return [phases.since(phase, provider, say)]
        case Reason.MONITORED:
            return phases.monitored(phase, at, provider, say)
        case Reason.ANNOUNCED:
            return phases.announced(phase, at, provider, say)
        case Reason.NOT_YET:
            return phases.not_yet(phase, at, provider, say)
        case Reason.ENDED:
            return phases.ended(phase, say)
        case _:
            return []


def why(case: Case, line: str, policy: Policy, situation: Situation, say: Speaker) -> list[str]:
    """The reason of a case, to the person whose line is called `line`."""
    provider = say.pick(policy.provider.display)
    if situation.uses is Uses.WEBMAIL:
        return [say("Webmail in a web browser does not use port 25, so it works as before.")]
    if situation.uses is Uses.HOSTING and not case.line:
        return [say("The service runs on a network that is not covered.")]
    match case.verdict.reason:
        case Reason.NOT_PORT_25:
            return _other_port(case.port, provider, say)
        case Reason.OWN_SERVER:
            return [say("The sending server is one of {provider}'s own, which stay open.", provider=provider)]
        case Reason.INBOUND:
            return [say("Mail that comes in from outside is not restricted; only sending out is.")]
        case Reason.NOT_A_CUSTOMER:
            return _elsewhere(provider, say)
        case Reason.EXEMPT:
            return [say("Your line, {line}, is covered, but an exemption has been granted.", line=line)]
        case Reason.COVERED | Reason.MONITORED | Reason.ANNOUNCED | Reason.NOT_YET | Reason.ENDED:
            return _covered(case, line, policy, say)
        case reason:
            return [_not_covered(reason, line, policy.pools[case.source.pool], policy, say)]


def _other_port(port: int, provider: str, say: Speaker) -> list[str]:
    if port in SUBMISSION:
        return [
            say(
                "Port {port} is for message submission, and {provider} does not restrict it.",
                port=str(port),
                provider=provider,
            )
        ]
    return [
        say(
            "Only sending on port 25 is restricted; {provider} does not restrict port {port}.",
            provider=provider,
            port=str(port),
        )
    ]


def _elsewhere(provider: str, say: Speaker) -> list[str]:
    """Claims L6, N6."""
    return [
        say("The line that you use is not one of {provider}'s.", provider=provider),
        say("If the provider of that line restricts port 25 as well, you are affected by its restriction."),
    ]


def _covered(case: Case, line: str, policy: Policy, say: Speaker) -> list[str]:
    provider = say.pick(policy.provider.display)
    sentences = [say("Your line, {line}, is covered.", line=line)]
    if case.phase is not None and case.phase.scope.assignments == (Assignment.DYNAMIC,):
        sentences = [
            say("The restriction is for sending from dynamic IP addresses, and your line, {line}, has one.", line=line)
        ]
    if case.destination.server >= 0:
        own = say("The restriction includes port 25 of {provider}'s own sending server.", provider=provider)
        return [*sentences, own]
    return sentences


def _not_covered(reason: Reason, line: str, pool: Pool, policy: Policy, say: Speaker) -> str:
    if reason is Reason.REGION_NOT_COVERED and pool.region is not None:
        region = named(pool.region, policy, say)
        return say("Your line, {line}, is not covered in your region ({region}).", line=line, region=region)
    if reason is Reason.STATIC_ADDRESS and pool.assignment is Assignment.STATIC:
        return say("Your line, {line}, has a fixed IP address, and fixed addresses are not covered.", line=line)
    if reason is Reason.CONTRACT_NOT_COVERED:
        contract = named(pool.contract, policy, say) if pool.contract else line
        return say("Your contract, {contract}, is not covered.", contract=contract)
    return say("Your line, {line}, is not covered.", line=line)


def conditions(case: Case, line: str, policy: Policy, say: Speaker) -> Iterator[tuple[str, str]]:
    """Both conditions, each with whether it holds (claims L3, F3, S4)."""
    holds = say("yes: {what}", what=line) if case.line else say("no: {what}", what=line)
    yield say("You connect over a covered line"), holds
    second = second_condition(policy, say)
    if case.server:
        yield second, say("yes")
    else:
        yield second, say("no: {what}", what=say.host(policy.own_servers[case.destination.server].hosts[0]))


def second_condition(policy: Policy, say: Speaker) -> str:
    """On the sending server; where none of the provider's stays open on 25, every server is meant (claims N7, I8)."""
    match _left_open(policy, say):
        case []:
            return say("You send on port 25, whatever the server")
        case hosts if len(hosts) == len(policy.own_servers):
            provider = say.pick(policy.provider.display)
            return say("You send through a server other than {provider}'s", provider=provider)
        case hosts:
            return say("You send on port 25 through a server other than {hosts}", hosts=say.listed(hosts))


def who(policy: Policy, say: Speaker) -> str:
    """Both conditions in one sentence."""
    match _left_open(policy, say):
        case []:
            return say("It affects everyone who sends on port 25 from a covered line, whatever the server.")
        case hosts if len(hosts) == len(policy.own_servers):
            return say(
                "It affects only those who use a covered line and a sending server other than {provider}'s.",
                provider=say.pick(policy.provider.display),
            )
        case hosts:
            return say(
                "It affects only those who send on port 25 from a covered line through a server other than {hosts}.",
                hosts=say.listed(hosts),
            )


def _left_open(policy: Policy, say: Speaker) -> list[str]:
    """The provider's servers that stay open on port 25, by name."""
    return [say.host(server.hosts[0]) for server in policy.own_servers if SMTP in server.ports]
