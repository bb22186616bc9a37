"""Figures in, a kind and its evidence out: the same figures give the same answer, and every threshold is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from op25b.policy.watching import SenderKind, Watch
from op25b.watch.pattern import Figures

Relation = Literal[">=", "<="]


@dataclass(frozen=True)
class Criterion:
    """One test: `value` `relation` `threshold`. Without a value (None) nothing is known yet, and it is not met."""

    rule: str
    criterion: str
    value: float | None
    relation: Relation
    threshold: float
    met: bool


@dataclass(frozen=True)
class Finding:
    """`rule` is the one whose criteria are all met, the first of RULES; "" for unknown. `evidence` has those of all."""

    kind: SenderKind
    rule: str
    evidence: tuple[Criterion, ...]


class _Test(NamedTuple):
    name: str
    value: Callable[[Figures], float | None]
    relation: Relation
    threshold: Callable[[Watch], float]


class _Rule(NamedTuple):
    name: str
    kind: SenderKind
    tests: tuple[_Test, ...]


_ENOUGH = _Test("attempts seen", lambda f: f.seen, ">=", lambda w: w.enough)
_WAITS = _Test("waits compared", lambda f: f.waits, ">=", lambda w: w.waits)
_FEW = _Test("targets", lambda f: f.targets, "<=", lambda w: w.mail_program.targets)


def _targets_an_hour(threshold: Callable[[Watch], float]) -> _Test:
    return _Test("targets in one hour", lambda f: f.busiest_hour, ">=", threshold)


def _returned(relation: Relation, threshold: Callable[[Watch], float]) -> _Test:
    return _Test("share of targets tried again", lambda f: f.returned, relation, threshold)


RULES = (
    _Rule("bot: fast", SenderKind.BOT, (_targets_an_hour(lambda w: w.bot.certain_targets_an_hour),)),
    _Rule(
        "bot: restless",
        SenderKind.BOT,
        (_targets_an_hour(lambda w: w.bot.targets_an_hour), _returned("<=", lambda w: w.bot.returned)),
    ),
    _Rule(
        "mail program: own server",
        SenderKind.MAIL_PROGRAM,
        (_Test("share to own servers", lambda f: f.own, ">=", lambda w: w.mail_program.own_share),),
    ),
    _Rule(
        "home server: queue",
        SenderKind.HOME_SERVER,
        (
            _Test("targets", lambda f: f.targets, ">=", lambda w: w.home_server.targets),
            _returned(">=", lambda w: w.home_server.returned),
        ),
    ),
    _Rule(
        "home server: growing waits",
        SenderKind.HOME_SERVER,
        (
            _Test("first waits compared", lambda f: f.early_waits, ">=", lambda w: w.waits),
            _Test("share of growing waits", lambda f: f.growing, ">=", lambda w: w.home_server.growing),
        ),
    ),
    _Rule(
        "mail program: by day",
        SenderKind.MAIL_PROGRAM,
        (_FEW, _Test("share at night", lambda f: f.night, "<=", lambda w: w.mail_program.night)),
    ),
    _Rule(
        "mail program: polling",
        SenderKind.MAIL_PROGRAM,
        (_FEW, _WAITS, _Test("share of regular waits", lambda f: f.regular, ">=", lambda w: w.mail_program.regular)),
    ),
)
"""In this order; the first whose tests are all met decides. Each also asks for enough attempts seen."""


def classify(figures: Figures, watch: Watch) -> Finding:
    """What the figures look like by the policy's thresholds."""
    evidence = list[Criterion]()
    decided: _Rule | None = None
    for rule in RULES:
        tested = [_tested(rule.name, test, figures, watch) for test in (_ENOUGH, *rule.tests)]
        evidence += tested
        if decided is None and all(each.met for each in tested):
            decided = rule
    if decided is None:
        return Finding(SenderKind.UNKNOWN, "", tuple(evidence))
    return Finding(decided.kind, decided.name, tuple(evidence))


def _tested(rule: str, test: _Test, figures: Figures, watch: Watch) -> Criterion:
    value, threshold = test.value(figures), test.threshold(watch)
    met = value is not None and (value >= threshold if test.relation == ">=" else value <= threshold)
    return Criterion(rule, test.name, value, test.relation, threshold, met)
