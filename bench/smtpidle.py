"""Holds idle connections to a server until its standard input ends: `smtpidle.py PORT none|implicit COUNT`."""

from __future__ import annotations

import asyncio
import ssl
import sys

import uvloop
from smtpload import Wire

AT_ONCE = 50


async def hold(port: int, tls: str, count: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    loop = asyncio.get_running_loop()
    turn = asyncio.Semaphore(AT_ONCE)

    async def connect() -> Wire:
        async with turn:
            _, wire = await loop.create_connection(Wire, "127.0.0.1", port)
            if tls == "implicit":
                await wire.handshake(context)
            await wire.replies(b"2")
            await wire.hello()
            return wire

    wires = await asyncio.gather(*(connect() for _ in range(count)))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for wire in wires:
        wire.close()


if __name__ == "__main__":
    uvloop.run(hold(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
