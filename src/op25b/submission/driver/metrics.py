"""What the processes that take mail count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.metrics_core import SummaryMetricFamily

from op25b.processes.board import Board
from op25b.processes.board import Metric as Base
from op25b.processes.health import Shown


class Metric(Base):
    """`submission-0` and its like, and `postfix`."""

    CONNECTIONS = "counter", "Connections taken."
    MESSAGES = "counter", "Messages taken: durable, and acknowledged."
    MESSAGE_OCTETS = "counter", "Octets of the messages taken."
    RECIPIENTS = "counter", "Recipients of the messages taken."
    MESSAGES_HELD = "counter", "Messages taken and held: they look like a stolen password's."
    MESSAGES_REFUSED = "counter", "Messages refused after they had come."
    RECIPIENTS_REFUSED = "counter", "Recipients refused."
    SENDERS_REFUSED = "counter", "Senders refused that are not the account's."
    CAPS_REACHED = "counter", "Times that a cap of an address or an account was reached."
    LOGINS = "counter", "Successful log-ins."
    LOGINS_FAILED = "counter", "Failed log-ins."
    TLS_FAILED = "counter", "TLS handshakes that failed, and connections broken by TLS errors."
    TIMED_OUT = "counter", "Connections ended because they were idle or too slow."
    SPOOL_FAILED = "counter", "Messages that the spool could not keep; their clients were told to come back."
    WORKER_STARTS = "counter", "Starts of workers, those after a death included."
    OPEN_CONNECTIONS = "gauge", "Connections open now."
    COMMITTING_OCTETS = "gauge", "Octets of messages on their way to the disk now."
    COMMIT_MICROSECONDS = "sum", "From a message's end to its being on the disk."


def board(workers: int) -> Board:
    """Of so many processes."""
    return Board("op25b_submission", Metric, workers)


def shown(board: Board) -> Shown:
    """The board, for /metrics and /healthz."""

    def families() -> Iterator[Family]:
        yield from board.families()
        yield SummaryMetricFamily(
            f"{board.prefix}_commit_seconds",
            Metric.COMMIT_MICROSECONDS.text,
            count_value=board.total(Metric.MESSAGES),
            sum_value=board.total(Metric.COMMIT_MICROSECONDS) / 1e6,
        )

    def states(now: float) -> Mapping[str, Mapping[str, str]]:
        return {"workers": {str(row): board.state(row, now) for row in range(board.rows)}}

    return Shown(families, states)
