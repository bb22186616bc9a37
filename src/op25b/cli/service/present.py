"""The configuration and its policy as they are in force, and as they are in the files now."""

from __future__ import annotations

from pathlib import Path

from op25b.cli import policyfile
from op25b.cli.service.config import Config, load
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.submission.driver import checks

TAKEN_OVER = {
    "policy": (),
    "submission": ("listen", "workers", "spool", "local_recipients"),
    "leases": ("subscriber", "listen", "http"),
}
"""What a reload takes over, but for these keys of it; all else is read at a start, and no more."""


def read(path: Path) -> tuple[Config, Policy]:
    """The configuration and its policy, checked against each other. Raises UserError with every fault."""
    config = load(path)
    policy = policyfile.policy(config.policy)
    if config.mail is not None:
        checks.fit(path, config.mail, policy)
    return config, policy


class Present:
    """What is in force; processes that are started later, in place of those that died, start with that."""

    def __init__(self, path: Path) -> None:
        """Raises UserError with every fault."""
        self.path = path
        self.config, self.policy = read(path)

    def reread(self) -> tuple[Config, Policy]:
        """As they are in the files now. Raises UserError for what is wrong, or cannot change while all runs."""
        config, policy = read(self.path)
        for name in Config.model_fields:
            before, now = getattr(self.config, name), getattr(config, name)
            if name not in TAKEN_OVER or None in (before, now):
                self._must_be_same(name, before, now)
            for key in TAKEN_OVER.get(name, ()):
                self._must_be_same(f"{name}.{key}", getattr(before, key, None), getattr(now, key, None))
        return config, policy

    def _must_be_same(self, name: str, before: object, now: object) -> None:
        if before != now:
            raise UserError(f"{self.path}: {name} changes at a restart only; put it back, or restart the service")
