"""Connections, all at once, and what came of each."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from op25b.doctor.probe.asking import Dialogue
from op25b.doctor.probe.outcomes import PORTS, Outcome, Role, Target, Try
from op25b.doctor.probe.talking import CONNECT_SECONDS, Deadline, NotSmtp, Talk, Trust, printable

Item = TypeVar("Item")

RESOLVE_SECONDS = 4.0
ALL_SECONDS = 9.0  # after the names are known
MOST_TARGETS = 60


def _errors(*names: str) -> tuple[int, ...]:
    """Numbers of errors, Windows' own (WSA...) among them."""
    return tuple(
        getattr(errno, prefix + name) for name in names for prefix in ("", "WSA") if hasattr(errno, prefix + name)
    )


_NO_HOST = _errors("EHOSTUNREACH")
_NO_ROUTE = _NO_HOST + _errors("ENETUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "EAFNOSUPPORT")
_FORBIDDEN = _errors("EACCES", "EPERM")
_SILENT = _errors("ETIMEDOUT")


def resolved(hosts: Iterable[str]) -> dict[str, dict[int, str]]:
    """Host -> family -> the first address; {} for a name without."""

    def look_up(host: str) -> dict[int, str]:
        found: dict[int, str] = {}
        try:
            for family, _, _, _, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
                if family in (socket.AF_INET, socket.AF_INET6):
                    found.setdefault(4 if family == socket.AF_INET else 6, str(address[0]))
        except (OSError, UnicodeError):
            pass
        return found

    names = list(dict.fromkeys(hosts))
    answers = side_by_side([partial(look_up, name) for name in names], RESOLVE_SECONDS)
    return {name: answer or {} for name, answer in zip(names, answers)}


def side_by_side(works: Sequence[Callable[[], Item]], seconds: float) -> list[Item | None]:
    """The results, in order; None for what is not done in time. Nobody waits for a thread that hangs."""
    results: list[Item | None] = [None] * len(works)

    def work(index: int) -> None:
        results[index] = works[index]()

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(len(works))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return list(results)


def tries(targets: Iterable[Target], trust: Trust, sender: str) -> list[Try]:
    """Every target over every family that its name has addresses of, all at once."""
    targets = list(dict.fromkeys(targets))[:MOST_TARGETS]
    addresses = resolved(target.host for target in targets)
    unresolved = [Try(each, 4, outcome=Outcome.UNRESOLVED) for each in targets if not addresses[each.host]]
    planned = [Try(each, family, address) for each in targets for family, address in addresses[each.host].items()]
    deadline = Deadline(ALL_SECONDS)
    done = side_by_side([partial(attempt, each, trust, sender, deadline) for each in planned], ALL_SECONDS + 1)
    late = (replace(each, outcome=Outcome.FAILING) for each in planned)
    return [*unresolved, *(made or each for made, each in zip(done, late))]


def attempt(planned: Try, trust: Trust, sender: str, deadline: Deadline) -> Try:
    """Connect, and speak SMTP as far as it goes without a password or a mail."""
    started = time.monotonic()
    try:
        seconds = deadline.left(CONNECT_SECONDS)
        connection = socket.create_connection((planned.address, planned.target.port), seconds)
    except OSError as error:
        outcome = _outcome(error)
        # whether a router or a filter said so is seen when all are in
        detail = "host unreachable" if error.errno in _NO_HOST else ""
        return replace(planned, outcome=outcome, milliseconds=1000 * (time.monotonic() - started), detail=detail)
    made = replace(planned, milliseconds=1000 * (time.monotonic() - started), source=connection.getsockname()[0])
    if made.target.port not in PORTS and made.target.role is not Role.SETTING:
        connection.close()
        return replace(made, outcome=Outcome.WORKS)
    return asked(made, connection, trust, sender, deadline)


def asked(made: Try, connection: socket.socket, trust: Trust, sender: str, deadline: Deadline) -> Try:
    """With what is said on a connection, which is closed in the end."""
    dialogue = Dialogue(made, Talk(connection, deadline), trust)
    try:
        dialogue.run(sender)
    except ssl.SSLCertVerificationError as error:
        return replace(dialogue.made, outcome=Outcome.INTERCEPTED, detail=printable(error.verify_message.encode()))
    except (OSError, NotSmtp, ValueError) as error:
        return replace(dialogue.made, outcome=Outcome.FAILING, detail=type(error).__name__)
    finally:
        dialogue.talk.close()
    return dialogue.made


def _outcome(error: OSError) -> Outcome:
    if isinstance(error, socket.timeout) or error.errno in _SILENT:
        return Outcome.DROPPED
    if error.errno in _FORBIDDEN:  # what Linux makes of ICMPv6, administratively prohibited
        return Outcome.PROHIBITED
    return Outcome.UNREACHABLE if error.errno in _NO_ROUTE else Outcome.REFUSED
