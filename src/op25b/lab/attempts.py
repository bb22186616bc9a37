"""One attempt by a client in a host: what the client said, and what the wire showed."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from ipaddress import ip_address

from op25b.lab.addresses import Address
from op25b.lab.clients import Client
from op25b.lab.hosts import Lab
from op25b.lab.wire import Outcome, Recording, classify

NO_AUTH = "AUTH not offered"
_TAIL = 2000  # characters of output that are kept
_MARGIN_SECONDS = 30.0
# A reply with an enhanced status code (RFC 2034), as each of the clients shows it.
_REFUSAL = re.compile(r"(?<!\d)([45]\d\d)[ -]([45]\.\d{1,3}\.\d{1,3})(?!\d)")
# Each client's words for it: swaks, smtplib, msmtp.
_NO_AUTH = re.compile("did not advertise authentication|AUTH PLAIN is not offered|does not support authentication")


@dataclass(frozen=True)
class Attempt:
    """exit_code: 0 when the client says that the mail was taken; seconds: how long it ran; output: its
    end, which is where a client says what went wrong; answer: see `refusal`."""

    program: str
    exit_code: int
    seconds: float
    output: str
    answer: str
    outcome: Outcome


def attempt(lab: Lab, host: str, client: Client, recording: Recording | None = None) -> Attempt:
    """Run a client in a host, recorded at `lab.plan.router(host)`: by `recording`, where there is one already.

    Raises OverflowError when the recording is not complete, and subprocess.TimeoutExpired when the client
    outstays its own time-out by far.
    """
    if recording is None:
        with lab.recording(lab.plan.router(host)) as made:
            return attempt(lab, host, client, made)
    recording.restart()
    started = time.monotonic()
    done = lab.run(host, client.command, input=client.input, seconds=_MARGIN_SECONDS)
    seconds = time.monotonic() - started
    # Whatever the client has seen had passed the router before, so it is in the queue by now.
    outcome = classify(recording.read(), client.port, _address(client.address), _address(client.source))
    return Attempt(client.program, done.returncode, seconds, done.stdout[-_TAIL:], refusal(done.stdout), outcome)


def refusal(output: str) -> str:
    """Pure: the server's refusal in what a client printed, such as `535 5.7.8`; NO_AUTH; or nothing."""
    found = _REFUSAL.search(output)
    if found:
        return f"{found[1]} {found[2]}"
    return NO_AUTH if _NO_AUTH.search(output) else ""


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
