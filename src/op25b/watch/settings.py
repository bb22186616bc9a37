"""The table of the service's configuration for the watch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from op25b.policy.table import Table
from op25b.processes.settings import File


class Watching(Table):
    """On a router: makes cases of refused and monitored attempts. By which thresholds is the policy's to say."""

    enforcer: File = Path("/run/op25b/enforcer")
    """The enforcer's socket: it reads the counters, and opens the log."""
    look_seconds: Annotated[float, Field(ge=0.1, le=600)] = 10.0
    """How often cases are made of what was read."""
