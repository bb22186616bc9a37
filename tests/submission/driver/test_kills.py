"""Workers and the relay are killed under load: what was acknowledged is delivered, and nothing half is."""

from __future__ import annotations

import os
import random
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.load import Load, number_of
from tests.support.service import Service, eventually
from tests.support.sink import Sink

UNLIMITED = """
[submission.limits.address]
connections = 0
messages_per_hour = 0
recipients_per_hour = 0
[relay]
smart_host = {{ host = "127.0.0.1", port = {port} }}
"""


def runs(spool: Path) -> dict[str, int]:
    """Who writes to the spool now, with its process id: the workers and the relay."""
    found = {}
    for path in spool.glob("*.run"):
        with suppress(FileNotFoundError):
            if who := re.search(rb"worker (\S+), pid (\d+)", path.read_bytes()):
                found[who[1].decode()] = int(who[2])
    return found


def kill_and_kill_again(folder: Path, kills: int, seed: int) -> None:
    chance, killed = random.Random(seed), set[int]()
    with Sink() as sink:
        with Service(folder, workers=2, tables=UNLIMITED.format(port=sink.port), parts=()) as service:
            with Load(service.relay) as load:
                while len(killed) < kills:
                    load.wait_for(chance.randrange(1, 60))
                    victims = sorted(set(runs(folder / "spool").values()) - killed)
                    if victims:
                        victim = chance.choice(victims)
                        with suppress(ProcessLookupError):
                            os.kill(victim, signal.SIGKILL)
                        killed.add(victim)
                load.wait_for(20)
            while left := service.waiting():
                eventually(lambda left=left: service.waiting() < left, 60)  # type: ignore[misc]
        delivered = {number_of(each) for each in sink.got}
        assert load.acknowledged <= delivered
        assert not list((folder / "spool/aside").glob("*.new"))
        events = [line for line in service.log() if line["event"] == "process ended, starting it again"]
        assert len(events) == kills
        assert {line["job"] for line in events} == {"submission-0", "submission-1", "relay"}


def test_killed_10_times(tmp_path: Path) -> None:
    kill_and_kill_again(tmp_path, 10, seed=1)


@pytest.mark.long
def test_killed_200_times(tmp_path: Path) -> None:
    kill_and_kill_again(tmp_path, 200, seed=2)
