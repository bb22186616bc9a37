"""What the console's pages work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from op25b.portal.console.config import Console
from op25b.portal.console.gate import Gate
from op25b.portal.console.numbers import Counted
from op25b.portal.desk.context import Context as Desks
from op25b.portal.staff.codes import Random
from op25b.portal.staff.login import Logins
from op25b.portal.staff.openid import Provider
from op25b.portal.staff.sessions import Sessions
from op25b.portal.web.csrf import Forms
from op25b.portal.web.visitor import Proxies


@dataclass(frozen=True)
class Context:
    """All of a process. `desks`: the work itself; `form_key`: what the tokens of forms are made with."""

    desks: Desks
    settings: Console
    logins: Logins
    openid: Provider | None
    form_key: bytes
    random: Random
    count: Callable[[Counted], object]

    @cached_property
    def forms(self) -> Forms:
        return Forms(self.settings.url, self.form_key, self.random)

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.desks.store, self.random)

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.sessions, self.settings.url, self.desks.clock)

    @cached_property
    def proxies(self) -> Proxies:
        return Proxies(self.settings.trusted_proxies, self.settings.proxy_header)
