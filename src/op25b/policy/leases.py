"""How long it counts, and is kept, who held which address."""

from __future__ import annotations

from pydantic import Field

from op25b.policy.table import Table


class Leases(Table):
    """Address leases: which subscriber held which address, from accounting or DHCP."""

    expire_hours: int = Field(default=24, ge=0, le=8760)
    """A session that is not reported any more ends by itself after so many hours: its end may be lost. At least three
    times the interval of interim accounting. 0: never; then a lost end lasts until another claims the address, or the
    access server restarts. A DHCP lease's own end comes first."""
    keep_days: int = Field(default=90, ge=1, le=3650)
    """How long it is kept who held which address, from the end of the lease."""
