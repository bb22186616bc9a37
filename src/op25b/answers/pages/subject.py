"""What every page is written from: the policy, the instant, the language, and what the desk has announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from op25b.answers.remedies import submission_servers
from op25b.answers.speech import Speaker
from op25b.policy import scope
from op25b.policy.model import OwnServer, Policy, Pool
from op25b.policy.reasons import Reason
from op25b.policy.table import Words
from op25b.policy.verdict import SMTP, Judge


@dataclass(frozen=True)
class Bulletin:
    """An outage or maintenance that the desk has written of. `until` None: nobody knows yet."""

    kind: Literal["outage", "maintenance"]
    text: Words
    from_: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Subject:
    """`bulletins` are those to be shown at the instant `at`, which must carry an offset."""

    judge: Judge
    at: datetime
    say: Speaker
    bulletins: tuple[Bulletin, ...] = ()

    @property
    def policy(self) -> Policy:
        return self.judge.policy

    @property
    def provider(self) -> str:
        return self.say.pick(self.policy.provider.display)

    @property
    def server(self) -> OwnServer | None:
        """The provider's server that takes message submission, the first of them."""
        return next(iter(submission_servers(self.policy)), None)

    @property
    def host(self) -> str:
        """Its name; where there is none, the provider's."""
        return self.say.host(self.server.hosts[0]) if self.server else self.provider

    @property
    def open_hosts(self) -> list[str]:
        """The provider's servers that stay open on port 25."""
        return [self.say.host(server.hosts[0]) for server in self.policy.own_servers if SMTP in server.ports]

    @property
    def covered(self) -> list[Pool]:
        """Pools in the scope of some phase, at whatever instant."""
        return [pool for pool, phases in zip(self.policy.pools, self.judge.phases_of, strict=True) if phases]

    @property
    def left_out(self) -> list[Pool]:
        """Pools in the scope of none."""
        return [pool for pool, phases in zip(self.policy.pools, self.judge.phases_of, strict=True) if not phases]

    @property
    def coming(self) -> bool:
        """Whether some phase is announced, or begins later: then settings can be changed early (claim N4)."""
        states = (scope.state(phase, self.at) for phase in self.policy.phases)
        return any(state in (Reason.ANNOUNCED, Reason.NOT_YET) for state in states)
