"""The same reports over HTTP, as FreeRADIUS' rlm_rest posts them (`op25b integrate freeradius`).

Unless it gets 2xx, FreeRADIUS does not answer the access server, which then sends again: 204 is the acknowledgement.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import b64encode
from functools import partial

from op25b.processes.board import Meters
from op25b.processes.commit import settle
from op25b.processes.complaints import Complaints
from op25b.processes.posts import Refused
from op25b.subscribers.accounting import rest
from op25b.subscribers.accounting.facts import Attribute, fact
from op25b.subscribers.accounting.faults import Discarded
from op25b.subscribers.accounting.intake import Full, Intake, Wall
from op25b.subscribers.accounting.numbers import Counted

OCTETS = 32 * 1024
"""Of a report: a RADIUS packet of 4096 octets, written as JSON."""
CONNECTIONS = 512
"""FreeRADIUS keeps one for each of its threads."""
USER = "op25b"
TARGET = b"/accounting"
_AUTHORIZATION = re.compile(rb"\r\nauthorization:[ \t]*(Basic|Bearer) +([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE)


class Reports:
    """What is done with them; for `Posts`. The token comes as a password of the user op25b, or as a bearer's."""

    def __init__(
        self,
        token: str,
        intake: Intake,
        meters: Meters,
        complaints: Complaints,
        subscriber: Attribute,
        wall: Wall,
    ) -> None:
        self.expect(token)
        self._intake, self._meters, self._complaints = intake, meters, complaints
        self._subscriber, self._wall = subscriber, wall

    def expect(self, token: str) -> None:
        """From now on this token, and no other."""
        self._known = {b"basic": b64encode(f"{USER}:{token}".encode()), b"bearer": token.encode()}

    def admit(self, target: bytes, head: bytes) -> None:
        given = _AUTHORIZATION.search(head)
        if given is None or not hmac.compare_digest(given[2], self._known[given[1].lower()]):
            self._meters.add(Counted.WRONG_SECRET)
            raise Refused("401 Unauthorized", "a wrong token")
        if target != TARGET:
            raise Refused("404 Not Found", f"not {TARGET.decode()}")

    async def take(self, body: bytes) -> None:
        try:
            found = fact(rest.attributes(body), self._subscriber, self._wall(), None)
            if found is None:
                self._meters.add(Counted.IGNORED)
                return
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._intake.submit(found, partial(settle, settled))
            await settled
        except Discarded as discarded:
            self._meters.add(Counted[discarded.fault.name])
            raise Refused("422 Unprocessable Content", f"{discarded.fault}: {discarded}") from None
        except Full:
            raise Refused("503 Service Unavailable", "too many wait for the store") from None
        except Exception as error:
            raise Refused("503 Service Unavailable", f"the store: {error}") from None

    def complain(self, why: str) -> None:
        self._complaints.about("posted", "accounting report over HTTP refused", reason=why)
