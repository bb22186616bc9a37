"""Who syncs before the 250: strace counts fsync and fdatasync, for one message at a time and for 50 at once.

With one client, a server that commits in groups must sync for each message like any other; with 50, its groups show.
"""

from __future__ import annotations

from pathlib import Path

from figures import Table, main, needs
from mailrun import Load, put_load, require_all, running, shared_folder
from mailservers.server import Server
from submission import SERVERS

CALLS = "fsync,fdatasync,sync_file_range,msync"


def syncs_a_message(kind: type[Server], shared: Path, connections: int, seconds: float) -> float:
    summary = shared / "strace"
    strace = ["strace", "-f", "-qq", "-c", "-e", f"trace={CALLS}", "-o", str(summary)]
    with running(kind, shared, wrapper=strace) as server:
        _, acknowledged = put_load(server, Load(per_connection=20, connections=connections, seconds=seconds))
        require_all(server, acknowledged)
    return counted(summary.read_text()) / acknowledged


def counted(summary: str) -> int:
    """The calls in what `strace -c` wrote: columns % time, seconds, usecs/call, calls, errors if any, name."""
    rows = [line.split() for line in summary.splitlines()]
    return sum(int(row[3]) for row in rows if row and row[-1] in CALLS.split(","))


def run(quick: bool) -> list[Table]:
    needs("postfix", "strace", "unshare")
    seconds = 0.5 if quick else 2.0
    lines = []
    with shared_folder() as shared:
        for server in SERVERS:
            alone, together = (syncs_a_message(server, shared, each, seconds) for each in (1, 50))
            lines.append([server.name, f"{alone:.2f}", f"{together:.2f}"])
    return [Table("fsync and fdatasync for each message", ["", "1 client", "50 clients"], lines)]


if __name__ == "__main__":
    main(run)
