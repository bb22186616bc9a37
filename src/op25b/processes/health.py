"""`/healthz` and `/metrics`, from a process of its own: it answers also when the others do not."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector


@dataclass(frozen=True)
class Shown:
    """What one part shows of itself.

    `states` is given monotonic seconds and says how the part's processes are, by name: `ok` or what is the matter. A
    name may stand for several processes, each by its number.
    """

    families: Callable[[], Iterable[Family]]
    states: Callable[[float], Mapping[str, str | Mapping[str, str]]]


class Numbers(Collector):
    """All parts as Prometheus wants them."""

    def __init__(self, parts: Sequence[Shown]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Family]:
        for part in self._parts:
            yield from part.families()


def health(parts: Sequence[Shown], now: float) -> dict[str, Any]:
    """What `/healthz` answers. `now`: monotonic seconds."""
    found = {name: state for part in parts for name, state in part.states(now).items()}
    each = [one for state in found.values() for one in ([state] if isinstance(state, str) else state.values())]
    return {"ok": all(state == "ok" for state in each), **found}


def serve(listening: socket, parts: Sequence[Shown], parent: int) -> None:
    """Answers until the process is ended, or the supervisor has gone (`parent` ends)."""
    registry = CollectorRegistry()
    registry.register(Numbers(parts))

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/healthz":
                found = health(parts, time.monotonic())
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
