"""`/healthz` and `/metrics`, from a process of its own: it answers also when the workers do not."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from op25b.submission.driver.metrics import HELP, Board, Metric

STALE_SECONDS = 15
"""A worker that has not shown itself for so long is stuck."""


class Numbers(Collector):
    """The board as Prometheus wants it."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Family]:
        for metric, (name, text) in HELP.items():
            kind = GaugeMetricFamily if metric >= Metric.OPEN else CounterMetricFamily
            yield kind(f"op25b_submission_{name}", text, value=self._board.total(metric))
        yield SummaryMetricFamily(
            "op25b_submission_commit_seconds",
            "From a message's end to its being on the disk.",
            count_value=self._board.total(Metric.MESSAGES),
            sum_value=self._board.total(Metric.COMMIT_MICROSECONDS) / 1e6,
        )


def workers(board: Board, now: float) -> dict[str, str]:
    """How each worker is: `ok`, `starting` or `stuck`. `now`: monotonic seconds."""
    found = {}
    for worker in range(board.workers):
        meters = board.of(worker)
        if not meters.get(Metric.READY):
            found[str(worker)] = "starting"
        else:
            found[str(worker)] = "ok" if now - meters.get(Metric.ALIVE) < STALE_SECONDS else "stuck"
    return found


def serve(listening: socket, board: Board, parent: int) -> None:
    """Answers until the process is ended, or the supervisor has gone (`parent` ends)."""
    registry = CollectorRegistry()
    registry.register(Numbers(board))

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/healthz":
                found = workers(board, time.monotonic())
                good = all(state == "ok" for state in found.values())
                status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps({"ok": good, "workers": found}).encode() + b"\n")
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
