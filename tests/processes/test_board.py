"""Numbers that outlive the process that counts them."""

from __future__ import annotations

import os

from op25b.processes.board import STALE_SECONDS, STUCK_SECONDS, Board, Metric
from op25b.processes.health import Shown, health


class Things(Metric):
    TAKEN = "counter", "Things taken."
    SPENT = "sum", "What they cost."
    OPEN = "gauge", "Things open."


def _shown(board: Board) -> dict[str, tuple[str, float]]:
    return {each.name: (each.type, each.samples[0].value) for each in board.families()}


def test_what_a_process_counted_is_there_after_it_died() -> None:
    board = Board("op25b_things", Things, rows=2)
    board.of(0).add(Things.TAKEN, 2)
    if (pid := os.fork()) == 0:
        meters = board.of(1)
        meters.add(Things.TAKEN)
        meters.add(Things.SPENT, 5)
        meters.set(Things.OPEN, 4)
        meters.alive_at = 1
        os._exit(0)
    os.waitpid(pid, 0)
    assert _shown(board) == {"op25b_things_taken": ("counter", 3), "op25b_things_open": ("gauge", 4)}
    board.forget(1)
    assert _shown(board)["op25b_things_open"] == ("gauge", 0)
    assert (board.total(Things.TAKEN), board.total(Things.SPENT), board.is_ready(1)) == (3, 5, False)


def test_who_does_not_show_itself_is_stuck() -> None:
    board = Board("op25b_things", Things)
    shown = Shown(board.families, lambda now: {"things": {"0": board.state(0, now)}, "other": "ok"})
    assert health([shown], 1000.0) == {"ok": False, "things": {"0": "starting"}, "other": "ok"}
    board.of().alive_at = 1000.5
    assert board.of().alive_at == 1000
    assert health([shown], 1000.0)["ok"] is True
    assert health([shown], 1000.0 + STALE_SECONDS)["things"] == {"0": "stuck"}
    assert not board.is_stuck(1000.0 + STUCK_SECONDS)
    assert board.is_stuck(1001.0 + STUCK_SECONDS)
