"""How a customer comes by what SMTP AUTH asks for, and back to it when it is lost."""

from __future__ import annotations

from typing import Literal

from op25b.policy.period import Period
from op25b.policy.table import Table, Words


class Reissue(Table):
    """A lost password is sent by post (claim I16)."""

    fee: Words
    free: Period | None = None
    """Who asks in this period pays nothing."""


class Credentials(Table):
    """User name and password for SMTP AUTH."""

    user_name: Literal["pop-account", "mail-address", "issued"] = "pop-account"
    """What the user name is: that of the POP account, the mail address, or one issued for SMTP AUTH (claim L7)."""
    self_service: bool = False
    """A page gives them at once and free of charge on proof of the POP password (claims I14, I15)."""
    on_notice: bool = False
    """Those on the notice of acceptance work (claim I14)."""
    reissue: Reissue | None = None
    initial_password: bool = False
    """Who has the notice of acceptance can have the initial password set back, free of charge (claim I17)."""
