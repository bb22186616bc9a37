"""Flows as the columns that `BatchJudge` takes, and its answers in the order of the flows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from op25b.policy.batch import BatchJudge, microseconds
from op25b.policy.verdict import Flow, Outcome

NO_PORT = 0
"""Stands for a source port that is not known."""


def batch_outcomes(judge: BatchJudge, asked: Sequence[tuple[Flow, datetime]]) -> list[Outcome]:
    """The outcomes by batch, each family in one call."""
    found: dict[int, Outcome] = {}
    for version in (4, 6):
        where = [number for number, (flow, _) in enumerate(asked) if flow.src.version == version]
        rows = [asked[number] for number in where]
        src, dst = ([int(getattr(flow, end)) for flow, _ in rows] for end in ("src", "dst"))
        dport = np.array([flow.dport for flow, _ in rows], np.uint16)
        sport = np.array([flow.sport or NO_PORT for flow, _ in rows], np.uint16)
        proto = np.array([flow.proto for flow, _ in rows], np.uint8)
        at = np.array([microseconds(at) for _, at in rows], np.int64)
        if version == 4:
            numbers = judge.v4(np.array(src, np.uint32), np.array(dst, np.uint32), dport, at, sport, proto)
        else:
            numbers = judge.v6(halves(src), halves(dst), dport, at, sport, proto)
        found |= {row: judge.outcomes[number] for row, number in zip(where, numbers, strict=True)}
    return [found[number] for number in range(len(asked))]


def halves(values: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """IPv6 addresses as two columns, upper and lower 64 bits."""
    low = 2**64 - 1
    return np.array([value >> 64 for value in values], np.uint64), np.array([v & low for v in values], np.uint64)
