"""Numbers of the relay, in memory that it shares with who shows them; its counters outlive it, so they never go back.

There is one number for each next hop that was configured; all others, whose names are without number, share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from op25b.processes.board import state
from op25b.processes.health import Shown
from op25b.processes.memory import cells
from op25b.submission.config import Relay as RelayConfig
from op25b.submission.relay.outcome import Result
from op25b.submission.relay.tally import BY_MX, Figures, NextHopFigures, Tally


class Cell(IntEnum):
    """What is kept. Those from `ALIVE` on are of the present: they end with the relay."""

    DELIVERED = 0
    DEFERRED = 1
    FAILED = 2
    REPLY_NONE = 3
    REPLY_2 = 4
    REPLY_4 = 5
    REPLY_5 = 6
    REPORTS = 7
    CONNECTED = 8
    UNREACHABLE = 9
    STARTS = 10
    ALIVE = 11
    MESSAGES = 12
    HELD = 13
    UNDER_WAY = 14
    OLDEST = 15
    CONNECTIONS = 16


COUNTERS: dict[str, tuple[str, str | None, dict[str, Cell]]] = {
    "recipients": (
        "Attempts at recipients, by how they ended.",
        "result",
        {"delivered": Cell.DELIVERED, "deferred": Cell.DEFERRED, "bounced": Cell.FAILED},
    ),
    "replies": (
        "Attempts at recipients, by the class of the next hop's reply; none: there was no reply.",
        "class",
        {"none": Cell.REPLY_NONE, "2yz": Cell.REPLY_2, "4yz": Cell.REPLY_4, "5yz": Cell.REPLY_5},
    ),
    "reports": ("Delivery status notifications written.", None, {"": Cell.REPORTS}),
    "connections": (
        "Connections to next hops, and failures to make one.",
        "result",
        {"made": Cell.CONNECTED, "failed": Cell.UNREACHABLE},
    ),
    "starts": ("Starts of the relay, those after a death included.", None, {"": Cell.STARTS}),
}
GAUGES: dict[str, tuple[str, Cell]] = {
    "messages": ("Messages that wait, those under way included.", Cell.MESSAGES),
    "messages_held": ("Messages that wait to be released by an operator.", Cell.HELD),
    "recipients_under_way": ("Recipients whose attempt is under way.", Cell.UNDER_WAY),
    "open_connections": ("Connections open, or being opened.", Cell.CONNECTIONS),
}
OLDEST = ("oldest_message_seconds", "Age of the oldest message that waits; 0: none does.")
BY_NEXT_HOP = {
    "destinations": ("Destinations that are known now.", "destinations"),
    "destinations_failing": ("Destinations to which no connection could be made, left alone for a while.", "failing"),
    "messages_for_connection": ("Messages that wait for a connection.", "waiting"),
    "next_hop_connections": ("Connections open, or being opened.", "connections"),
}
_FIELDS = ("destinations", "failing", "waiting", "connections")


class RelayBoard:
    """`next_hops`: the configured ones, as `names` gives them."""

    def __init__(self, next_hops: Sequence[str]) -> None:
        self.next_hops = (*dict.fromkeys((BY_MX, *next_hops)),)
        self._cells: memoryview[int] = cells(len(Cell) + len(_FIELDS) * len(self.next_hops), "Q")

    def get(self, cell: Cell) -> int:
        return self._cells[cell]

    def set(self, cell: Cell, value: int) -> None:
        self._cells[cell] = value

    def next_hop(self, name: str) -> NextHopFigures:
        at = len(Cell) + len(_FIELDS) * self.next_hops.index(name)
        return NextHopFigures(*self._cells[at : at + len(_FIELDS)])

    def show(self, figures: Figures) -> None:
        """The present."""
        self.set(Cell.MESSAGES, figures.messages)
        self.set(Cell.HELD, figures.held)
        self.set(Cell.UNDER_WAY, figures.recipients_under_way)
        self.set(Cell.OLDEST, int(figures.oldest.timestamp()) if figures.oldest else 0)
        self.set(Cell.CONNECTIONS, figures.connections)
        for at, name in enumerate(self.next_hops):
            of_this = figures.next_hops.get(name, NextHopFigures())
            for field_at, field in enumerate(_FIELDS):
                self._cells[len(Cell) + len(_FIELDS) * at + field_at] = getattr(of_this, field)

    def forget(self) -> None:
        """The relay is dead."""
        for cell in range(Cell.ALIVE, len(self._cells)):
            self._cells[cell] = 0


class Bookkeeper:
    """Brings a relay's tally to the board, again and again."""

    def __init__(self, board: RelayBoard) -> None:
        self._board = board
        self._before = {cell: board.get(cell) for cell in Cell if cell < Cell.STARTS}
        board.set(Cell.STARTS, board.get(Cell.STARTS) + 1)

    def write(self, tally: Tally, figures: Figures, now: float) -> None:
        """`now`: monotonic seconds."""
        since = {
            Cell.DELIVERED: tally.results[Result.DELIVERED],
            Cell.DEFERRED: tally.results[Result.DEFERRED],
            Cell.FAILED: tally.results[Result.FAILED],
            Cell.REPLY_NONE: tally.replies[0],
            Cell.REPLY_2: tally.replies[2],
            Cell.REPLY_4: tally.replies[4],
            Cell.REPLY_5: tally.replies[5],
            Cell.REPORTS: tally.reports,
            Cell.CONNECTED: tally.connected,
            Cell.UNREACHABLE: tally.unreachable,
        }
        for cell, count in since.items():
            self._board.set(cell, self._before[cell] + count)
        self._board.show(figures)
        self._board.set(Cell.ALIVE, int(now))


def names(relay: RelayConfig) -> list[str]:
    """Of the next hops that are configured, as they are called in the numbers."""
    hops = [*relay.routes, *([relay.smart_host] if relay.smart_host else [])]
    return [f"{hop.host}:{hop.port}" for hop in hops]


def shown(board: RelayBoard) -> Shown:
    """The board, for /metrics and /healthz."""

    def states(now: float) -> dict[str, str]:
        return {"relay": state(board.get(Cell.ALIVE), now)}

    return Shown(partial(families, board, lambda: datetime.now(UTC)), states)


def families(board: RelayBoard, now: Callable[[], datetime]) -> Iterator[Metric]:
    """For Prometheus."""
    for name, (text, label, shares) in COUNTERS.items():
        counter = CounterMetricFamily(f"op25b_relay_{name}", text, labels=[label] if label else [])
        for value, cell in shares.items():
            counter.add_metric([value] if label else [], board.get(cell))
        yield counter
    for name, (text, cell) in GAUGES.items():
        yield GaugeMetricFamily(f"op25b_relay_{name}", text, value=board.get(cell))
    came = board.get(Cell.OLDEST)
    yield GaugeMetricFamily(f"op25b_relay_{OLDEST[0]}", OLDEST[1], value=now().timestamp() - came if came else 0)
    for name, (text, field) in BY_NEXT_HOP.items():
        gauge = GaugeMetricFamily(f"op25b_relay_{name}", text, labels=["next_hop"])
        for next_hop in board.next_hops:
            gauge.add_metric([next_hop], getattr(board.next_hop(next_hop), field))
        yield gauge
