"""How everything stands, in a few numbers: what waits for somebody, and what is not as it should be."""

from __future__ import annotations

from datetime import timedelta

from pydantic import AwareDatetime, BaseModel

from op25b.portal.desk import queue
from op25b.portal.desk.context import Context
from op25b.store import edges
from op25b.store.edges import Edge
from op25b.submission.queue_view import Filter
from op25b.subscribers.exemptions import listing
from op25b.watch import cases

SILENT = timedelta(minutes=5)
"""A host that filters and has said nothing for so long is not well."""
HOURS = 48


class EdgeShown(BaseModel):
    """A host that filters, as store.edges.Report has it. `silent`: it has not been heard of lately."""

    name: str
    at: AwareDatetime
    silent: bool
    generation: int | None
    policy_at: str | None
    applied_at: str | None
    seconds_to_confirm: float | None
    counters: dict[str, int]
    live: int | None
    drift: list[str]
    in_step: bool
    amiss: int

    @property
    def well(self) -> bool:
        return not (self.silent or self.drift or self.amiss) and self.in_step and self.generation is not None


class Hour(BaseModel):
    """Packets that were refused within an hour."""

    hour: AwareDatetime
    packets: int


class Overview(BaseModel):
    """The numbers. `queue` null: it is on another host."""

    at: AwareDatetime
    exemptions: dict[str, int]
    cases: dict[str, int]
    quarantined: int
    queue: dict[str, int] | None
    edges: list[EdgeShown]
    refused: list[Hour]

    @property
    def unwell(self) -> list[EdgeShown]:
        return [edge for edge in self.edges if not edge.well]


def look(context: Context) -> Overview:
    """How it is now. Raises UserError if the spool cannot be read. Blocks."""
    now = context.clock()
    with context.store.read() as connection:
        return Overview(
            at=now,
            exemptions={state.value: count for state, count in listing.by_state(connection, now).items()},
            cases={kind.value: count for kind, count in cases.by_kind(connection).items()},
            quarantined=len(cases.quarantined(connection)),
            queue=_waiting(context),
            edges=[_shown(edge, context) for edge in edges.reports(connection)],
            refused=[
                Hour(hour=hour, packets=packets)
                for hour, packets in edges.by_hour(connection, now - timedelta(hours=HOURS))
            ],
        )


def _waiting(context: Context) -> dict[str, int] | None:
    if context.spool is None:
        return None
    return dict(queue.look(context, Filter()).counts.items())


def filters(context: Context) -> list[EdgeShown]:
    """Every host that filters."""
    with context.store.read() as connection:
        return [_shown(edge, context) for edge in edges.reports(connection)]


def _shown(edge: Edge, context: Context) -> EdgeShown:
    silent = context.clock() - edge.at > SILENT
    return EdgeShown(name=edge.name, at=edge.at, silent=silent, **vars(edge.report))
