"""The only process that may change the filter's live sets: it takes requests over a Unix socket, and nothing else.

It needs CAP_NET_ADMIN and no other privilege, opens no file, and knows no policy and no database. Requests are done one
after another, as it is the only writer. A transaction is done whole or not at all, also if this is killed; what a
client must do after that is connect again and `replace`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from op25b.enforcement import inventory, requests
from op25b.enforcement.duties import Answer, Duties, Session
from op25b.enforcement.enforcer_metrics import Enforced
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.requests import HEADER, Code, Refused, Type
from op25b.processes.board import Meters
from op25b.processes.complaints import Complaints
from op25b.processes.stopping import until_told

_PEER = struct.Struct("=iii")  # pid, uid, gid (unix(7), SO_PEERCRED)


@dataclass(frozen=True)
class Settings:
    """`uids`: whose processes are served. `widest4`, `widest6`: the shortest prefix that is taken.

    `patience`: seconds within which a request must be whole, its answer taken, and a replace go on.
    """

    uids: frozenset[int]
    widest4: int = 16
    widest6: int = 32
    connections: int = 16
    patience: float = 10.0


def work(listener: socket.socket, settings: Settings, meters: Meters, log: FilteringBoundLogger, parent: int) -> None:
    """Serve until told to stop. Raises Missing without the privilege."""
    with Netlink() as link, asyncio.Runner() as runner:
        inventory.ruleset_id(link)  # without the privilege this is where it ends
        duties = Duties(link, {4: settings.widest4, 6: settings.widest6}, meters)
        runner.run(_serve(listener, Peers(duties, settings, meters, log), meters, parent))


async def _serve(listener: socket.socket, peers: Peers, meters: Meters, parent: int) -> None:
    listener.setblocking(False)
    stop = asyncio.ensure_future(until_told(parent).wait())
    accepting = asyncio.ensure_future(peers.accept(listener))
    while not stop.done():
        meters.alive_at = time.monotonic()
        await asyncio.wait([stop, accepting], timeout=1, return_when=asyncio.FIRST_COMPLETED)
        if accepting.done():
            accepting.result()
    accepting.cancel()
    await peers.close()


class Peers:
    """Those who are connected."""

    def __init__(self, duties: Duties, settings: Settings, meters: Meters, log: FilteringBoundLogger) -> None:
        self._duties, self._settings, self._meters = duties, settings, meters
        self._complaints = Complaints(log, time.monotonic)
        self._tasks = set[asyncio.Task[None]]()

    async def accept(self, listener: socket.socket) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            peer, _ = await loop.sock_accept(listener)
            task = asyncio.ensure_future(self._served(peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Break all connections off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _served(self, peer: socket.socket) -> None:
        session = Session()
        self._meters.set(Enforced.CONNECTIONS, len(self._tasks))
        with peer:
            peer.setblocking(False)
            try:
                await self._talk(peer, session)
            except TimeoutError:
                self._meters.add(Enforced.REFUSED)
                self._complaints.about("slow", "a client was too slow", seconds=self._settings.patience)
            except OSError as error:
                self._complaints.about("broken", "a client broke off", reason=str(error))
            except Exception as error:
                self._complaints.about("fault", "a fault of this program ended a connection", exc_info=error)
            finally:
                self._duties.end(session)
                self._meters.set(Enforced.CONNECTIONS, len(self._tasks) - 1)

    async def _talk(self, peer: socket.socket, session: Session) -> None:
        try:
            self._admit(peer)
            while await self._request(peer, session):
                pass
        except Refused as refused:
            await self._refuse(peer, refused)

    def _admit(self, peer: socket.socket) -> None:
        _, uid, _ = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if uid not in self._settings.uids:
            raise Refused(Code.NOT_ALLOWED, f"uid {uid} is not served")
        if len(self._tasks) > self._settings.connections:
            raise Refused(Code.TOO_MANY, f"at most {self._settings.connections} connections")

    async def _request(self, peer: socket.socket, session: Session) -> bool:
        """Take one, and answer it; False at the end. Refused: it cannot even be read."""
        loop = asyncio.get_running_loop()
        head = bytearray(HEADER.size)
        # who has nothing to say may be silent, but not in the midst of something
        waits = None if session.replacing is None else self._settings.patience
        async with asyncio.timeout(waits):
            got = await loop.sock_recv_into(peer, head)
        if not got:
            return False
        async with asyncio.timeout(self._settings.patience):
            await _receive(peer, memoryview(head)[got:])
            kind, size = requests.header(bytes(head))
            payload = bytearray(size)
            await _receive(peer, memoryview(payload))
        try:
            answers = self._duties.do(session, kind, payload)
        except Refused as refused:
            await self._refuse(peer, refused)
            return True
        self._meters.add(Enforced.REQUESTS)
        await self._send(peer, answers)
        return True

    async def _refuse(self, peer: socket.socket, refused: Refused) -> None:
        self._meters.add(Enforced.REFUSED)
        self._complaints.about("refused", "refused a request", code=refused.code.name, reason=str(refused))
        await self._send(peer, [requests.frame(Type.REFUSED, requests.pack_refusal(refused))])

    async def _send(self, peer: socket.socket, answers: list[Answer]) -> None:
        loop = asyncio.get_running_loop()
        for answer in answers:
            async with asyncio.timeout(self._settings.patience):
                if isinstance(answer, bytes):
                    await loop.sock_sendall(peer, answer)
                else:
                    await _hand_over(peer, *answer)


async def _receive(peer: socket.socket, buffer: memoryview) -> None:
    loop = asyncio.get_running_loop()
    while buffer:
        got = await loop.sock_recv_into(peer, buffer)
        if not got:
            raise ConnectionError("the connection ended within a request")
        buffer = buffer[got:]


async def _hand_over(peer: socket.socket, data: bytes, descriptor: socket.socket) -> None:
    """The descriptor goes with the first octet."""
    with descriptor:
        socket.send_fds(peer, [data[:1]], [descriptor.fileno()])
    await asyncio.get_running_loop().sock_sendall(peer, data[1:])
