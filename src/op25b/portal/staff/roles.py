"""Who may do what: the one table. The console's pages and the operators' interface both ask it, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What somebody, or a token, is there for. The last three are for tokens: they concern exemptions alone."""

    NETWORK = "network"
    MAIL = "mail"
    SUPPORT = "support"
    ABUSE = "abuse"
    MANAGER = "manager"
    READ = "read"
    DESK = "desk"
    APPROVER = "approver"


STAFF = (Role.NETWORK, Role.MAIL, Role.SUPPORT, Role.ABUSE, Role.MANAGER)
"""Roles that a person can have."""


class Action(StrEnum):
    """What can be done on a page and by a path of the interface."""

    SEE_OVERVIEW = "see the overview"
    SEE_CUSTOMER = "look a customer up"
    SEE_EXEMPTIONS = "see exemptions"
    ASK_EXEMPTION = "note a request, review it, withdraw it"
    DECIDE_EXEMPTION = "approve, refuse, revoke and renew exemptions"
    SEE_CASES = "see cases and the quarantine"
    DECIDE_CASE = "give notice, quarantine, release and close"
    SEE_PHASES = "see phases and notices"
    SEE_BULLETINS = "see bulletins"
    WRITE_BULLETIN = "write and end bulletins"
    SEE_QUEUE = "see the queue"
    CHANGE_QUEUE = "retry, hold and release messages"
    SEE_FILTER = "see what is in force on the hosts that filter"
    SEE_AUDIT = "see the audit trail"


_EXEMPTIONS = (Role.READ, Role.DESK, Role.APPROVER)
_ALLOWED: dict[Action, Collection[Role]] = {
    Action.SEE_OVERVIEW: STAFF,
    Action.SEE_CUSTOMER: STAFF,
    Action.SEE_EXEMPTIONS: (*STAFF, *_EXEMPTIONS),
    Action.ASK_EXEMPTION: (Role.SUPPORT, Role.ABUSE, Role.NETWORK, Role.MANAGER, Role.DESK, Role.APPROVER),
    Action.DECIDE_EXEMPTION: (Role.NETWORK, Role.MANAGER, Role.APPROVER),
    Action.SEE_CASES: (Role.SUPPORT, Role.ABUSE, Role.NETWORK, Role.MANAGER),
    Action.DECIDE_CASE: (Role.ABUSE, Role.MANAGER),
    Action.SEE_PHASES: STAFF,
    Action.SEE_BULLETINS: STAFF,
    Action.WRITE_BULLETIN: (Role.NETWORK, Role.MAIL, Role.SUPPORT, Role.MANAGER),
    Action.SEE_QUEUE: (Role.MAIL, Role.SUPPORT, Role.ABUSE, Role.MANAGER),
    Action.CHANGE_QUEUE: (Role.MAIL,),
    Action.SEE_FILTER: (Role.NETWORK, Role.MANAGER),
    Action.SEE_AUDIT: (Role.NETWORK, Role.MAIL, Role.ABUSE, Role.MANAGER),
}
ALLOWED: Mapping[Action, frozenset[Role]] = MappingProxyType(
    {action: frozenset(roles) for action, roles in _ALLOWED.items()}
)


@dataclass(frozen=True)
class Person:
    """Who asks, on a page or with a token. `name`: in the audit trail, and among the policy's `approvers`."""

    name: str
    roles: frozenset[Role]

    def may(self, action: Action) -> bool:
        """Whether one of the roles allows it."""
        return not ALLOWED[action].isdisjoint(self.roles)
