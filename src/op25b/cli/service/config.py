"""The service's configuration file: what `op25b serve` runs on this host, and within which bounds.

The fields are the keys of the file. Each table is a part that runs here, or belongs to one; a host has those that it
needs. Who is blocked, exempt and served is the policy's to say.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator

from op25b.enforcement.settings import Enforcer, Follower
from op25b.errors import UserError
from op25b.policy import syntax
from op25b.policy.faults import Fault
from op25b.policy.model import Port, Table
from op25b.policy.positions import Positions
from op25b.portal.api.config import Api
from op25b.portal.console.config import Console
from op25b.portal.public.config import Portal
from op25b.processes.settings import FOLDER, File
from op25b.submission import config as mail
from op25b.submission.config import Accounts, Address, Pop, Postfix, Relay, Submission
from op25b.subscribers.accounting.config import LeaseServer
from op25b.watch.settings import Watching

PARTS = ("submission", "leases", "enforcer", "follower", "watch", "api", "portal", "console")
OF_MAIL = ("relay", "pop", "accounts", "postfix")


class Health(Table):
    """Where `/healthz` and `/metrics` are."""

    address: Address = IPv4Address("127.0.0.1")
    port: Port = 9525
    relay_port: Port | None = None
    """The same for a relay that runs alone (`op25b serve --only relay`); without it, that one has none."""


class Config(Table):
    """The whole file. Relative paths are relative to it."""

    policy: File
    store: str
    """`sqlite:////absolute/path` or `postgresql://user@host/name`."""
    user: str | None = None
    """Whom the processes run as where `op25b serve` is started by root; without it, as root, but without privileges."""
    health: Health = Health()
    submission: Submission | None = None
    relay: Relay = Relay()
    pop: Pop | None = None
    accounts: Accounts = Accounts()
    postfix: Postfix | None = None
    leases: LeaseServer | None = None
    enforcer: Enforcer | None = None
    follower: Follower | None = None
    watch: Watching | None = None
    api: Api | None = None
    portal: Portal | None = None
    console: Console | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.submission is None:
            for name in OF_MAIL:
                if name in self.model_fields_set:
                    raise ValueError(f"[{name}] is of no use without [submission]; write it, or leave out [{name}]")
        elif not self.submission.listen and self.postfix is None:
            raise ValueError("nothing is to be served; write [[submission.listen]], [postfix], or both")
        if all(getattr(self, name) is None for name in PARTS):
            raise ValueError(
                "nothing is to be served; write at least one of " + ", ".join(f"[{each}]" for each in PARTS)
            )
        return self

    @property
    def mail(self) -> mail.Config | None:
        """What the way out needs of it; None: it is not on this host."""
        if self.submission is None:
            return None
        return mail.Config(self.policy, self.store, self.submission, self.relay, self.pop, self.accounts, self.postfix)


def load(path: Path) -> Config:
    """Read a configuration. Raises UserError with every fault, `path:line:column: what is wrong; what to write`."""
    try:
        text = syntax.decode(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); give the path of a service's configuration"
        ) from error
    if isinstance(text, Fault):
        raise UserError(text.format(str(path)))
    reading = syntax.read(text)
    faults = list(reading.faults)
    try:
        config = Config.model_validate(reading.document, context={FOLDER: path.resolve().parent})
    except ValidationError as error:
        where = Positions(reading.text)
        faults += [_fault(each["loc"], each["type"], each["msg"], where) for each in error.errors(include_url=False)]
    if faults:
        raise UserError("\n".join(fault.format(str(path)) for fault in sorted(set(faults))))
    return config


def _fault(path: tuple[str | int, ...], kind: str, message: str, where: Positions) -> Fault:
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    if kind == "missing":
        return Fault(*where.value(path[:-1]), f"{key} is missing", "see docs/reference/service.md")
    if kind == "extra_forbidden":
        return Fault(*where.key(path), f"there is no setting {key}", "see docs/reference/service.md")
    what, _, mend = message.removeprefix("Value error, ").partition("; ")
    said = f"{key}: {what}" if key else what
    return Fault(*where.value(path), said, mend or "see docs/reference/service.md")
