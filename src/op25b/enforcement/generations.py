"""What was applied, on disk: one JSON file a generation, so that rollback and verify know what it was made from."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from op25b.errors import Missing, UserError
from op25b.policy.load import load
from op25b.ruleset.lower import lower
from op25b.ruleset.rules import Ruleset

STATE = Path("/var/lib/op25b/enforcement")
KEPT = 10
"""Generations kept for rollback, besides the ones in the kernel."""


@dataclass(frozen=True)
class Generation:
    """`policy` is the text of the file, `at` the instant it was lowered for; `chains` as the kernel held them."""

    number: int
    policy: str
    at: str
    digest: str
    applied_at: str
    chains: dict[str, str]
    confirmed: bool

    def ruleset(self) -> Ruleset:
        """The ruleset that was applied, made again from what is recorded."""
        policy = load(self.policy).policy
        if policy is None:
            raise UserError(
                f"generation {self.number} was made from a policy that this version no longer accepts; "
                "apply the present policy file instead"
            )
        return lower(policy, datetime.fromisoformat(self.at))


@dataclass(frozen=True)
class Records:
    """The folder of generations. Only one apply, confirm or rollback at a time works with it: see `locked`."""

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for oneself. Missing: it cannot be written. UserError: someone else is at it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            os.set_inheritable(handle, True)  # a program that is at work for us keeps the lock when we are killed
        except OSError as error:
            raise self._not_writable(error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise UserError("another op25b is changing the filter at this moment; try again when it is done") from None
        finally:
            os.close(handle)

    def numbers(self) -> list[int]:
        """Of all generations that are recorded, in order."""
        return sorted(int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdecimal())

    def read(self, number: int) -> Generation | None:
        """The record of a generation, None where there is none (or it cannot be read as one)."""
        try:
            return Generation(**json.loads(self._path(number).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, generation: Generation) -> None:
        """Whole or not at all, also when the power fails: temporary file, fsync, rename. Missing: no room for it."""
        temporary = self.folder / "new"  # one name, so that a kill leaves one file at most
        try:
            with temporary.open("w") as file:
                json.dump(asdict(generation), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._path(generation.number))
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise self._not_writable(error) from None

    def _not_writable(self, error: OSError) -> Missing:
        return Missing(f"{self.folder} cannot be written ({error.strerror}): run as root, or name another --state")

    def confirm(self, number: int) -> None:
        """Note that a generation is meant to stay: one that is noted so has treated packets."""
        generation = self.read(number)
        if generation is not None and not generation.confirmed:
            self.write(replace(generation, confirmed=True))

    def forget_old(self, keep: set[int]) -> None:
        """Delete all but the newest records and those in `keep`."""
        for number in self.numbers()[:-KEPT]:
            if number not in keep:
                self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.json"
