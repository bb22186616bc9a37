"""Instants and periods, as tables of the policy file hold them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from op25b.policy.fields import aware
from op25b.policy.table import Table

Instant = Annotated[datetime, BeforeValidator(aware)]


class Period(Table):
    """From an instant until another, the first included, the last not."""

    from_: Instant = Field(alias="from")
    until: Instant
