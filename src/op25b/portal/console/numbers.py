"""What the console counts."""

from __future__ import annotations

from op25b.processes.board import Metric


class Counted(Metric):
    CHANGES = "counter", "Changes that staff made on pages."
    LOG_INS = "counter", "Log-ins of staff."
    REFUSED = "counter", "Log-ins that were refused."
