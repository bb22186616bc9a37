"""What may come of a connection, and what is tried. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

RELAY, SUBMISSION, SUBMISSIONS = 25, 587, 465
PORTS = (RELAY, SUBMISSION, SUBMISSIONS)
FAMILIES = (4, 6)


class Outcome(IntEnum):
    """How far a connection got. The greater, the farther; of several, the farthest one counts."""

    UNTRIED = 0
    UNRESOLVED = 1  # the name has no address
    UNREACHABLE = 2  # no route: this computer, or its router, has no way there
    DROPPED = 3  # no answer at all
    REFUSED = 4  # TCP reset
    PROHIBITED = 5  # a filter said so: ICMP, administratively prohibited
    FAILING = 6  # somebody answers, but not as a mail server should, or is out of order
    DENIED = 7  # answers, and does not pass on mail from here
    STRIPPED = 8  # offers no STARTTLS on 587
    INTERCEPTED = 9  # the certificate is not that server's
    WORKS = 10
    REDIRECTED = 11  # another server answers in its place


ANSWERED = Outcome.FAILING
SHUT = (Outcome.DROPPED, Outcome.REFUSED, Outcome.PROHIBITED)


class Role(IntEnum):
    """Whose server it is: the provider's own, somebody else's, the one that the mail program is set to."""

    OWN = 0
    OTHER = 1
    SETTING = 2


class Login(IntEnum):
    UNTRIED = 0
    ACCEPTED = 1
    WRONG = 2
    UNAVAILABLE = 3
    NOT_OFFERED = 4


class Place(IntEnum):
    """Where this computer is connected."""

    UNKNOWN = 0
    OWN = 1
    OTHER = 2


class Server(NamedTuple):
    host: str
    ports: tuple[int, ...]


class Provider(NamedTuple):
    """What is to be known of the provider. `name`: by language; `networks`: its customers' prefixes;
    `servers`: its own, where 25 among the ports means that customers may use it; `others`: mail servers elsewhere that
    may be tried; `pop_minutes`: for how long POP lets one send from outside, 0 if it does not."""

    name: dict[str, str]
    servers: tuple[Server, ...]
    others: tuple[Server, ...] = ()
    domains: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    pop_minutes: int = 0


class Target(NamedTuple):
    role: Role
    host: str
    port: int


@dataclass(frozen=True)
class Try:
    """One connection. `name`: as which the server greets; `seen`: our address as the server sees it; `source`: as this
    computer does; `detail`: what exactly went wrong, for the desk."""

    target: Target
    family: int
    address: str = ""
    outcome: Outcome = Outcome.UNTRIED
    milliseconds: float = 0.0
    name: str = ""
    seen: str = ""
    source: str = ""
    detail: str = ""
    mechanisms: tuple[str, ...] = ()
    verified: bool = False
