"""What the follower counts."""

from __future__ import annotations

from op25b.processes.board import Metric


class Followed(Metric):
    """Of one router."""

    CHANGES = "counter", "Changes of leases and exemptions that were looked at."
    READINGS = "counter", "Times that everything was read, at a start and after an absence."
    AMISS = "counter", "Members of the live sets found not to be as they should, when everything was compared."
    MEMBERS = "gauge", "Prefixes that the live sets hold."
    REFUSED = (
        "gauge",
        "Prefixes that the live sets should hold, but have no room for, or that are too wide.",
    )
    IN_STEP = "gauge", "1 while the live sets follow the store."
    STORE_AWAY = "gauge", "1 while the store is away: the last confirmed ruleset stays in force."
    ENFORCER_AWAY = "gauge", "1 while the enforcer is away: the last confirmed ruleset stays in force."
