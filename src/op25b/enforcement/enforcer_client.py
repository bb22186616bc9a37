"""The enforcer's socket, from the side of those who ask. Blocks; not for several threads at once."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from op25b.enforcement import requests
from op25b.enforcement.members import Delta, Members, Rows
from op25b.enforcement.requests import HEADER, Attempts, Code, Kernel, Refused, Seen, State, Type
from op25b.ruleset.live import SetKind

_PATIENCE = 30.0
"""Seconds for an answer: a million members take a few to compare."""


class Away(Exception):
    """The enforcer is not there, or has gone; what was under way may have been done. Connect again and `replace`."""


class Client:
    """A connection to the enforcer; a context manager.

    Methods raise Away, and Refused with a code when the enforcer does not do what it was asked. `state` is what it
    said last: its sizes, and the epoch, of which another one means that only `replace` brings the sets in step.
    """

    def __init__(self, path: Path, patience: float = _PATIENCE) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(patience)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise Away(f"{path}: no enforcer answers there ({error.strerror}); is `op25b serve` running?") from None
        try:
            self.state = self._done(Type.HELLO)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Readable when the enforcer has gone, and when an answer comes that another thread waits for."""
        return self._socket.fileno()

    @property
    def has_gone(self) -> bool:
        """Whether the enforcer has closed the connection."""
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def close(self) -> None:
        """A replace that is under way is given up by that."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hello(self) -> State:
        """How things are: a sign of life, and whether there are live sets."""
        return self._done(Type.HELLO)

    def change(self, delta: Delta) -> State:
        """Add and remove members, as one transaction; what is there already, or is not, is left so.

        One that is longer than a request goes in several, the removals first. In kinds of any length no prefix may be
        within another that is there then (OVERLAP): take both from `members.difference` of what is wanted.
        """
        packed = requests.pack_delta(delta)
        if len(packed) <= requests.MOST:
            return self._done(Type.CHANGE, packed)
        room = requests.MOST - 1  # the other part is a count of no blocks
        state = self.state
        for each in requests.parts(delta.remove, room):
            state = self._done(Type.CHANGE, requests.pack_delta(Delta(remove=each)))
        for each in requests.parts(delta.add, room):
            state = self._done(Type.CHANGE, requests.pack_delta(Delta(add=each)))
        return state

    def replace(self, members: Members) -> State:
        """Let the sets hold exactly these; the state says how many were missing and how many were too many."""
        self._done(Type.BEGIN)
        try:
            for each in requests.parts(members):
                self._done(Type.CHUNK, requests.pack_members(each))
            return self._done(Type.COMMIT)
        except Refused as refused:
            if refused.code is not Code.OUT_OF_TURN:
                self._done(Type.ABORT)
            raise

    def read(self) -> Members:
        """What the live sets hold, sorted."""
        found = dict[SetKind, list[Rows]]()
        for payload in self._answers(Type.READ, Type.MEMBERS):
            for kind, rows in requests.unpack_members(payload).items():
                found.setdefault(kind, []).append(rows)
        return {kind: np.concatenate(rows) for kind, rows in found.items()}

    def seen(self) -> Seen:
        """Packets of those who tried, since the last time; call `seen_kept` when that is safe, or it comes again."""
        found = dict[str, list[Attempts]]()
        for payload in self._answers(Type.SEEN, Type.ATTEMPTS):
            name, attempts = requests.unpack_seen(payload)
            found.setdefault(name, []).append(attempts)
        return {
            name: Attempts(
                np.concatenate([each.sources for each in listed]),
                np.concatenate([each.packets for each in listed]),
                np.concatenate([each.octets for each in listed]),
            )
            for name, listed in found.items()
        }

    def seen_kept(self) -> None:
        """What `seen` said last is safe."""
        self._done(Type.SEEN_KEPT)

    def report(self) -> Kernel:
        """What is in force, and what its rules have counted."""
        (found,) = [requests.unpack_report(payload) for payload in self._answers(Type.REPORT, Type.REPORTED)]
        return found

    def nflog(self, group: int) -> socket.socket:
        """A socket that gets the records of an NFLOG group. Refused BUSY: somebody else has it."""
        self._send(Type.NFLOG, requests.GROUP.pack(group))
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, HEADER.size, 1)
        except OSError as error:
            raise self._gone(error) from None
        kind, payload = self._rest(data)
        if kind is not Type.DONE or not descriptors:
            for each in descriptors:
                os.close(each)
            raise requests.unpack_refusal(payload) if kind is Type.REFUSED else Away("the enforcer speaks otherwise")
        return socket.socket(fileno=descriptors[0])

    def _done(self, kind: Type, payload: bytes = b"") -> State:
        for _ in self._answers(kind, None, payload):
            pass
        return self.state

    def _answers(self, kind: Type, expected: Type | None, payload: bytes = b"") -> Iterator[bytes]:
        """The payloads of `expected` until DONE, which becomes the state."""
        self._send(kind, payload)
        while True:
            answer, content = self._rest(b"")
            if answer is Type.DONE:
                self.state = requests.unpack_state(content)
                return
            if answer is Type.REFUSED:
                raise requests.unpack_refusal(content)
            if answer is not expected:
                raise Away(f"the enforcer speaks otherwise: {answer.name} to {kind.name}")
            yield content

    def _send(self, kind: Type, payload: bytes) -> None:
        try:
            self._socket.sendall(requests.frame(kind, payload))
        except OSError as error:
            raise self._gone(error) from None

    def _rest(self, data: bytes) -> tuple[Type, bytes]:
        """One frame, of which `data` has been read."""
        kind, size = requests.header(data + self._receive(HEADER.size - len(data)))
        return kind, self._receive(size)

    def _receive(self, size: int) -> bytes:
        buffer = bytearray(size)
        at = 0
        try:
            while at < size:
                got = self._socket.recv_into(memoryview(buffer)[at:])
                if not got:
                    raise Away("the enforcer has closed the connection")
                at += got
        except OSError as error:
            raise self._gone(error) from None
        return bytes(buffer)

    def _gone(self, error: OSError) -> Away:
        # half an answer may still come: nothing can be read from this connection any more. Not closed here, as another
        # thread may wait for it
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        return Away(f"the enforcer does not answer ({error.strerror or error})")
