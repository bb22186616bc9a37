"""Run inside a host of a lab: what connects to a listening socket from outside goes on to a server in the lab.

Arguments: file descriptor, address and port. The socket was made outside and is inherited, so that a browser on this
machine's loopback is a visitor from the lab's host.
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


async def _main(descriptor: int, address: str, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    server = await asyncio.start_server(connected, sock=socket.socket(fileno=descriptor))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
