"""What the interface counts."""

from __future__ import annotations

from op25b.processes.board import Metric


class Counted(Metric):
    CHANGES = "counter", "Requests and steps that were taken."
    STRANGERS = "counter", "Requests without a token that is known."
