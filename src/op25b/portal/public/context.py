"""What the customers' pages work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from op25b.policy.model import Policy
from op25b.portal.public.config import Portal
from op25b.portal.public.numbers import Counted
from op25b.portal.public.reach import Reach
from op25b.portal.public.selfservice.kept import Kept
from op25b.portal.web.csrf import Forms
from op25b.portal.web.visitor import Proxies
from op25b.store import Store


@dataclass(frozen=True)
class Context:
    """All of a process; at a reload another one takes its place that has another policy."""

    policy: Policy
    settings: Portal
    store: Store
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    key: bytes
    """What the tokens of forms are made with: the same in a process that takes the place of one that died."""
    log: Any
    count: Callable[[Counted], object]
    reach: Reach
    selfservice: Kept

    @property
    def forms(self) -> Forms:
        return Forms(self.settings.url, self.key, self.random)

    @property
    def proxies(self) -> Proxies:
        return Proxies(self.settings.trusted_proxies, self.settings.proxy_header)
