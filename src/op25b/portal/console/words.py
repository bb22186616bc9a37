"""The words that the desks have for what the program names."""

from __future__ import annotations

from collections.abc import Mapping

from op25b.answers.speech import Speaker, mark

_WORDS: Mapping[str, str] = {
    # roles
    "network": mark("network"),
    "mail": mark("mail"),
    "support": mark("support"),
    "abuse": mark("abuse"),
    "manager": mark("manager"),
    # verdicts
    "pass": mark("passes"),
    "block": mark("blocked"),
    # exemptions: what is exempt, states, steps
    "subscriber": mark("customer"),
    "prefix": mark("addresses"),
    "destination": mark("server that everyone may reach"),
    "requested": mark("requested"),
    "under-review": mark("under review"),
    "granted": mark("granted"),
    "expiring": mark("to be renewed"),
    "refused": mark("turned down"),
    "withdrawn": mark("withdrawn"),
    "revoked": mark("revoked"),
    "ended": mark("ended"),
    "review": mark("Review"),
    "approve": mark("Approve"),
    "renew": mark("Renew"),
    "refuse": mark("Refuse"),
    "withdraw": mark("Withdraw"),
    "revoke": mark("Revoke"),
    # criteria
    "contract": mark("contract"),
    "static-address": mark("fixed address"),
    "own-domain": mark("domain of their own"),
    "reverse-dns": mark("reverse DNS"),
    "fee": mark("fee accepted"),
    "duration": mark("duration"),
    "quota": mark("limit of exemptions"),
    "subscriber-quota": mark("limit for one customer"),
    # cases: kinds, states, steps
    "mail-program": mark("mail program"),
    "home-server": mark("home server"),
    "bot": mark("infected machine"),
    "unknown": mark("not clear"),
    "open": mark("open"),
    "noticed": mark("notice due"),
    "quarantined": mark("quarantined"),
    "released": mark("released"),
    "closed": mark("closed"),
    "notice": mark("Give notice"),
    "quarantine": mark("Quarantine"),
    "release": mark("Release"),
    "close": mark("Close"),
    # phases
    "covered": mark("in force"),
    "monitored": mark("watched only"),
    "announced": mark("announced"),
    "not-yet": mark("not yet"),
    # the queue
    "waiting": mark("waiting"),
    "deferred": mark("put off"),
    "held": mark("held"),
    "retry": mark("Try now"),
    "hold": mark("Hold"),
    # ways of notices
    "letter": mark("letter"),
    "fax": mark("fax by paper"),
    # bulletins
    "outage": mark("Outage"),
    "maintenance": mark("Maintenance"),
}
CHARTS: Mapping[str, str] = {
    "refused": mark("Refused packets an hour"),
    "senders": mark("Open cases by kind of sender"),
    "queue": mark("Messages that wait"),
}
TONES: Mapping[str, str] = {
    "pass": "good", "granted": "good", "released": "good", "covered": "good",
    "block": "bad", "refused": "bad", "revoked": "bad", "quarantined": "bad", "bot": "bad", "held": "bad",
    "monitored": "soon", "expiring": "soon", "requested": "soon", "under-review": "soon", "noticed": "soon",
    "announced": "soon", "deferred": "soon",
}  # fmt: skip
"""In what colour a word is tagged."""


def word(name: str, say: Speaker) -> str:
    """The word for a name of the program's; the name itself where there is none."""
    found = _WORDS.get(name)
    return name if found is None else say(found)
