"""What to do, in words: one or two sentences for each remedy, in the order of the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from op25b.answers.speech import Speaker
from op25b.policy.fields import SUBDOMAIN
from op25b.policy.model import Contact, ContactKind, OwnServer, Policy
from op25b.policy.reasons import Remedy
from op25b.policy.verdict import SUBMISSION

_STARTTLS, _IMPLICIT_TLS = 587, 465


def advice(
    remedies: Iterable[Remedy], policy: Policy, tried: OwnServer | None, at: datetime, say: Speaker
) -> list[list[str]]:
    """For each remedy its sentences, in order. `tried`: the provider's server that was to be reached, if it was one."""
    case = Case(policy, tried, at, say)
    return [_SENTENCES[remedy](case) for remedy in remedies]


@dataclass(frozen=True)
class Case:
    """Whom the advice is for."""

    policy: Policy
    tried: OwnServer | None
    at: datetime
    say: Speaker

    @property
    def provider(self) -> str:
        return self.say.pick(self.policy.provider.display)

    @property
    def server(self) -> OwnServer:
        """The own server to submit to: the one that was tried if it takes submission, else the first that does."""
        taking = submission_servers(self.policy)
        return self.tried if self.tried in taking else taking[0]


def submission_servers(policy: Policy) -> list[OwnServer]:
    """The provider's servers that take message submission."""
    return [server for server in policy.own_servers if set(SUBMISSION) & set(server.ports)]


def _use_own_submission(case: Case) -> list[str]:
    say, host = case.say, case.say.host(case.server.hosts[0])
    if _STARTTLS in case.server.ports:
        sentences = [say("Please set the sending server to {host} with port 587, and turn on SMTP AUTH.", host=host)]
    else:
        message = say("Please set the sending server to {host} with port 465 (SMTP over SSL) and SMTP AUTH.", host=host)
        sentences = [message]
    sentences += subdomain(case.server, say)
    since = case.server.submission_since
    if since is not None and case.at.astimezone(say.zone).date() < since:
        sentences.append(say("This is offered from {since}.", since=say.day(since)))
    return sentences


def subdomain(server: OwnServer, say: Speaker) -> list[str]:
    """Claim S7: what `say.host` has put into the server's name."""
    if SUBDOMAIN not in server.hosts[0]:
        return []
    return [
        say(
            "In place of (your sub-domain) put the sub-domain of your mail address: what stands after the @, up to the "
            "first dot."
        )
    ]


def _use_other_submission(case: Case) -> list[str]:
    return [case.say("With another provider's sending server, please use port 587 or 465 (SMTP over SSL) there.")]


def _ask_their_operator(case: Case) -> list[str]:
    return [case.say("Please ask its operator whether that server takes them.")]


def _use_smart_host(case: Case) -> list[str]:
    say = case.say
    host = next((say.host(server.hosts[0]) for server in case.policy.own_servers), case.provider)
    message = say("If you run a mail server of your own, please let it relay through {host} (smart host).", host=host)
    return [message, say("We do not support the set-up of that server itself.")]


def _use_webmail(case: Case) -> list[str]:
    return [case.say("Webmail in a web browser can be used as before.")]


def _request_exemption(case: Case) -> list[str]:
    say, terms = case.say, case.policy.exemption_terms
    where = terms.contact or case.provider
    sentences = [say("If none of this is possible, you may ask {where} to lift the restriction.", where=where)]
    if terms.fee is not None:
        sentences.append(say("Fee: {fee}.", fee=say.pick(terms.fee).rstrip(" .。")))
    return sentences


def _ask_that_provider(case: Case) -> list[str]:
    say = case.say
    return [say("Whether port 25 can be used is decided by the provider of that line; please ask there.")]


def _ask_network_administrator(case: Case) -> list[str]:
    say = case.say
    return [
        say("If you cannot connect, a firewall at your company or school may stop it."),
        say("Please ask the administrator of that network first."),
    ]


def _contact_support(case: Case) -> list[str]:
    say = case.say
    if not case.policy.provider.contacts:
        return [say("For help, please contact {provider}.", provider=case.provider)]
    contacts = say.listed(_contact(contact, say) for contact in case.policy.provider.contacts)
    return [say("For help, please contact {provider} ({contacts}).", provider=case.provider, contacts=contacts)]


def _contact(contact: Contact, say: Speaker) -> str:
    address = contact.address
    match contact.kind:
        case ContactKind.TELEPHONE:
            return say("telephone {address}", address=address)
        case ContactKind.FAX:
            return say("fax {address}", address=address)
        case ContactKind.MAIL:
            return say("mail {address}", address=address)
        case ContactKind.WEB:
            return address


_SENTENCES: dict[Remedy, Callable[[Case], list[str]]] = {
    Remedy.USE_OWN_SUBMISSION: _use_own_submission,
    Remedy.USE_OTHER_SUBMISSION: _use_other_submission,
    Remedy.ASK_THEIR_OPERATOR: _ask_their_operator,
    Remedy.USE_SMART_HOST: _use_smart_host,
    Remedy.USE_WEBMAIL: _use_webmail,
    Remedy.REQUEST_EXEMPTION: _request_exemption,
    Remedy.ASK_THAT_PROVIDER: _ask_that_provider,
    Remedy.ASK_NETWORK_ADMINISTRATOR: _ask_network_administrator,
    Remedy.CONTACT_SUPPORT: _contact_support,
}
