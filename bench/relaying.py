"""Does what leaves keep up with what comes? Mail is handed on to a sink (smtp-sink) while the load goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import Row, main, needs
from mailrun import SETTLE_SECONDS, Load, Lost, put_load, running, shared_folder
from mailservers.op25b import Op25b
from mailservers.postfix import Postfix, Unthrottled
from mailservers.server import Server


class Sink:
    """Counts the messages that come to its port, and throws them away."""

    def __init__(self, port: int, counters: Path) -> None:
        self.port, self._counters = port, counters

    @property
    def count(self) -> int:
        """smtp-sink writes its counters again and again; the last ones count."""
        with self._counters.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 100))
            found = file.read().rpartition(b"mesg=")[2].split()
        return int(found[0]) if found else 0


@contextmanager
def sink(shared: Path) -> Iterator[Sink]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    counters = shared / "sink"
    with counters.open("wb") as output:
        command = ["smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{port}", "1000"]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
    try:
        yield Sink(port, counters)
    finally:
        process.terminate()
        process.wait()


def rates(kind: type[Server], shared: Path, load: Load) -> tuple[float, float, float]:
    """(messages in a second, out a second, seconds from the last 250 until all are out). Raises Lost."""
    counts: list[tuple[float, int]] = []
    with sink(shared) as target, running(kind, shared, smart_host=target.port) as server:
        figure, acknowledged = put_load(server, load, lambda: counts.append((time.monotonic(), target.count)))
        end = time.monotonic()
        while target.count < acknowledged:
            if time.monotonic() > end + SETTLE_SECONDS:
                raise Lost(f"{server.name} acknowledged {acknowledged} messages; {target.count} came out")
            time.sleep(0.02)
        left = time.monotonic() - end
    (start, before), (stop, after) = counts
    return figure.rate, (after - before) / (stop - start), left


def run(quick: bool) -> list[Row]:
    needs("postfix", "smtp-sink")
    load = Load("starttls", per_connection=20, seconds=1.0 if quick else 10.0)
    with shared_folder() as shared:
        found = {kind.name: rates(kind, shared, load) for kind in (Op25b, Unthrottled, Postfix)}
    told = {name: f"{taken:,.0f} in, {out:,.0f} out" for name, (taken, out, _) in found.items()}
    taken, out, left = found[Op25b.name]
    note = f"op25b: out / in = {out / taken:.2f}, all out {left:.1f} s after the last 250"
    return [
        Row(f"taken in and handed on, a second: {load.port} + AUTH", told[Op25b.name], f"{name} {told[name]}",
            out / found[name][1], f"{note}; {name}: {found[name][1] / found[name][0]:.2f}, {found[name][2]:.1f} s")
        for name in (Unthrottled.name, Postfix.name)
    ]  # fmt: skip


if __name__ == "__main__":
    main(run)
