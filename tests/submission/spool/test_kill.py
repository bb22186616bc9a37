"""Real processes, killed at random under load; and what the kernel was really asked for before an acknowledgement."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from op25b.submission.spool import Reader

LOAD = Path(__file__).with_name("load.py")
MANY = 2000


class Process:
    """One of load.py; `said` counts its lines."""

    def __init__(self, *arguments: str | Path) -> None:
        self.arguments = arguments
        self.said: Counter[str] = Counter()
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, LOAD, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.said[line.strip()] += 1
                self._news.notify_all()

    def wait_for(self, lines: int) -> None:
        with self._news:
            reached = self._news.wait_for(lambda: self.said.total() >= lines, timeout=30)
        assert reached or self._process.poll() is None, self._process.stderr and self._process.stderr.read()
        assert reached, f"{self.arguments}: {lines} lines did not come"

    def kill(self) -> Counter[str]:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        assert self._process.stderr is not None
        errors = self._process.stderr.read()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process.stderr.close()
        assert not errors
        return self.said


def start(folder: Path, victim: int) -> Process:
    return Process("relay", folder) if victim == 0 else Process("take", folder, f"w{victim}", str(MANY))


def kill_and_kill_again(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    said: Counter[str] = Counter()
    folder.mkdir()
    processes = [start(folder, number) for number in range(3)]
    try:
        for _ in range(kills):
            victim = chance.randrange(3)
            processes[victim].wait_for(chance.randrange(1, 200))
            said += processes[victim].kill()
            processes[victim] = start(folder, victim)
    finally:
        for process in processes:
            said += process.kill()
    check(folder, said)


def check(folder: Path, said: Counter[str]) -> None:
    done = {line: set() for line in ("taken", "delivered", "marked", "wrong")}
    for line in said:
        word, _, queue_id = line.partition(" ")
        done.setdefault(word, set()).add(queue_id)
    assert not done["wrong"]
    assert len(done["taken"]) == sum(count for line, count in said.items() if line.startswith("taken"))
    reader = Reader.open(folder, exclusive=True)
    found = {message.queue_id: message.read() for message in reader.scan().new}
    reader.close()
    spec = spec_from_file_location("load", LOAD)
    assert spec is not None
    assert spec.loader is not None
    load = module_from_spec(spec)
    spec.loader.exec_module(load)
    assert all(body == load.body_of(queue_id) for queue_id, body in found.items())
    assert done["taken"] <= done["delivered"] | set(found)
    assert not done["marked"] & set(found)
    assert not list(folder.glob("*.run"))
    assert done["taken"]


def test_killed_20_times(tmp_path: Path) -> None:
    kill_and_kill_again(tmp_path / "spool", 20, seed=1)


@pytest.mark.long
def test_killed_200_times(tmp_path: Path) -> None:
    kill_and_kill_again(tmp_path / "spool", 200, seed=2)


def trace(folder: Path, output: Path, messages: int) -> list[str]:
    """The system calls of a worker that takes so many messages."""
    command = ["strace", "-f", "-s", "1000000", "-e", "trace=write,fdatasync", "-o", output]
    command += [sys.executable, LOAD, "take", folder, "w", str(messages)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode == 0, done.stderr
    return output.read_text().splitlines()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_every_acknowledgement_comes_after_its_own_sync(tmp_path: Path) -> None:
    """Seen from the kernel: log written, fdatasync begun after that and ended, then the word that it was taken."""
    written: set[str] = set()
    covered: dict[str, set[str]] = {}
    synced: set[str] = set()
    acknowledged = syncs = 0
    for line in trace(tmp_path / "spool", tmp_path / "trace", 400):
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.startswith("write(1, "):
            for queue_id in re.findall(r"taken ([\w-]+)", call):
                assert queue_id in synced
                acknowledged += 1
        elif call.startswith("write("):
            # Once it is back: a write that has not returned is not covered by a sync.
            written |= set(re.findall(r'message \w{16} \w{8} {\\"id\\":\\"([\w-]+)', call))
        if call.startswith("fdatasync("):
            syncs += 1
            covered[thread] = set(written)
        if "fdatasync" in call and call.endswith("= 0"):
            synced |= covered[thread]
    assert acknowledged == 400
    assert syncs < 200
    assert os.listdir(tmp_path / "spool")
