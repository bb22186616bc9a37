"""What the check on a customer's machine (`op25b doctor`) may try besides the provider's own servers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from op25b.policy.fields import host_name, port
from op25b.policy.table import Table


class Elsewhere(Table):
    """A mail server of somebody else, who has agreed that customers' machines connect to it. No mail is sent."""

    host: Annotated[str, AfterValidator(host_name)]
    ports: tuple[Annotated[int, AfterValidator(port)], ...] = Field(default=(25, 587, 465), strict=False, min_length=1)
    """Those that it answers on. One that is not of mail, such as 443, is only connected to: it tells a network without
    mail from none."""


class Doctor(Table):
    """Without a server elsewhere the check cannot see whether port 25 is closed to all but the provider's own."""

    others: tuple[Elsewhere, ...] = Field(default=(), strict=False, max_length=5)
