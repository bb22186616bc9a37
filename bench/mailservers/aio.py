"""aiosmtpd with group commit: what a Python programmer would take instead."""

from __future__ import annotations

import sys
from pathlib import Path

from mailservers.server import Server


class Aiosmtpd(Server):
    name = "aiosmtpd, group commit"

    def configure(self) -> None:
        (self.place.folder / "names").write_text("\n".join(self.place.names))

    def commands(self) -> list[list[str]]:
        folder, ports = self.place.folder, self.ports
        arguments = [folder, folder / "names", ports.plain, ports.starttls, ports.implicit]
        program = Path(__file__).with_name("aiosmtpd_server.py")
        pair = [self.place.certificate, self.place.key]
        return [[sys.executable, *map(str, [program, *arguments, *pair])]]

    def taken(self) -> int:
        """By the lengths in the logs, so that a message that was cut off does not count."""
        return sum(map(_whole, self.place.folder.glob("*.log")))


def _whole(path: Path) -> int:
    count, size = 0, path.stat().st_size
    with path.open("rb") as log:
        while line := log.readline():
            end = log.tell() + int(line.split()[-1])
            if end > size:
                break
            log.seek(end)
            count += 1
    return count
