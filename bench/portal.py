"""The customers' pages at 200 requests a second, beside a page of plain FastAPI that says nothing.

Requests begin at fixed instants, whether the ones before are answered or not (an open loop, so that a stall counts
for all who wait in it). Both servers run as `op25b serve` runs pages; the clients are in this process.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address, ip_network
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from figures import Row, interleaved, main
from starlette.types import ASGIApp

from op25b.cli import policyfile
from op25b.portal.public.application import application
from op25b.portal.public.config import Portal
from op25b.portal.public.context import Context
from op25b.portal.public.reach import Reach
from op25b.portal.public.selfservice.kept import kept
from op25b.portal.web.serving import configuration, settle
from op25b.processes import listening
from op25b.store import Store, upgrade
from op25b.subscribers.exemptions.checks import resolver
from op25b.subscribers.leases import Claim, Leases

RATE = 200
CONNECTIONS = 20
SETTLING_SECONDS = 1.0
"""For the clients to be made, before the first request is due."""
WARMING = 100
POLICY = Path(__file__).parents[1] / "examples" / "netlaputa.toml"
LEASED = 20_000
PAGES = {
    "first page: line, exemptions, last attempt": "/ja/",
    "am I affected, answered": "/ja/affected?line=here&server=other&port=25&uses=mail-program",
    "why can't I send, a step": "/ja/trouble/steps?symptom=suddenly-cannot-send&uses=mail-program&server=other&port=25",
    "questions and answers": "/ja/questions",
}


class Quiet:
    """Takes what would be logged."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def pages(store: str) -> ASGIApp:
    """The customers' pages."""
    opened = Store(store)
    settings = Portal.model_validate({"url": "http://127.0.0.1", "trusted_proxies": [ip_network("127.0.0.0/8")]})
    reach, selfservice = Reach(resolver(), time.monotonic), kept(opened, None, os.urandom)
    policy = policyfile.policy(POLICY)
    context = Context(
        policy, settings, opened, lambda: datetime.now(UTC), os.urandom, bytes(32), Quiet(), lambda _: None, reach,
        selfservice,
    )  # fmt: skip
    return application(context)


def plain(_: str) -> ASGIApp:
    """A page of FastAPI, as its tutorial has it."""
    made = FastAPI()

    @made.get("/{path:path}", response_class=HTMLResponse)
    def page(path: str) -> str:
        return f"<html><head><title>Some HTML in here</title></head><body><h1>{path}</h1></body></html>"

    return made


def _serve(made: Callable[[str], ASGIApp], store: str, told: Connection) -> None:
    bound = listening.single(ip_address("127.0.0.1"), 0)
    told.send(bound.getsockname()[1])
    server = uvicorn.Server(configuration(made(store)))
    settle()
    server.run([bound])


@contextmanager
def served(made: Callable[[str], ASGIApp], store: str) -> Iterator[int]:
    """Its port, while a process of its own serves it."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(made, store, there))
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def leased(store: str) -> None:
    """Customers who hold addresses, in a store that is new."""
    upgrade(store)
    now = datetime.now(UTC)
    opened = Store(store)
    first = ip_address("198.18.0.0")
    Leases(opened, None).merge(
        [Claim("bng", f"s{n}", f"c{n}", (f"{first + n}/32",), now, now - timedelta(hours=1)) for n in range(LEASED)],
        now,
    )
    opened.close()


async def _asked(port: int, path: str, count: int) -> list[float]:
    """Seconds from when each request was due to its answer's end."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    started = time.perf_counter() + SETTLING_SECONDS

    async def ask(number: int) -> float:
        due = started + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        reader, writer = await free.get()
        visitor = f"198.18.{number // 200 % 4}.{number % 200}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {visitor}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200 "), head
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(None, 1)[0]))
        free.put_nowait((reader, writer))
        return time.perf_counter() - due

    took = await asyncio.gather(*(ask(number) for number in range(count)))
    while not free.empty():
        free.get_nowait()[1].close()
    return took


def p99(port: int, path: str, seconds: float) -> float:
    """In seconds."""
    took = asyncio.run(_asked(port, path, WARMING + int(RATE * seconds)))
    counted = sorted(took[WARMING:])
    return counted[int(len(counted) * 0.99)]


def run(quick: bool) -> list[Row]:
    """A row for each page."""
    took, rounds = (2.0, 1) if quick else (5.0, 5)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/op25b.db"
        leased(store)
        with served(pages, store) as ours, served(plain, store) as theirs:
            for name, path in PAGES.items():
                p99(ours, path, 1.0)  # what is made once, at the first visit, is made
                found = interleaved(
                    {"op25b": partial(p99, ours, path, took), "FastAPI": partial(p99, theirs, path, took)}, rounds
                )
                mine, other = found["op25b"], found["FastAPI"]
                rows.append(
                    Row(
                        f"{name}: p99 at {RATE} requests/s",
                        f"{mine.median * 1e3:.1f} ms",
                        f"plain FastAPI {other.median * 1e3:.1f} ms",
                        note=f"op25b {mine.spread(1e3, 1)} ms, FastAPI {other.spread(1e3, 1)} ms; clients on the same "
                        "processors",
                        target="< 50 ms",
                    )
                )
    return rows


if __name__ == "__main__":
    main(run)
