"""The process: what it promised stands, whenever it dies; what it did not promise comes again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.leases import Merged
from tests.subscribers.accounting.conftest import LeaseService
from tests.support.accounting import STOP, AccessServer, packet
from tests.support.service import eventually


def talk(service: LeaseService, script: Callable[[AccessServer], Awaitable[None]]) -> None:
    """Run a script of one access server."""

    async def run() -> None:
        bng = AccessServer(("127.0.0.1", service.radius_port))
        try:
            await script(bng)
        finally:
            bng.close()

    asyncio.run(run())


def rows(service: LeaseService) -> list[object]:
    """What the store has."""
    query = "SELECT {} FROM {} ORDER BY 1, 2"
    with service.store.read() as connection:
        return [
            [tuple(row) for row in connection.exec_driver_sql(query.format(columns, table))]
            for table, columns in (
                ("sessions", "source, name, subscriber, started_at, seen_at, stopped_at"),
                ("leases", "session, prefix, started_at, seen_at"),
                ("changes", "kind, subject"),
            )
        ]


def test_killed_between_the_commit_and_the_answer(service: LeaseService) -> None:
    """The report comes again, and the table is the same as if the answer had arrived."""
    request = packet(Event_Timestamp=int(time.time()))

    def die(_: Merged) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    service.after = die
    service.start()

    async def unanswered(bng: AccessServer) -> None:
        bng.send(request)
        await asyncio.get_running_loop().run_in_executor(None, service.wait)
        with pytest.raises(TimeoutError):
            await bng.answer(0.05)

    talk(service, unanswered)
    assert service.holder("192.0.2.1") == "u1"
    once = rows(service)

    service.after = lambda _: None
    service.start()

    async def again(bng: AccessServer) -> None:
        await bng.ask(request)

    talk(service, again)
    assert rows(service) == once


def test_what_comes_while_the_process_is_away_waits_in_the_port(service: LeaseService) -> None:
    service.start()
    service.kill()

    async def script(bng: AccessServer) -> None:
        bng.send(packet())
        service.start()
        await bng.answer()

    talk(service, script)
    assert service.holder("192.0.2.1") == "u1"


def test_a_store_that_is_locked(service: LeaseService) -> None:
    """No answer while it is; what was sent meanwhile, and sent again, is in it once."""
    service.start()

    async def script(bng: AccessServer) -> None:
        with service.store.write() as connection:
            connection.exec_driver_sql(
                "LOCK TABLE sessions" if connection.dialect.name == "postgresql" else "DELETE FROM sessions WHERE 1 = 0"
            )
            bng.send(packet())
            bng.send(packet())
            bng.send(packet(STOP, 2))
            with pytest.raises(TimeoutError):
                await bng.answer(0.2)
        assert {(await bng.answer())[1], (await bng.answer())[1]} == {1, 2}

    talk(service, script)
    assert service.counted(Counted.REPORTS) == 2
    assert service.counted(Counted.REPEATED) == 1
    assert service.holder("192.0.2.1") is None


def test_a_stop_answers_what_it_has_taken(service: LeaseService) -> None:
    service.start()

    async def script(bng: AccessServer) -> None:
        with service.store.write() as connection:
            connection.exec_driver_sql(
                "LOCK TABLE sessions" if connection.dialect.name == "postgresql" else "DELETE FROM sessions WHERE 1 = 0"
            )
            bng.send(packet())
            eventually(lambda: service.counted(Counted.WAITING) == 1)
            os.kill(service.pid, signal.SIGTERM)
        await bng.answer()
        service.wait()

    talk(service, script)
    assert service.holder("192.0.2.1") == "u1"


def test_a_reload_takes_over_the_secrets(service: LeaseService) -> None:
    service.start()
    (client,) = service.settings.clients
    client.secret_file.write_text("a new one\n")

    async def script(bng: AccessServer) -> None:
        bng.send(packet(secret=b"a new one"))
        eventually(lambda: service.counted(Counted.WRONG_SECRET) == 1)
        os.kill(service.pid, signal.SIGHUP)
        async with asyncio.timeout(20):
            while True:
                bng.send(packet(secret=b"a new one"))
                try:
                    await bng.answer(0.1)
                    return
                except TimeoutError:
                    continue

    talk(service, script)
