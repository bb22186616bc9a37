"""Pure: the main points of a run in plain words, read off its trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from op25b.lab.stage import needs_home_server
from op25b.lab.trial import Trial
from op25b.policy.reasons import Decision
from op25b.policy.verdict import SMTP


def stories(trials: Iterable[Trial]) -> list[str]:
    """For each provider: who was stopped on 25 and how soon after that the same customer sent on 587; then
    exempt ones and servers at home that go on. Only what came out as expected is told."""
    good = [trial for trial in trials if trial.ok]
    return [
        line for name, theirs in groupby(good, key=lambda trial: trial.provider) for line in _lines(name, [*theirs])
    ]


def _lines(provider: str, trials: list[Trial]) -> Iterator[str]:
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


def _server(trial: Trial) -> str:
    return trial.tried.partition(" to ")[2]
