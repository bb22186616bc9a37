"""NMTnet's story, with a real server and a next hop: each has each notice once, whatever is killed when."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from op25b.rollout.gates import Tally
from op25b.rollout.records import Records
from op25b.store import Store
from tests.rollout.conftest import fixed
from tests.submission.driver.test_kills import runs
from tests.support.examples import FOLDER
from tests.support.running import eventually
from tests.support.service import PASSWORD, USER, Service
from tests.support.sink import Sink

PHASE = "all-dynamic"
AT = "2010-11-01T00:00:00+09:00"
RELAY = '[relay]\nsmart_host = {{ host = "127.0.0.1", port = {port} }}\n'


class Notices:
    """The sender, beside a running service."""

    def __init__(self, folder: Path, people: int) -> None:
        self.folder, self.people = folder, [f"p{number}@friends.example" for number in range(people)]
        self.policy = folder / "nmtnet.toml"
        self.policy.write_text((FOLDER / "nmtnet.toml").read_text())
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o600)
        rows = [f"n{number},{mail},ja,太郎{number}" for number, mail in enumerate(self.people)]
        (folder / "people.csv").write_text("\n".join(["id,email,language,name", *rows, ""]))
        self.rate = "60000"
        self.service: Service

    def command(self, *more: str) -> list[str]:
        return [
            sys.executable, "-m", "op25b", "notify", str(self.policy), "--phase", PHASE, "--at", AT,
            "--to", str(self.folder / "people.csv"), "--server", f"127.0.0.1:{self.service.starttls}",
            "--user", USER, "--from", USER, "--password-file", str(self.folder / "password"),
            "--ca", str(self.folder / "ca.pem"), "--rate", self.rate, "--store", self.service.store, *more,
        ]  # fmt: skip

    def run(self, *more: str) -> dict[str, Any]:
        done = subprocess.run(self.command("--json", *more), capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command(), stderr=subprocess.PIPE)

    def tallies(self) -> dict[str, Tally]:
        store = Store(self.service.store)
        try:
            return Records(store).tallies(PHASE)
        finally:
            store.close()

    def delivered(self, stage: str) -> bool:
        """Whether all have it, as far as the store knows."""
        return self.tallies()[stage].delivered == len(self.people)

    def waits_for(self) -> list[str]:
        command = [sys.executable, "-m", "op25b", "rollout", str(self.policy), "--at", AT, "--json"]
        done = subprocess.run([*command, "--store", self.service.store], capture_output=True, check=True, timeout=60)
        (found,) = [each["waits_for"] for each in json.loads(done.stdout) if each["phase"] == PHASE]
        return list(found)


@pytest.fixture
def notices(tmp_path: Path) -> Iterator[tuple[Notices, Sink]]:
    made = Notices(tmp_path, 12)
    with Sink() as sink, Service(tmp_path, workers=2, tables=RELAY.format(port=sink.port), parts=()) as service:
        made.service = service
        yield made, sink


def got(sink: Sink) -> Counter[tuple[str, str]]:
    """How often each person has each notice."""
    found: Counter[tuple[str, str]] = Counter()
    for each in sink.got:
        subject = str(message_from_bytes(each.content, policy=default)["Subject"])
        found[each.recipients[0], "tentative" if "実施予定" in subject else "date"] += 1
    return found


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@contextmanager
def nobody_writes(service: Service) -> Iterator[None]:
    """While the store is locked by somebody else."""
    connection = sqlite3.connect(service.folder / "op25b.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_tentative_then_fixed_each_once_though_killed_in_between(notices: tuple[Notices, Sink]) -> None:
    made, sink = notices
    for most in (3, 7):
        sender = made.start()
        eventually(lambda most=most: len(sink.got) >= most, 60)  # type: ignore[misc]
        kill(sender)
    counts = made.run()
    assert (counts["stage"], counts["people"], counts["refused"]) == ("tentative", 12, 0)
    eventually(lambda: made.delivered("tentative"), 60)
    assert made.run()["sent"] == 0

    made.policy.write_text(fixed(made.policy.read_text()))
    assert made.waits_for() == [
        "its start at 2011-01-20T00:00:00+09:00",
        "the notice date@2011-01-19T15:00Z, which nobody got yet",
    ]
    sender = made.start()
    eventually(lambda: len(sink.got) >= 16, 60)
    kill(sender)
    assert made.run()["stage"] == "date@2011-01-19T15:00Z"
    eventually(lambda: made.delivered("date@2011-01-19T15:00Z"), 60)
    assert got(sink) == {(mail, stage): 1 for mail in made.people for stage in ("tentative", "date")}
    assert made.waits_for() == ["its start at 2011-01-20T00:00:00+09:00"]


def test_killed_between_the_servers_word_and_the_note_of_it(notices: tuple[Notices, Sink]) -> None:
    """The server has the mail, and neither the sender nor the relay has written that down."""
    made, sink = notices
    sender = made.start()
    eventually(lambda: len(sink.got) >= 3, 60)
    with nobody_writes(made.service):
        # what was on its way arrives; then one more is taken, whose sender waits for the store to say so
        before = -1
        while before != (before := made.service.waiting()) or not before:
            time.sleep(0.5)
        assert sender.poll() is None
        kill(sender)
    assert made.run()["stage"] == "tentative"
    eventually(lambda: made.delivered("tentative"), 60)
    assert got(sink) == {(mail, "tentative"): 1 for mail in made.people}


def test_twins_are_absorbed(notices: tuple[Notices, Sink]) -> None:
    """Two senders at once: both hand in what neither knows that the other did."""
    made, sink = notices
    senders = [made.start() for _ in range(2)]
    for sender in senders:
        assert sender.communicate(timeout=60) is not None
        assert sender.returncode == 0
    eventually(lambda: made.delivered("tentative"), 60)
    eventually(lambda: not made.service.waiting(), 60)
    assert got(sink) == {(mail, "tentative"): 1 for mail in made.people}


def killing(made: Notices, sink: Sink, kills: int, seed: int) -> None:
    """The sender, the workers and the relay are killed at random; nobody has it twice, and whoever may not have it
    is named."""
    chance, killed = random.Random(seed), set[int]()
    made.rate = "240"
    sender = made.start()
    while len(killed) < kills:
        time.sleep(chance.random() * 0.4)
        servers = sorted(set(runs(made.folder / "spool").values()) - killed)
        victim = chance.choice([sender.pid, *servers])
        if sender.poll() is not None or victim == sender.pid:
            if sender.poll() is None:
                killed.add(sender.pid)
            kill(sender)
            sender = made.start()
        else:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            killed.add(victim)
    kill(sender)
    eventually(lambda: set(runs(made.folder / "spool").values()).isdisjoint(killed), 60)
    made.run()
    eventually(lambda: not made.service.waiting(), 60)
    made.run("--unreached", str(made.folder / "unreached.csv"))
    told = made.tallies()["tentative"]
    assert told.taken == len(made.people)
    assert told.waiting == told.bounced == 0
    doubtful = {line.split(",")[1] for line in (made.folder / "unreached.csv").read_text().splitlines()[1:]}
    assert len(doubtful) == told.in_doubt
    times = got(sink)
    assert {mail for mail, _ in times} | doubtful == set(made.people)
    assert set(times.values()) == {1}


def test_sender_and_server_killed_at_random(notices: tuple[Notices, Sink]) -> None:
    killing(*notices, kills=8, seed=3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_sender_and_server_killed_at_random_often(notices: tuple[Notices, Sink], seed: int) -> None:
    killing(*notices, kills=40, seed=100 + seed)
