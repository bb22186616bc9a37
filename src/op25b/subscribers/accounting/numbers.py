"""What the lease server counts."""

from __future__ import annotations

from op25b.processes.board import Metric


class Counted(Metric):
    """Those from `MALFORMED` on have the names of `Fault`."""

    REPORTS = "counter", "Accounting reports taken: in the store, and acknowledged."
    REPEATED = "counter", "Reports that came again and were answered from memory, or whose answer was still on its way."
    IGNORED = "counter", "Reports acknowledged that are not about an address (tunnels, say)."
    CHANGED = "counter", "Prefixes whose holder changed."
    OVERFLOWED = "counter", "Reports not answered because too many were waiting for the store."
    STORE_FAILED = "counter", "Reports not answered because the store could not take them."
    FILTER_FAILED = "counter", "Groups of reports acknowledged although the filter could not be told of them at once."
    GROUPS = "counter", "Transactions that reports were put into."
    COMMIT_MICROSECONDS = "counter", "Time that these took, the filter's part included."
    WAITING = "gauge", "Reports that wait for the store now."
    FILE_LINE = "counter", "Lines of lease files left out: no lease, or of a name or an address that cannot be."
    FILE_AWAY = "counter", "Times that a lease file, or what the store has of it, could not be read."
    MALFORMED = "counter", "Reports discarded: not a packet, or not JSON, as it should be."
    WRONG_CODE = "counter", "Packets discarded that are no Accounting-Request."
    UNKNOWN_CLIENT = "counter", "Packets discarded from addresses that are no client's."
    WRONG_SECRET = "counter", "Reports discarded: signed with another secret, or posted with a wrong password."
    UNSIGNED = "counter", "Packets discarded without the Message-Authenticator that their client must send."
    MISSING = "counter", "Reports discarded: an attribute is missing."
    NAME = "counter", "Reports discarded: a name is too long, or cannot be shown."
    ADDRESS = "counter", "Reports discarded: an address that nobody can hold."
