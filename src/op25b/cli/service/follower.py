"""The follower: a process of its own on a router, a part of the lease server where there is one on the same host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from op25b.cli.service import part
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.enforcement.follower import job
from op25b.enforcement.follower.metrics import Followed
from op25b.enforcement.settings import Follower
from op25b.processes import logs
from op25b.processes.board import Board
from op25b.store import Store
from op25b.subscribers.leases import Merged


def board() -> Board:
    """Its numbers."""
    return Board("op25b_follower", Followed)


def made(present: Present, table: Follower) -> Part:
    """Nothing runs yet. The store need not be there: what was in force stays so, and that is said."""
    numbers = board()

    def run(parent: int) -> None:
        job.work(present.config.store, table, numbers.of(), logs.start("follower"), parent)

    return Part([part.job("follower", run, numbers)], [part.shown("follower", numbers)])


class Away(Exception):
    """The filter could not be told; it will be when the follower is in step again."""


@contextmanager
def within(store: Store, table: Follower, numbers: Board) -> Iterator[Callable[[Merged], None]]:
    """A follower in this process, and what tells it of a merge: returns when the filter has it, or raises Away."""
    following = job.following(store, table, numbers.of(), logs.start("follower"))

    def after(merged: Merged) -> None:
        if merged.changed and not following.changed(merged.changed):
            raise Away("the follower is not in step")

    following.start()
    try:
        yield after
    finally:
        following.close()
