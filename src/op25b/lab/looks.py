"""What the operator's commands say on the edge of a running lab: `explain` with the store, `status`, `watch list`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from op25b.errors import UserError
from op25b.lab.hosts import Lab
from op25b.lab.router import POLICY, STATE
from op25b.lab.service import STORE
from op25b.lab.trial import Step

_WATCH_SECONDS = 45.0
NOBODY = "nobody"


@dataclass(frozen=True)
class Said:
    """A verdict, as far as trials compare it."""

    decision: str
    reason: str
    rule: str
    remedies: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.decision} {self.reason}"


def explained(lab: Lab, step: Step) -> Said:
    """What is said of a step at this moment, exemptions that the store has included."""
    flow = ["--from", str(step.src), "--to", str(step.dst), "--port", str(step.how.port)]
    found = _asked(lab, "explain", POLICY, *flow, "--store", STORE)
    return Said(found["verdict"], found["reason"], found["rule"], tuple(found["remedies"]))


def counters(lab: Lab) -> Mapping[str, int]:
    """Packets by rule."""
    found = _asked(lab, "status", "--state", STATE)["counters"]
    return {rule: counter["packets"] for rule, counter in found.items()}


@dataclass(frozen=True)
class Case:
    """One of the watch's."""

    number: int
    kind: str
    attempts: int
    targets: int
    rule: str

    def __str__(self) -> str:
        return f"case {self.number}: {self.kind} ({self.rule}), {self.attempts} attempts at {self.targets} targets"


def watched(lab: Lab, wanted: Mapping[str, str]) -> Mapping[str, Case]:
    """Open cases by subscriber, once each of these subscribers has a case of this kind, or did not get one in time."""
    deadline = time.monotonic() + _WATCH_SECONDS
    while True:
        found = {
            each["subscriber"] or each["prefix"]: _case(each) for each in _asked(lab, "watch", "list", "--store", STORE)
        }
        if all(who in found and found[who].kind == kind for who, kind in wanted.items()) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _case(shown: Mapping[str, Any]) -> Case:
    rule = shown["evidence"]["rule"] or "no rule"
    return Case(shown["id"], shown["kind"], shown["attempts"], shown["targets"], rule)


def _asked(lab: Lab, *command: str) -> Any:
    done = lab.run("edge", [sys.executable, "-m", "op25b", *command, "--json"])
    if done.returncode:
        raise UserError(f"op25b {' '.join(command)}: {done.stdout.strip()}")
    return json.loads(done.stdout)
