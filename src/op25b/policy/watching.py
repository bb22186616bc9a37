"""How the watch tells a mail program, a home mail server and a bot apart, and what it does about them.

The defaults are cautious: a kind is named only where the pattern is plain, and nothing is done but to keep a case.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from op25b.policy.table import Table

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class SenderKind(StrEnum):
    """What a case is taken for."""

    MAIL_PROGRAM = "mail-program"
    HOME_SERVER = "home-server"
    BOT = "bot"
    UNKNOWN = "unknown"


Kinds = Annotated[tuple[Annotated[SenderKind, Field(strict=False)], ...], Field(strict=False)]


class Bot(Table):
    """Many targets in a short time, none of them for long."""

    targets_an_hour: Count = 20
    """Distinct targets within an hour. A household's own mail reaches a few; a relay with a queue goes back to them."""
    certain_targets_an_hour: Count = 100
    """From here on it is a bot, without waiting whether it goes back to a target."""
    returned: Share = 0.25
    """Otherwise at most this share of the targets is tried again: bots seldom keep a queue, which RFC 5321 (4.5.4.1)
    asks of servers."""


class HomeServer(Table):
    """Several targets, and the same ones again after minutes, as a mail queue does."""

    targets: Count = 3
    returned: Share = 0.5
    """At least this share of the targets is tried again (RFC 5321, 4.5.4.1)."""
    growing: Share = 0.6
    """With fewer targets: at least this share of the first waits is longer than the one before. Postfix doubles them
    from 300 to 4,000 seconds, Exim and Sendmail stretch theirs too; mail programs do not."""


class MailProgram(Table):
    """One server or two, while somebody is at the computer, or as regularly as a program polls."""

    targets: Count = 2
    """At most so many: the addresses of one server name."""
    own_share: Share = 0.9
    """At least this share of the attempts goes to the provider's own servers; then nothing else is asked."""
    night: Share = 0.2
    """At most this share of the attempts falls into the night; spread evenly, five hours of it have 0.21."""
    regular: Share = 0.6
    """Or at least this share of the waits is about as long as the one before (a fifth more or less)."""


class Watch(Table):
    """Who keeps trying on port 25: when a case is opened and closed, what it is taken for, what is done."""

    open_attempts: Count = 10
    """Attempts from which on there is a case; a slip of a setting that is mended at once makes none."""
    enough: Count = 5
    """Attempts that must have been seen one by one, with their targets, before a kind is named."""
    quiet_hours: Count = 72
    """A case is closed after so many hours without an attempt: a weekend and a day. Counting begins anew after that."""
    return_seconds: Count = 60
    """An attempt at the same target is a new try after so long. TCP repeats itself at shorter intervals."""
    patience_seconds: Count = 1800
    """Whether a target is tried again is judged so long after the first try: RFC 5321 (4.5.4.1) has servers wait 30
    minutes, most wait less."""
    waits: Count = 3
    """Waits between tries that must have been compared before their lengths say something."""
    night_from: Annotated[int, Field(ge=0, le=23)] = 1
    """The hour at which the night begins, in the provider's time zone."""
    night_until: Annotated[int, Field(ge=0, le=23)] = 6
    """The hour at which it ends."""
    keep_days: Annotated[int, Field(ge=0, le=3650)] = 180
    """How long a closed case is kept."""
    notice: Kinds = ()
    """Kinds whose subscribers are to be given notice without being asked for: none unless listed."""
    quarantine: Kinds = ()
    """Kinds that are put on the quarantine list when they go on after the notice; each must be in `notice` too."""
    quarantine_after_hours: Count = 72
    """From the notice until the quarantine list, if attempts go on all that time."""
    bot: Bot = Bot()
    home_server: HomeServer = HomeServer()
    mail_program: MailProgram = MailProgram()
