"""The supervisor by itself, with a job that gets stuck."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from op25b.processes import logs
from op25b.processes.notify import Notifier
from op25b.processes.supervisor import Job, Supervisor


def test_a_job_that_is_stuck_is_killed_and_started_again(tmp_path: Path) -> None:
    """In a process of its own: a supervisor blocks signals, and forks."""
    pid = os.fork()
    if pid == 0:
        os._exit(_supervise(tmp_path))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (tmp_path / "lives").read_text() == "stuck\nworks\n"
    assert (tmp_path / "graves").read_text() == "killed\n"


def _supervise(folder: Path) -> int:
    lives = folder / "lives"

    def run(parent: int) -> None:
        first = not lives.exists()
        with lives.open("a") as file:
            file.write("stuck\n" if first else "works\n")
        if first:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # as a loop that never gets to its signals
        else:
            os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(60)

    def stuck() -> bool:
        return lives.exists() and lives.read_text() == "stuck\n"

    def buried() -> None:
        (folder / "graves").write_text("killed\n")

    signal.alarm(30)  # ends a supervisor that kills nobody
    return Supervisor(
        jobs=[Job("worker", run, ready=lives.exists, stuck=stuck, buried=buried)],
        log=logs.start("supervisor"),
        notifier=Notifier({}),
        check_reload=lambda: None,
        stopping=lambda: None,
        drain_seconds=0,
    ).run()
