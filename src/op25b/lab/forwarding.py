"""Run inside a host of a lab: what connects to a listening socket from outside goes on to a server in the lab.

Arguments: file descriptor, address and port, as often as wanted. The sockets were made outside and are inherited, so
that a browser on this machine's loopback has the lab's host for its own.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress

_OCTETS = 65536


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await reader.read(_OCTETS):
            writer.write(octets)
            await writer.drain()
    writer.close()


async def _forward(descriptor: int, address: str, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    server = await asyncio.start_server(connected, sock=socket.socket(fileno=descriptor))
    await server.serve_forever()


async def _main(arguments: list[str]) -> None:
    triples = zip(arguments[::3], arguments[1::3], arguments[2::3], strict=True)
    wanted = [_forward(int(descriptor), address, int(port)) for descriptor, address, port in triples]
    print("ready", flush=True)
    await asyncio.gather(*wanted)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
