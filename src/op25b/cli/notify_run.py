"""What `op25b notify` is about: for its parts."""

from __future__ import annotations

from dataclasses import dataclass

from op25b.policy.model import Phase, Policy
from op25b.rollout.recipients import Person
from op25b.rollout.stages import Notice
from op25b.rollout.texts import Texts
from op25b.store.audit import By


@dataclass(frozen=True)
class Run:
    """A notice, in words, and whom it is for. `by`: who sends it, for the audit trail."""

    policy: Policy
    phase: Phase
    notice: Notice
    people: list[Person]
    texts: Texts
    by: By
