"""The supervisor: starts processes, starts them again when they die, stops and reloads them all.

It has one thread and no event loop, so that it can fork at any time. Children notice its end by a pipe.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

from structlog.typing import FilteringBoundLogger

from op25b.errors import Missing, UserError
from op25b.processes.notify import Notifier
from op25b.processes.privilege import Capability, Identity, drop

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
SHORT_LIFE = 5.0
SLOWEST_RESTART = 2.0
KILL_AFTER = 10.0
"""Beyond the time to drain: who has not ended by then is killed."""


@dataclass
class Job:
    """One process. `run(parent)` is called in it; `parent` is a file descriptor that ends when the supervisor does.

    It is without any capability but those in `keeps`, and has no sockets of other jobs. `ready`: it has begun its
    work. `stuck`: it no longer works and should be killed. `buried`: called after a death.
    """

    name: str
    run: Callable[[int], None]
    sockets: Sequence[socket] = ()
    keeps: Sequence[Capability] = ()
    outlives: bool = False
    """The others need it until their own end: it is told to end when they have."""
    ready: Callable[[], bool] = lambda: True
    stuck: Callable[[], bool] = lambda: False
    buried: Callable[[], None] = lambda: None
    pid: int = 0
    began: float = 0.0
    again: float = 0.0
    """Not before this instant."""
    short_lives: int = 0


@dataclass
class Supervisor:
    """`check_reload` raises UserError for a configuration that cannot be taken; called before the jobs hear of it.

    `stopping` is called when all is to end, and nothing is listened at any more; `stopped`, when all has ended.
    `whom`: whom the jobs run as; None: as the supervisor.
    """

    jobs: list[Job]
    log: FilteringBoundLogger
    notifier: Notifier
    check_reload: Callable[[], None]
    stopping: Callable[[], None]
    drain_seconds: float
    stopped: Callable[[], None] = lambda: None
    whom: Identity | None = None
    _pipe: tuple[int, int] = field(default_factory=os.pipe)
    _ready: bool = False
    _alive_at: float = 0.0

    def run(self) -> int:
        """Returns when all has ended: 0, or the exit status of the job that could not start."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for job in self.jobs:
            self._start(job)
        while True:
            received = signal.sigtimedwait(SIGNALS, 0.2)
            if received is not None and received.si_signo in (signal.SIGTERM, signal.SIGINT):
                return self._stop(0)
            if received is not None and received.si_signo == signal.SIGHUP:
                self._reload()
            if failed := self._tend():
                return self._stop(failed)

    def _start(self, job: Job) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        job.began, job.again = time.monotonic(), 0.0
        job.pid = os.fork()
        if job.pid == 0:
            os._exit(self._child(job))

    def _child(self, job: Job) -> int:
        try:
            os.close(self._pipe[1])
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # interrupts from a terminal go to all processes; the supervisor decides what comes of them
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            # a reload is for those who listen to it, and ends nobody
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            # what `ps -o comm` shows
            Path("/proc/self/comm").write_text(f"op25b {job.name}")
            self._close_sockets(job.sockets)
            drop(job.keeps, self.whom)
            job.run(self._pipe[0])
        except (UserError, Missing) as error:
            print(f"{job.name}: {error}", file=sys.stderr, flush=True)
            return error.exit_status
        except BaseException:
            traceback.print_exc()
            return 1
        return 0

    def _tend(self) -> int:
        """Looks after everybody. Returns the exit status of a job that did not even start the first time, else 0."""
        now = time.monotonic()
        for job, status in self._dead():
            job.buried()
            if not self._ready:
                return status or 1
            job.short_lives = job.short_lives + 1 if now - job.began < SHORT_LIFE else 0
            job.again = now + (min(0.05 * 2**job.short_lives, SLOWEST_RESTART) if job.short_lives else 0.0)
            self.log.error("process ended, starting it again", job=job.name, status=status)
        for job in self.jobs:
            if job.pid == 0 and job.again <= now:
                self._start(job)
            elif job.pid and job.stuck():
                self.log.error("process is stuck, killing it", job=job.name)
                os.kill(job.pid, signal.SIGKILL)
        if not self._ready and all(job.ready() for job in self.jobs):
            self._ready = True
            self.notifier.ready("serving")
            self.log.info("ready")
        if self.notifier.watchdog_seconds and now - self._alive_at >= self.notifier.watchdog_seconds:
            self._alive_at = now
            self.notifier.alive()
        return 0

    def _dead(self) -> list[tuple[Job, int]]:
        found = []
        for job in self.jobs:
            if job.pid and (ended := os.waitpid(job.pid, os.WNOHANG))[0]:
                job.pid = 0
                found.append((job, os.waitstatus_to_exitcode(ended[1])))
        return found

    def _reload(self) -> None:
        self.notifier.reloading()
        try:
            self.check_reload()
        except (UserError, Missing) as error:
            self.log.error("not reloaded, going on as before", reason=str(error))
        else:
            self._signal(signal.SIGHUP, self.jobs)
            self.log.info("reloaded")
        self.notifier.ready("serving")

    def _stop(self, status: int) -> int:
        self.notifier.stopping()
        # nothing is to be listened at any more
        self._close_sockets(())
        self.stopping()
        deadline = time.monotonic() + self.drain_seconds + KILL_AFTER
        for jobs in ([job for job in self.jobs if not job.outlives], self.jobs):
            self._signal(signal.SIGTERM, jobs)
            while any(job.pid for job in jobs):
                if time.monotonic() > deadline:
                    self._signal(signal.SIGKILL, self.jobs)
                signal.sigtimedwait({signal.SIGCHLD}, 0.2)
                self._dead()
        self.stopped()
        self.log.info("stopped")
        return max(status, 0)

    def _close_sockets(self, kept: Sequence[socket]) -> None:
        for job in self.jobs:
            for each in job.sockets:
                if each not in kept:
                    each.close()

    def _signal(self, number: signal.Signals, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.pid:
                os.kill(job.pid, number)
