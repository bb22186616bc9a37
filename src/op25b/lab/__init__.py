"""The whole service on one machine: a provider's network as network namespaces, with real mail servers and
real mail clients, where an outcome is read off the wire.

    lab = up("demo", provider, now=now, directory=default_directory())
    customer, foreign = lab.plan.subscriber("b-flets"), lab.plan.host("foreign")
    tried = attempt(lab, customer.name, swaks(Message("t1"), To(str(foreign.address(4)), 25, lab.authority)))
    tried.outcome.kind, lab.mailbox("foreign").wait("t1", 5)
    down("demo", directory=default_directory())
"""

from __future__ import annotations

from op25b.lab.attempts import Attempt, attempt
from op25b.lab.clients import Client, Login, Message, To, connect, curl, msmtp, smtplib, swaks, webmail
from op25b.lab.hosts import Lab, Mailbox
from op25b.lab.lifecycle import attach, down, up
from op25b.lab.plan import Customer, LabPlan, Pool, Provider, lab_plan
from op25b.lab.records import default_directory
from op25b.lab.records import names as lab_names
from op25b.lab.servers import Account, MailServer, OwnServer, Service
from op25b.lab.wire import Kind, Outcome

__all__ = [
    "Account", "Attempt", "Client", "Customer", "Kind", "Lab", "LabPlan", "Login", "MailServer", "Mailbox", "Message",
    "Outcome", "OwnServer", "Pool", "Provider", "Service", "To", "attach", "attempt", "connect", "curl",
    "default_directory", "down", "lab_names", "lab_plan", "msmtp", "smtplib", "swaks", "up", "webmail",
]  # fmt: skip
