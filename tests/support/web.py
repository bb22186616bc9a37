"""An application on a port of the loopback, served as a process of the service serves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any

import uvicorn

from op25b.portal.web.serving import configuration


@contextmanager
def running(app: Any, made: socket) -> Iterator[None]:
    """Serves until the end of the context."""
    server = uvicorn.Server(configuration(app))
    thread = threading.Thread(target=server.run, args=([made],))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class Log:
    """Takes what would be logged."""

    def __init__(self, taken: list[dict[str, Any]]) -> None:
        self._taken = taken

    def __getattr__(self, level: str) -> Any:
        return lambda event, **values: self._taken.append({"event": event, "level": level, **values})
