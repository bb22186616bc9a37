"""Pure: the main points of a run in plain words, read off its trials. Every figure is of the wire or the watch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from op25b.lab.stage import needs_home_server
from op25b.lab.trial import Sent, Trial
from op25b.policy.reasons import Decision
from op25b.policy.verdict import SMTP


def stories(trials: Iterable[Trial]) -> list[str]:
    """For each provider: who was stopped on 25 and how soon after that the same customer sent on 587; exempt ones,
    those that move among them, and servers at home that go on; bots. Only what came out as expected is told."""
    good = [trial for trial in trials if isinstance(trial, Sent) and trial.ok]
    return [
        line for name, theirs in groupby(good, key=lambda trial: trial.provider) for line in _lines(name, [*theirs])
    ]


def _lines(provider: str, trials: list[Sent]) -> Iterator[str]:
    stopped = [each for each in trials if each.how.decision is Decision.BLOCK and not needs_home_server(each.how)]
    served = [each for each in trials if each.how.submits and each.happened.delivered]
    pairs = [
        (after.happened.began - before.happened.ended, before, after)
        for before in stopped
        for after in served
        if before.who == after.who and after.happened.began >= before.happened.ended
    ]
    if pairs:
        seconds, before, after = min(pairs, key=lambda pair: pair[0])
        yield (
            f"{provider}: a customer ({before.who}) is stopped on port 25 in {before.milliseconds or 0:.2f} ms "
            f"({before.happened.program}), and {seconds:.1f} s later sends through {_server(after)}: delivered "
            f"({after.happened.program})"
        )
    delivered = [each for each in trials if each.happened.delivered]
    exempt = next((each for each in delivered if each.how.who == "exempt" and each.how.port == SMTP), None)
    at_home = next((each for each in delivered if each.how.by == "home-server" and each.how.to == "own"), None)
    if exempt:
        yield f"{provider}: {exempt.who} sends on port 25: delivered ({exempt.happened.program})"
    if at_home:
        yield (
            f"{provider}: a mail server at home ({at_home.who}) sends through its smart host, {_server(at_home)}: "
            "delivered"
        )

    yield from _moves(provider, trials)
    yield from _bots(provider, trials)
    others = {each.customer: each.happened.case for each in trials if each.happened.case and each.how.by != "bot"}
    yield from (f"{provider}: the watch on {name}: {case}" for name, case in others.items())


def _moves(provider: str, trials: list[Sent]) -> Iterator[str]:
    """Each customer whom an exemption has followed; of IPv4 and IPv6 the slower one is told."""
    for name in dict.fromkeys(each.customer for each in trials if each.how.first == "move"):
        theirs = [each for each in trials if each.customer == name]
        last = {first: [each for each in theirs if each.how.first == first] for first in ("grant", "move", "revoke")}
        if not all(last.values()):
            continue
        old, new = (last[first][0].happened.outcome.source for first in ("grant", "move"))
        took = {first: max(each.happened.followed or 0.0 for each in some) for first, some in last.items()}
        yield (
            f"{provider}: {name} is granted an exemption and passes on port 25 {took['grant']:.0f} ms later; its "
            f"address changes from {old} to {new}, and the exemption follows in {took['move']:.0f} ms; "
            f"{took['revoke']:.0f} ms after it is revoked port 25 is closed again"
        )
        heir = next((each for each in trials if each.how.heir_of == name and each.happened.outcome.source == old), None)
        if heir:
            yield f"{provider}: {old} is {heir.customer}'s then, and refused on port 25"


def _bots(provider: str, trials: list[Sent]) -> Iterator[str]:
    bots = [each for each in trials if each.how.by == "bot"]
    counted = [each for each in bots if each.how.decision is Decision.MONITORED]
    stopped = [each for each in bots if each.how.decision is Decision.BLOCK]
    if counted:
        reached = sum(each.happened.spread.passed for each in counted)
        yield f"{provider}: while the phase only counts, a bot reaches {reached} targets{_case(counted)}"
    if stopped:
        tried = sum(each.happened.spread.tried for each in stopped)
        yield f"{provider}: a bot that fires at {tried} targets is stopped, none is reached{_case(stopped)}"


def _case(trials: list[Sent]) -> str:
    return next((f"; {each.happened.case}" for each in trials if each.happened.case), "")


def _server(trial: Sent) -> str:
    return trial.tried.partition(" to ")[2]
