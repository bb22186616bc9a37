"""Memory that clients take which connect and then say nothing, and the rate of mail beside them.

Postfix has a process for each connection, so it is asked for a tenth of them; the figure compared is that of one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from figures import Row, main, needs
from mailrun import Load, put_load, running, shared_folder
from mailservers.op25b import Op25b
from mailservers.postfix import AcceptOnly
from mailservers.server import Server
from processes import memory_mib

HOLDER = Path(__file__).with_name("smtpidle.py")
LIMITS = {"plain": "<= 200 MB", "implicit": "<= 1 GB"}


class Roomy(AcceptOnly):
    """With as many processes as clients are to come."""

    settings: ClassVar = AcceptOnly.settings | {"default_process_limit": "1200"}


@contextmanager
def held(server: Server, port: str, count: int) -> Iterator[None]:
    """So many idle clients."""
    number, tls = getattr(server.ports, port), "none" if port == "plain" else port
    command = [sys.executable, str(HOLDER), str(number), tls, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            raise RuntimeError(f"{server.name} does not hold {count} connections")
        yield
        assert holder.stdin is not None
        holder.stdin.close()


def memory(kind: type[Server], shared: Path, port: str, count: int, seconds: float) -> tuple[float, float, float]:
    """(MiB in all, KiB for each connection, messages a second beside them)."""
    with running(kind, shared) as server:
        before = sum(map(memory_mib, server.pids))
        with held(server, port, count):
            after = sum(map(memory_mib, server.pids))
            figure, _ = put_load(server, Load(seconds=seconds))
    return after, (after - before) * 1024 / count, figure.rate


def run(quick: bool) -> list[Row]:
    needs("postfix")
    count, seconds = (1000, 1.0) if quick else (10_000, 3.0)
    rows = []
    with shared_folder() as shared:
        for port, limit in LIMITS.items():
            total, each, rate = memory(Op25b, shared, port, count, seconds)
            _, peer, _ = memory(Roomy, shared, port, count // 10, seconds)
            rows.append(
                Row(
                    f"memory with {count:,} idle connections, {'plain' if port == 'plain' else 'TLS'}",
                    f"{total:,.0f} MiB, {each:.1f} KiB each",
                    f"Postfix, {count // 10:,} connections: {peer:,.0f} KiB each",
                    peer / each,
                    f"meanwhile op25b takes {rate:,.0f} messages a second",
                    limit if count == 10_000 else "",
                )
            )
    return rows


if __name__ == "__main__":
    main(run)
