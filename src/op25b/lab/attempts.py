"""One attempt by a client in a host: what the client said, and what the wire showed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_address

from op25b.lab.clients import Client
from op25b.lab.hosts import Lab
from op25b.lab.wire import Outcome, classify

_TAIL = 2000  # characters of output that are kept
_MARGIN_SECONDS = 30.0


@dataclass(frozen=True)
class Attempt:
    """exit_code: 0 when the client says that the mail was taken; seconds: how long it ran; output: its
    end, which is where a client says what went wrong."""

    program: str
    exit_code: int
    seconds: float
    output: str
    outcome: Outcome


def attempt(lab: Lab, host: str, client: Client) -> Attempt:
    """Run a client in a host, recorded at the edge router that the host is behind, or at the provider's for
    a host that is behind none.

    Raises OverflowError when the recording is not complete, and subprocess.TimeoutExpired when the client
    outstays its own time-out by far.
    """
    uplink = lab.plan.host(host).uplink
    router = uplink if uplink and uplink != "internet" else "edge"
    with lab.recording(router) as recording:
        started = time.monotonic()
        done = lab.run(host, client.command, input=client.input, seconds=_MARGIN_SECONDS)
        seconds = time.monotonic() - started
        # Whatever the client has seen had passed the router before, so it is in the queue by now.
        outcome = classify(recording.read(), client.port, ip_address(client.address))
    return Attempt(client.program, done.returncode, seconds, done.stdout[-_TAIL:], outcome)
