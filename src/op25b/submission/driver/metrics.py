"""Numbers of the service, in memory that all workers share; written without a lock, each worker to its own cells.

They outlive a worker that dies, so that counters never go back.
"""

from __future__ import annotations

import mmap
from enum import IntEnum


class Metric(IntEnum):
    """What is counted. Those from `OPEN` on are of the present: they end with their worker."""

    CONNECTIONS = 0
    MESSAGES = 1
    OCTETS = 2
    RECIPIENTS = 3
    HELD = 4
    MESSAGES_REFUSED = 5
    RECIPIENTS_REFUSED = 6
    SENDERS_REFUSED = 7
    CAPS = 8
    LOG_INS = 9
    LOG_INS_FAILED = 10
    TLS_FAILED = 11
    TIMED_OUT = 12
    SPOOL_FAILED = 13
    COMMIT_MICROSECONDS = 14
    STARTS = 15
    OPEN = 16
    COMMITTING = 17
    ALIVE = 18
    READY = 19


HELP = {
    Metric.CONNECTIONS: ("connections", "Connections taken."),
    Metric.MESSAGES: ("messages", "Messages taken: durable, and acknowledged."),
    Metric.OCTETS: ("message_octets", "Octets of the messages taken."),
    Metric.RECIPIENTS: ("recipients", "Recipients of the messages taken."),
    Metric.HELD: ("messages_held", "Messages taken and held: they look like a stolen password's."),
    Metric.MESSAGES_REFUSED: ("messages_refused", "Messages refused after they had come."),
    Metric.RECIPIENTS_REFUSED: ("recipients_refused", "Recipients refused."),
    Metric.SENDERS_REFUSED: ("senders_refused", "Senders refused that are not the account's."),
    Metric.CAPS: ("caps_reached", "Times that a cap of an address or an account was reached."),
    Metric.LOG_INS: ("logins", "Successful log-ins."),
    Metric.LOG_INS_FAILED: ("logins_failed", "Failed log-ins."),
    Metric.TLS_FAILED: ("tls_failed", "TLS handshakes that failed, and connections broken by TLS errors."),
    Metric.TIMED_OUT: ("timed_out", "Connections ended because they were idle or too slow."),
    Metric.SPOOL_FAILED: (
        "spool_failed",
        "Messages that the spool could not keep; their clients were told to come back.",
    ),
    Metric.STARTS: ("worker_starts", "Starts of workers, those after a death included."),
    Metric.OPEN: ("open_connections", "Connections open now."),
    Metric.COMMITTING: ("committing_octets", "Octets of messages on their way to the disk now."),
}


class Board:
    """The cells of all workers."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._cells = memoryview(mmap.mmap(-1, workers * len(Metric) * 8)).cast("Q")

    def of(self, worker: int) -> Meters:
        return Meters(self._cells[worker * len(Metric) : (worker + 1) * len(Metric)])

    def total(self, metric: Metric) -> int:
        return sum(self._cells[metric :: len(Metric)].tolist())

    def forget(self, worker: int) -> None:
        """The worker is dead."""
        meters = self.of(worker)
        for metric in Metric:
            if metric >= Metric.OPEN:
                meters.set(metric, 0)


class Meters:
    """One worker's."""

    def __init__(self, cells: memoryview[int]) -> None:
        self._cells = cells

    def add(self, metric: Metric, count: int = 1) -> None:
        self._cells[metric] += count

    def set(self, metric: Metric, value: int) -> None:
        self._cells[metric] = value

    def get(self, metric: Metric) -> int:
        return self._cells[metric]
