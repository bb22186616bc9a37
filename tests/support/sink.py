"""A next hop that takes whatever comes and keeps it octet for octet."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass
from typing import Self

_EXTENSIONS = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"


@dataclass(frozen=True)
class Delivery:
    """A message as it was handed over: addresses without brackets, content with CRLF."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Sink:
    """Listens on the loopback, in a thread of its own, while it is entered. `got` grows by one at each final 250."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 27)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, recipients = "", list[str]()
        writer.write(b"220 sink\r\n")
        try:
            while line := await reader.readline():
                verb, reply = line[:4].upper(), b"250 2.0.0 ok\r\n"
                match verb:
                    case b"EHLO":
                        reply = _EXTENSIONS
                    case b"MAIL":
                        sender, recipients = _address(line), []
                    case b"RCPT":
                        recipients.append(_address(line))
                    case b"DATA":
                        writer.write(b"354 go ahead\r\n")
                        self.got.append(Delivery(sender, tuple(recipients), await _text(reader)))
                    case b"BDAT":
                        content = await reader.readexactly(int(line.split()[1]))
                        self.got.append(Delivery(sender, tuple(recipients), content))
                    case b"QUIT":
                        break
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def _text(reader: asyncio.StreamReader) -> bytes:
    """What comes before the line of a single dot, dots unstuffed."""
    lines = []
    while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
        lines.append(line.removeprefix(b"."))
    return b"".join(lines)


def _address(line: bytes) -> str:
    path = re.search(rb"<(.*)>", line)
    assert path is not None, line
    return path[1].decode()
