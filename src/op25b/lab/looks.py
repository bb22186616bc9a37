"""What the operator's commands say on the edge of a running lab: `explain` with the store, `status`, `watch list`."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from op25b.errors import UserError
from op25b.lab.hosts import Lab
from op25b.lab.router import POLICY, STATE
from op25b.lab.service import STORE
from op25b.lab.trial import Step

_WATCH_SECONDS = 45.0
_PAUSE_SECONDS = 1.0
NOBODY = "nobody"


@dataclass(frozen=True)
class Said:
    """A verdict, as far as trials compare it."""

    decision: str
    reason: str
    rule: str
    remedies: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.decision} {self.reason}"


def explained(lab: Lab, steps: Sequence[Step]) -> list[Said]:
    """What is said of each step at this moment, leases and exemptions that the store has included."""
    now = datetime.now(UTC).isoformat()
    flows = "".join(f"{step.src},{step.dst},{step.how.port},{now}\n" for step in steps)
    told = _asked(lab, "explain", POLICY, "--batch", "/dev/stdin", "--store", STORE, input="src,dst,dport,at\n" + flows)
    return [Said(each["verdict"], each["reason"], each["rule"]) for each in csv.DictReader(told.splitlines())]


def counters(lab: Lab) -> Mapping[str, int]:
    """Packets by rule."""
    found = json.loads(_asked(lab, "status", "--state", STATE, "--json"))["counters"]
    return {rule: counter["packets"] for rule, counter in found.items()}


@dataclass(frozen=True)
class Case:
    """One of the watch's."""

    number: int
    kind: str
    attempts: int
    targets: int
    exact: bool
    rule: str

    def __str__(self) -> str:
        about = "" if self.exact else "about "
        return (
            f"case {self.number}: {self.kind} ({self.rule}), {self.attempts} attempts at {about}{self.targets} targets"
        )


def watched(lab: Lab, wanted: Mapping[str, str]) -> Mapping[str, Case]:
    """Open cases by subscriber, once each of these subscribers has a case of this kind, or did not get one in time."""
    deadline = time.monotonic() + _WATCH_SECONDS
    while True:
        listed = json.loads(_asked(lab, "watch", "list", "--store", STORE, "--json"))
        found = {each["subscriber"] or each["prefix"]: _case(each) for each in listed}
        if all(who in found and found[who].kind == kind for who, kind in wanted.items()) or time.monotonic() > deadline:
            return found
        time.sleep(_PAUSE_SECONDS)


def _case(shown: Mapping[str, Any]) -> Case:
    rule, exact = shown["evidence"]["rule"] or "no rule", shown["evidence"]["figures"]["targets_exact"]
    return Case(shown["id"], shown["kind"], shown["attempts"], shown["targets"], exact, rule)


def _asked(lab: Lab, *command: str, input: str = "") -> str:
    done = lab.run("edge", [sys.executable, "-m", "op25b", *command], input=input)
    if done.returncode:
        raise UserError(f"op25b {' '.join(command)}: {done.stdout.strip()}")
    return done.stdout
