"""The watch: what it needs of the kernel comes from the enforcer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from op25b.enforcement.enforcer_client import Away, Client
from op25b.enforcement.requests import Refused, Seen
from op25b.errors import UserError
from op25b.watch.following import Counted

T = TypeVar("T")


def counted(seen: Seen) -> Counted:
    """As the watch has it: IPv6 by the upper half."""
    found = {}
    for name, attempts in seen.items():
        width = attempts.sources.shape[1]
        halves = np.ascontiguousarray(attempts.sources[:, : min(width, 8)]).view(">u4" if width == 4 else ">u8")
        found[name] = dict(zip(halves.ravel().tolist(), attempts.packets.tolist(), strict=True))
    return found


class EnforcersKernel:
    """A connection to the enforcer, made anew when it was lost. Methods raise UserError where there is none.

    `path`: its socket; `group`: the policy's NFLOG group, None where it logs nothing.
    """

    def __init__(self, path: Path, group: int | None) -> None:
        self._path, self._group = path, group
        self._client: Client | None = None

    def log(self) -> socket.socket | None:
        group = self._group
        return None if group is None else self._asked(lambda client: client.nflog(group))

    def seen(self) -> Counted:
        return counted(self._asked(Client.seen))

    def kept(self) -> None:
        self._asked(Client.seen_kept)

    def _asked(self, what: Callable[[Client], T]) -> T:
        try:
            if self._client is None:
                self._client = Client(self._path)
            return what(self._client)
        except (Away, Refused) as error:
            if self._client is not None:
                self._client.close()
                self._client = None
            raise UserError(f"enforcer: {error}") from None
