"""Which labs are on record in a state directory: one small JSON file each, locked while it changes.

A record names the lab's holder by process id *and* start time, so that a stale record never leads to
another process that was given the same id.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from op25b.errors import UserError


@dataclass(frozen=True)
class Record:
    """holder: process id; started: its start time in clock ticks since boot (proc(5), stat field 22);
    rootless: it lives in a user namespace; policy: the file that the lab was made for."""

    holder: int
    started: int
    rootless: bool
    policy: str

    @property
    def alive(self) -> bool:
        return start_time(self.holder) == self.started


def default_directory() -> Path:
    """Where records live: a directory that is the user's own and is emptied at boot where there is one."""
    if os.geteuid() == 0:
        return Path("/run/op25b-lab")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "op25b-lab" if runtime else Path(f"/tmp/op25b-lab-{os.geteuid()}")


def start_time(pid: int) -> int | None:
    """The start time of a living process, or None. A zombie is not alive: its namespaces are gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def read(directory: Path, name: str) -> Record | None:
    """The record of a living lab, or None. A record that cannot be read was never finished: its lab ended
    together with whoever wrote it."""
    try:
        record = Record(**json.loads(_path(directory, name).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return record if record.alive else None


def names(directory: Path) -> list[str]:
    return sorted(path.stem for path in directory.glob("*.json"))


@contextmanager
def locked(directory: Path, name: str) -> Iterator[Path]:
    """Hold the lab's record file against other starters and enders; yields its path.

    Raises UserError when the directory is not this user's own.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.geteuid():
        raise UserError(f"{directory}: belongs to another user; remove it or set XDG_RUNTIME_DIR")
    path = _path(directory, name)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The one before us may have removed the file while we waited: then we hold a lock on nothing.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                yield path
                return
        finally:
            os.close(descriptor)


def write(path: Path, record: Record) -> None:
    """Called under the lock; the file must stay the same inode, or the lock would be lost."""
    with path.open("r+", encoding="utf-8") as file:
        file.truncate()
        json.dump(asdict(record), file)


def remove(directory: Path, name: str) -> None:
    """Called under the lock."""
    _path(directory, name).unlink()


def _path(directory: Path, name: str) -> Path:
    if not name or name.startswith(".") or "/" in name:
        raise UserError(f"{name!r} is not a name for a lab; use letters, digits, - and _")
    return directory / f"{name}.json"
