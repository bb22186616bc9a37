"""What processes share."""

from __future__ import annotations

import os
import signal
import time

from op25b.processes.memory import Fingerprints, Lock, cells


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_cells_are_seen_by_all() -> None:
    shared = cells(3, "Q")
    if (pid := os.fork()) == 0:
        shared[1] = 7
        os._exit(0)
    assert _wait(pid) == 0
    assert shared.tolist() == [0, 7, 0]


def test_two_processes_are_not_in_at_once() -> None:
    lock, shared = Lock(), cells(1, "Q")
    pids = []
    for _ in range(3):
        if (pid := os.fork()) == 0:
            for _ in range(200):
                with lock:
                    before = shared[0]
                    time.sleep(0)
                    shared[0] = before + 1
            os._exit(0)
        pids.append(pid)
    assert [_wait(pid) for pid in pids] == [0, 0, 0]
    assert shared[0] == 600


def test_who_is_killed_leaves_the_lock() -> None:
    lock, (told, tell) = Lock(), os.pipe()
    if (pid := os.fork()) == 0:
        with lock:
            os.write(tell, b"in")
            time.sleep(60)
    assert os.read(told, 2) == b"in"
    os.kill(pid, signal.SIGKILL)
    with lock:
        assert _wait(pid) == -signal.SIGKILL


def test_fingerprints_are_of_one_secret() -> None:
    ours, theirs = Fingerprints(), Fingerprints()
    assert ours.of(b"key") == ours.of(b"key") != theirs.of(b"key")
    assert 0 < ours.of(b"") < 1 << 64


def test_a_lock_does_not_hold_up_another_one() -> None:
    first, second = Lock(), Lock()
    with first:
        if (pid := os.fork()) == 0:
            signal.alarm(20)
            with second, Lock():
                os._exit(0)
        assert _wait(pid) == 0


def test_many_locks_are_one_file() -> None:
    Lock()
    before = sorted(os.listdir("/proc/self/fd"))
    made = [Lock() for _ in range(100)]
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert made
