"""What is away is said at once, each minute, and when it is over."""

from __future__ import annotations

from structlog import get_logger
from structlog.testing import capture_logs

from op25b.enforcement.follower.outages import Outage


def test_what_is_said_and_when() -> None:
    at, shown = [0.0], list[int]()
    with capture_logs() as said:
        outage = Outage("store", get_logger(), shown.append, lambda: at[0])
        outage.over()
        for second in range(0, 130):
            at[0] = float(second)
            outage.failed(ConnectionError("refused"))
        outage.over()
        outage.over()
    assert [(line["log_level"], line["seconds"]) for line in said] == [
        ("error", 0), ("error", 60), ("error", 120), ("warning", 129),
    ]  # fmt: skip
    assert said[0]["reason"] == "refused"
    assert shown == [1, 0]
