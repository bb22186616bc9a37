"""What pages call a pool, and how they list several."""

from __future__ import annotations

from collections.abc import Iterable

from op25b.answers.speech import Speaker
from op25b.policy.model import Policy, Pool


def named(word: str, policy: Policy, say: Speaker) -> str:
    """What the policy calls a line, a region, a contract or a pool in this language."""
    return say.pick(policy.information.named(word))


def names(words: Iterable[str], policy: Policy, say: Speaker) -> str:
    """Several of them, each once."""
    return say.listed(dict.fromkeys(named(word, policy, say) for word in words))


def distinct(pools: Iterable[Pool], policy: Policy, say: Speaker) -> dict[str, Pool]:
    """What several pools are called, and the first that is called so; fast for thousands that mean the same."""
    alike: dict[object, Pool] = {}
    for pool in pools:
        alike.setdefault((pool.name if _by_name(policy) else None, *_meaning(pool)), pool)
    found: dict[str, Pool] = {}
    for pool in alike.values():
        found.setdefault(called(pool, policy, say), pool)
    return found


def _meaning(pool: Pool) -> tuple[str | None, ...]:
    return pool.line, pool.region, pool.assignment, pool.contract, None if pool.line else pool.name


def _by_name(policy: Policy) -> bool:
    return any(phase.scope.pools or phase.scope.not_pools for phase in policy.phases)


def called(pool: Pool, policy: Policy, say: Speaker) -> str:
    """A pool as its customers know it: by line, and by region, contract or kind of address where these tell more.

    Where a phase chooses pools by name, by name.
    """
    if _by_name(policy):
        return named(pool.name, policy, say)
    line = named(pool.line or pool.name, policy, say)
    like = [other for other in policy.pools if other.line == pool.line and other.line is not None]
    details = [
        named(str(getattr(pool, key)), policy, say)
        for key in ("region", "contract")
        if getattr(pool, key) is not None and len({getattr(other, key) for other in like}) > 1
    ]
    if pool.assignment and len({other.assignment for other in like}) > 1:
        static = pool.assignment == "static"
        details.append(say("fixed IP address") if static else say("dynamic IP address"))
    if not details:
        return line
    return say("{line} ({details})", line=line, details=say.listed(details))
