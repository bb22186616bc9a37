"""A ruleset to measure with."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from op25b.policy.intervals import AddressSet
from op25b.policy.model import Filter
from op25b.ruleset.rules import Action, Rule, Ruleset


def ruleset(first: NDArray[np.uint32], last: NDArray[np.uint32]) -> Ruleset:
    """One phase that refuses all of these disjoint, sorted intervals."""
    sources = AddressSet(tuple(zip(first.tolist(), last.tolist(), strict=True)))
    rule = Rule("phase/everyone", Action.REFUSE, sources, None, ())
    return Ruleset("bench", datetime(2010, 1, 1, tzinfo=UTC), (), (rule,), Filter())
