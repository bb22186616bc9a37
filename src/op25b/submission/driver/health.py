"""`/healthz` and `/metrics`, from a process of its own: it answers also when the workers do not."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from op25b.submission.driver.metrics import HELP, Board, Metric
from op25b.submission.driver.relay_metrics import Cell, RelayBoard, families

STALE_SECONDS = 15
"""A worker that has not shown itself for so long is stuck."""


class Numbers(Collector):
    """The boards as Prometheus wants them; None: that part does not run here."""

    def __init__(self, board: Board | None, relay: RelayBoard | None) -> None:
        self._board, self._relay = board, relay

    def collect(self) -> Iterator[Family]:
        if self._board is not None:
            yield from self._of_workers(self._board)
        if self._relay is not None:
            yield from families(self._relay, lambda: datetime.now(UTC))

    def _of_workers(self, board: Board) -> Iterator[Family]:
        for metric, (name, text) in HELP.items():
            kind = GaugeMetricFamily if metric >= Metric.OPEN else CounterMetricFamily
            yield kind(f"op25b_submission_{name}", text, value=board.total(metric))
        yield SummaryMetricFamily(
            "op25b_submission_commit_seconds",
            "From a message's end to its being on the disk.",
            count_value=board.total(Metric.MESSAGES),
            sum_value=board.total(Metric.COMMIT_MICROSECONDS) / 1e6,
        )


def workers(board: Board, now: float) -> dict[str, str]:
    """How each worker is: `ok`, `starting` or `stuck`. `now`: monotonic seconds."""
    found = {}
    for worker in range(board.workers):
        meters = board.of(worker)
        found[str(worker)] = _state(meters.get(Metric.ALIVE) if meters.get(Metric.READY) else 0, now)
    return found


def _state(alive: int, now: float) -> str:
    if not alive:
        return "starting"
    return "ok" if now - alive < STALE_SECONDS else "stuck"


def health(board: Board | None, relay: RelayBoard | None, now: float) -> dict[str, Any]:
    """What `/healthz` answers. `now`: monotonic seconds."""
    found: dict[str, Any] = {"ok": True}
    if board is not None:
        found["workers"] = workers(board, now)
        found["ok"] = all(state == "ok" for state in found["workers"].values())
    if relay is not None:
        found["relay"] = _state(relay.get(Cell.ALIVE), now)
        found["ok"] = found["ok"] and found["relay"] == "ok"
    return found


def serve(listening: socket, board: Board | None, relay: RelayBoard | None, parent: int) -> None:
    """Answers until the process is ended, or the supervisor has gone (`parent` ends)."""
    registry = CollectorRegistry()
    registry.register(Numbers(board, relay))

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/healthz":
                found = health(board, relay, time.monotonic())
                status = HTTPStatus.OK if found["ok"] else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(found).encode() + b"\n")
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: it is asked every few seconds."""

    server = ThreadingHTTPServer(listening.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # not a read: an event loop in another process has made the pipe non-blocking for all of them
    select.select([parent], [], [])
