"""What the service manager is told (sd_notify(3)); without one, nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping


class Notifier:
    """`environment`: as os.environ."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the abstract name space
        self._path = "\0" + path[1:] if path.startswith("@") else path
        period = environment.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(period) / 2e6 if period.isdigit() else 0.0
        """How often `alive` is to be called; 0: never."""

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._path:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            try:
                channel.sendto(state.encode(), self._path)
            except OSError:  # the manager is restarting; it asks again
                return
