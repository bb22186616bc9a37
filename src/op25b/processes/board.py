"""Numbers of the processes, in memory that they share with who shows them; each process writes to its own cells.

No lock is taken. They outlive a process that dies, so that counters never go back.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Literal, Self

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from op25b.processes.memory import cells

STALE_SECONDS = 15
"""A process that has not shown itself for so long does not work."""
STUCK_SECONDS = 60
"""One that has not for so long will not again."""


class Metric(IntEnum):
    """What a kind of process counts: a subclass with a member for each, `NAME = kind, "What it is."`.

    In lower case the name is that of the series. A counter only goes up; a gauge is of the present and ends with its
    process; a sum is a counter that is not shown by itself.
    """

    kind: Literal["counter", "gauge", "sum"]
    text: str

    def __new__(cls, kind: Literal["counter", "gauge", "sum"], text: str) -> Self:
        number = len(cls.__members__)
        made = int.__new__(cls, number)
        made._value_, made.kind, made.text = number, kind, text
        return made


def state(alive_at: int, now: float) -> str:
    """How a process is: `ok`, `starting` or `stuck`. `now`: monotonic seconds."""
    if not alive_at:
        return "starting"
    return "ok" if now - alive_at < STALE_SECONDS else "stuck"


class Board:
    """The cells of `rows` processes of one kind. `prefix`: what the names of the series begin with."""

    def __init__(self, prefix: str, metrics: type[Metric], rows: int = 1) -> None:
        self.prefix, self.rows = prefix, rows
        self._metrics: list[Metric] = list(metrics)
        self._width = len(self._metrics) + 1
        self._cells = cells(rows * self._width, "Q")

    def of(self, row: int = 0) -> Meters:
        return Meters(self._cells[row * self._width : (row + 1) * self._width])

    def total(self, metric: Metric) -> int:
        return sum(self._cells[metric :: self._width].tolist())

    def state(self, row: int, now: float) -> str:
        """As `state`."""
        return state(self.of(row).alive_at, now)

    def is_ready(self, row: int = 0) -> bool:
        return bool(self.of(row).alive_at)

    def is_stuck(self, now: float, row: int = 0) -> bool:
        """It should be killed."""
        alive = self.of(row).alive_at
        return bool(alive) and now - alive > STUCK_SECONDS

    def forget(self, row: int = 0) -> None:
        """The process is dead."""
        meters = self.of(row)
        meters.alive_at = 0
        for metric in self._metrics:
            if metric.kind == "gauge":
                meters.set(metric, 0)

    def families(self) -> Iterator[Family]:
        """For Prometheus, all processes together."""
        for metric in self._metrics:
            name = f"{self.prefix}_{metric.name.lower()}"
            if metric.kind == "counter":
                yield CounterMetricFamily(name, metric.text, value=self.total(metric))
            elif metric.kind == "gauge":
                yield GaugeMetricFamily(name, metric.text, value=self.total(metric))


class Meters:
    """One process's."""

    def __init__(self, own: memoryview[int]) -> None:
        self._cells = own

    def add(self, metric: Metric, count: int = 1) -> None:
        self._cells[metric] += count

    def set(self, metric: Metric, value: int) -> None:
        self._cells[metric] = value

    def get(self, metric: Metric) -> int:
        return self._cells[metric]

    @property
    def alive_at(self) -> int:
        """When the process last showed that it works, in monotonic seconds; 0: it has not begun to."""
        return self._cells[-1]

    @alive_at.setter
    def alive_at(self, now: float) -> None:
        self._cells[-1] = int(now)
