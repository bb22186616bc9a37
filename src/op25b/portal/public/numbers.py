"""What the customers' pages count."""

from __future__ import annotations

from op25b.processes.board import Metric


class Counted(Metric):
    CHECKS = "counter", "Live checks that visitors started."
