"""What the enforcer counts."""

from __future__ import annotations

from op25b.processes.board import Metric


class Enforced(Metric):
    """Of the process that holds the privilege."""

    REQUESTS = "counter", "Requests that were done."
    REFUSED = "counter", "Requests and connections that were refused, or too slow."
    CHANGED = "counter", "Members of live sets that were added or removed as asked."
    REPAIRED = "counter", "Members of live sets that were missing or too many when all were compared."
    CONNECTIONS = "gauge", "Clients that are connected."
