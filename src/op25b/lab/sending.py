"""Pure: the mail of a step, and the client that sends it."""

from __future__ import annotations

from op25b.lab import clients
from op25b.lab.clients import Client, Login, Message, Tls, To
from op25b.lab.plan import LabPlan
from op25b.lab.servers import CROWD_DOMAINS, HOME_DOMAIN, PASSWORD
from op25b.lab.trial import Step

_ROTATION = (clients.swaks, clients.curl, clients.smtplib, clients.msmtp)


def message(plan: LabPlan, step: Step, token: str) -> Message:
    """A home server that is watched has mail for many; its mail by the provider's server has a sender for each way."""
    how = step.how
    if step.mailbox != "foreign":
        return Message(token, recipient=f"owner@{HOME_DOMAIN}")
    if how.by == "home-server":
        sender = f"via{how.port}@{HOME_DOMAIN}" if how.to == "own" else f"owner@{HOME_DOMAIN}"
        return (
            Message(token, sender, ",".join(f"friend@{each}" for each in CROWD_DOMAINS))
            if how.seen
            else Message(token, sender)
        )
    if how.submits or how.pop:
        return Message(token, plan.accounts[step.host.name].name)
    return Message(token)


def login(plan: LabPlan, step: Step, number: int) -> Login | None:
    """What the mail program says in AUTH: on submission always, unless the try is about something else."""
    how = step.how
    if not how.submits or how.auth == "none":
        return None
    account = plan.accounts[step.host.name]
    if how.auth == "wrong-password":
        return Login(account.name, "wrong")
    # whoever does not care uses each in turn
    return Login(account.name, PASSWORD, (how.auth or ("plain", "login")[number % 2]).upper())


def client(plan: LabPlan, step: Step, mail: Message, number: int, auth: Login | None, authority: str) -> Client:
    """`authority`: file of the certificate that TLS is checked with."""
    address, source, how = str(step.dst), str(step.src), step.how
    if how.by == "connect":
        return clients.connect(address, how.port, source)
    if how.by == "webmail":
        return clients.webmail(mail, address, source)
    if how.by == "bot":
        return clients.fire(address, how.port, source, how.times)
    if how.by_name:
        address = plan.accounts[step.host.name].server
    tls = None if how.tls else Tls.NONE
    by_name = {make.__name__: make for make in _ROTATION}
    # whoever does not care which mail program it is gets each of them in turn
    make = by_name.get(how.by or "", _ROTATION[number % len(_ROTATION)])
    return make(mail, To(address, how.port, authority, source, tls, auth))
