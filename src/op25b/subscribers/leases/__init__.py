"""Who holds which address, now and at any time kept: facts from access servers and DHCP servers, in any order."""

from __future__ import annotations

from op25b.subscribers.leases.facts import Claim, Fact, Release, Restart
from op25b.subscribers.leases.history import Answer, Period, periods, who, who_each
from op25b.subscribers.leases.merging import Leases, Merged
from op25b.subscribers.leases.present import Held, all_holders, held_by, holders, under_way
from op25b.subscribers.leases.retention import forget_old

__all__ = [
    "Answer",
    "Claim",
    "Fact",
    "Held",
    "Leases",
    "Merged",
    "Period",
    "Release",
    "Restart",
    "all_holders",
    "forget_old",
    "held_by",
    "holders",
    "periods",
    "under_way",
    "who",
    "who_each",
]
