"""The words that the desks have for what the program names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from op25b.answers.speech import Speaker, mark
from op25b.doctor.probe.words import OUTCOMES
from op25b.rollout.gates import Wait
from op25b.rollout.stages import Stage

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
    "delivered": mark("delivered"),
    "bounced": mark("came back"),
    "dropped": mark("dropped"),
    # notices: ways, stages, what became of them
    "by mail": mark("by mail"),
    "by letter": mark("by letter"),
    "by fax": mark("by fax"),
    "stage tentative": mark("tentative notice"),
    "stage date": mark("notice of the date"),
    "stage reminder": mark("reminder"),
    "stage in-force": mark("notice of the start"),
    "notice to-send": mark("not sent yet"),
    "notice taken": mark("sent"),
    "notice waiting": mark("on its way"),
    "notice handing": mark("on its way"),
    "notice delivered": mark("delivered"),
    "notice bounced": mark("came back"),
    "notice doubt": mark("may not have arrived"),
    "notice refused": mark("address refused"),
    "notice to-print": mark("to be printed"),
    "notice printed": mark("printed"),
    # limits of accounts
    "messages_per_hour": mark("messages an hour"),
    "messages_per_day": mark("messages a day"),
    "recipients_per_hour": mark("recipients an hour"),
    "recipients_per_day": mark("recipients a day"),
    "rejected_per_hour": mark("refused recipients an hour"),
    # what a case rests on: rules, criteria
    "bot: fast": mark("infected machine: very many targets"),
    "bot: restless": mark("infected machine: many targets, few tried again"),
    "mail program: own server": mark("mail program: mostly to our own servers"),
    "home server: queue": mark("home server: tries the same targets again"),
    "home server: growing waits": mark("home server: waits longer each time"),
    "mail program: by day": mark("mail program: few targets, hardly at night"),
    "mail program: polling": mark("mail program: few targets, at regular intervals"),
    "attempts seen": mark("attempts seen"),
    "waits compared": mark("waits compared"),
    "first waits compared": mark("first waits compared"),
    "targets": mark("number of targets"),
    "targets in one hour": mark("targets in the busiest hour"),
    "share of targets tried again": mark("share of targets tried again"),
    "share to own servers": mark("share that went to our own servers"),
    "share of growing waits": mark("share of growing waits"),
    "share at night": mark("share at night"),
    "share of regular waits": mark("share of regular waits"),
    # what was done, in the audit trail
    "did request": mark("requested"),
    "did request again": mark("requested again"),
    "did review": mark("reviewed"),
    "did approve": mark("approved, one more needed"),
    "did grant": mark("granted"),
    "did renew": mark("renewed"),
    "did refuse": mark("turned down"),
    "did withdraw": mark("withdrawn"),
    "did revoke": mark("revoked"),
    "did open": mark("opened"),
    "did kind": mark("looks otherwise by now"),
    "did notice": mark("notice given"),
    "did quarantine": mark("put into quarantine"),
    "did release": mark("hold or quarantine lifted"),
    "did close": mark("closed"),
    "did retry": mark("tried at once"),
    "did hold": mark("put on hold"),
    "did add": mark("added"),
    "did end": mark("ended"),
    "did log in": mark("logged in"),
    "did rehash": mark("password hash renewed"),
    "did suspend": mark("suspended"),
    "did resume": mark("resumed"),
    "did staff add": mark("staff added"),
    "did staff remove": mark("staff removed"),
    "did notice begun": mark("notice begun"),
    "did notice sent": mark("notice sent"),
    "did notice printed": mark("notice printed"),
    "did import": mark("imported"),
    # whose server a check on a customer's machine tried
    "at own": mark("our own"),
    "at other": mark("somebody else's"),
    "at setting": mark("the mail program's"),
    # bulletins
    "outage": mark("Outage"),
    "maintenance": mark("Maintenance"),
}
EFFECTS: Mapping[str, str] = {
    # exemptions
    "review": mark("Checks the criteria anew and keeps what was found. Nothing is opened by this."),
    "approve": mark("Opens port 25 for what was requested, as soon as all have approved who must."),
    "renew": mark("The exemption goes on until the new last day."),
    "refuse": mark("Ends the request for good; port 25 stays closed. The customer can ask anew."),
    "withdraw": mark("Ends the request for good, as the customer wishes. It can be requested anew."),
    "revoke": mark("Closes port 25 again at once. This cannot be undone; it takes a new request."),
    # cases
    "notice": mark("Marks that a notice to the customer is due, with this evidence. No mail is sent by this."),
    "quarantine": mark("The customer's exemptions do not hold from now on, until the case is released or closed."),
    "release": mark("Ends the quarantine: the customer's exemptions hold again."),
    "close": mark("Ends the case, and the quarantine if there is one. Further attempts open a new case."),
    # the queue
    "retry": mark("Tries to deliver the message now instead of at the time that was planned."),
    "hold": mark("Keeps the message in the queue until somebody lets it go."),
    "let-go": mark("The message goes on to its recipients."),
}
"""What a step does, for who is about to take it."""
REFUSALS: Mapping[int, str] = {
    403: mark("Another person has to do this."),
    404: mark("There is nothing by this number: it was never there, or is not kept any more."),
    409: mark("As it stands now, this is not possible."),
    412: mark("Somebody has changed it meanwhile. Look at it again before you decide."),
    422: mark("Something is missing in what was written, or is not as it has to be."),
}
"""Why nothing was done, by the status of the answer."""
TRIES: Mapping[str, str] = {outcome.name.lower(): said for outcome, said in OUTCOMES.items()}
"""How far a connection got in a check on a customer's machine: the words that the customer has of it."""
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


def word(name: str, say: Speaker, group: str = "") -> str:
    """The word for a name of the program's, which may mean another thing in a group; the name where there is none."""
    found = _WORDS.get(f"{group} {name}" if group else name)
    return name if found is None else say(found)


def notice(name: str, say: Speaker) -> str:
    """The words for a notice by the name under which it is remembered."""
    stage, _, start = name.partition("@")
    kind, _, days = stage.partition("-") if stage.startswith(Stage.REMINDER) else (stage, "", "")
    said = word(kind, say, "stage")
    if days:
        said = say("{notice}, {number} days before", notice=said, number=days)
    return say("{notice} ({start})", notice=said, start=say.start(datetime.fromisoformat(start))) if start else said


def waiting(wait: Wait, say: Speaker) -> str:
    """What a phase waits for."""

    def shown(name: str, value: str | int | datetime) -> str:
        if isinstance(value, datetime):
            return say.start(value)
        return notice(str(value), say) if name == "notice" else str(value)

    return say(wait.message, **{name: shown(name, value) for name, value in wait.values.items()})
