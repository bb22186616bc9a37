"""The terms of exemptions in words: what a customer must show, what it costs, how long it holds, how many there are."""

from __future__ import annotations

from collections.abc import Mapping

from op25b.answers.speech import Speaker, mark
from op25b.policy.model import Policy
from op25b.policy.terms import Criteria, DestinationCriteria, ReverseDns

_HEADS = {
    "subscriber": mark("For one customer, at whatever address the line has:"),
    "prefix": mark("For fixed addresses:"),
    "destination": mark("For a server that every customer may reach:"),
}
_REVERSE = {
    ReverseDns.EXISTS: mark("the address of the mail server has a reverse DNS entry"),
    ReverseDns.CONFIRMED: mark("the reverse DNS name of the mail server leads back to its address"),
    ReverseDns.NOT_GENERIC: mark(
        "the reverse DNS name of the mail server leads back to its address, and is not made from the address"
    ),
}


def text(policy: Policy, counts: Mapping[str, Mapping[str, int]], say: Speaker) -> list[str]:
    """Lines for a page. `counts`: by kind, how many were `asked`, `granted` and `refused` and are `in_force`."""
    provider, terms = say.pick(policy.provider.display), policy.exemption_terms
    if not terms.offered:
        return [say("{provider} offers no exemptions from the restriction of port 25.", provider=provider)]
    lines = [
        say(
            "If you cannot send in another way, you may ask {where} to lift the restriction.",
            where=terms.contact or provider,
        )
    ]
    for kind, head in _HEADS.items():
        wanted: DestinationCriteria = getattr(terms, kind)
        lines.append(say(head))
        lines += [say("- {condition}", condition=each) for each in conditions(wanted, policy, say)]
        number = {name: str(value) for name, value in counts[kind].items()}
        lines.append(
            say("- Asked for: {asked}, granted: {granted}, refused: {refused}, in force: {in_force}.", **number)
        )
    return [*lines, *common(policy, say)]


def conditions(wanted: DestinationCriteria, policy: Policy, say: Speaker) -> list[str]:
    """What a request must show, each as a clause."""
    found = []
    if isinstance(wanted, Criteria):
        if wanted.contracts is not None:
            found.append(say("the contract is one of: {contracts}", contracts=say.listed(wanted.contracts)))
        if wanted.static_address:
            found.append(say("the address is assigned to you for good"))
    if wanted.own_domain:
        found.append(say("you send for a domain of your own"))
    if isinstance(wanted, Criteria) and wanted.reverse_dns is not None:
        found.append(say(_REVERSE[wanted.reverse_dns]))
    if wanted.fee and policy.exemption_terms.fee is not None:
        found.append(say("you accept the fee: {fee}", fee=say.pick(policy.exemption_terms.fee).rstrip(" .。")))
    return found or [say("no condition but a reason that we find good")]


def common(policy: Policy, say: Speaker) -> list[str]:
    """How long exemptions of every kind hold, as sentences."""
    terms = policy.exemption_terms
    lines = [
        say(
            "If no end is agreed on, we look at it again after {days} days; it ends {notice} days later if it is not "
            "prolonged.",
            days=str(terms.review_days),
            notice=str(terms.notice_days),
        )
    ]
    if terms.longest_days is not None:
        lines.append(say("It holds for {days} days at most, and can be prolonged.", days=str(terms.longest_days)))
    if terms.most_per_subscriber is not None:
        lines.append(say("A customer has {number} at most at a time.", number=str(terms.most_per_subscriber)))
    lines.append(say("It can be ended at any time if spam is sent."))
    return lines
