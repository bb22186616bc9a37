"""The paths of the interface for cases, bulletins and the queue: to look, and to take the steps of the console."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path, Query

from op25b.portal.api.bodies import BulletinShown, CaseFull, CaseStep, Confined, NewBulletin, Wanted, Why
from op25b.portal.api.guard import Guard
from op25b.portal.desk import queue, watching
from op25b.portal.desk.context import Context
from op25b.portal.desk.queue import Queue, Waiting
from op25b.portal.staff.roles import Action, Person
from op25b.rollout import bulletins
from op25b.submission.queue_view import Filter, QueueState
from op25b.subscribers.exemptions.records import HIGHEST
from op25b.watch import cases

Number = Annotated[int, Path(ge=1, le=HIGHEST)]
QueueId = Annotated[str, Path(max_length=100)]
Text = Annotated[Wanted | None, Query()]


def router(context: Context, guard: Guard) -> APIRouter:
    """All of them."""
    made = APIRouter()
    _cases(made, context, guard)
    _bulletins(made, context, guard)
    _queue(made, context, guard)
    return made


def _cases(made: APIRouter, context: Context, guard: Guard) -> None:
    see, decide = guard.needs(Action.SEE_CASES), guard.needs(Action.DECIDE_CASE)

    @made.get("/cases", response_model=list[CaseFull])
    def listed(closed: bool = False, holder: Person = see) -> list[dict[str, Any]]:
        """The open cases, oldest first; `closed`: all that are kept."""
        with context.store.read() as connection:
            return [case.shown() for case in cases.listed(connection, closed=closed)]

    @made.get("/cases/{number}", response_model=CaseFull)
    def one(number: Number, holder: Person = see) -> dict[str, Any]:
        """A case with its evidence."""
        with context.store.read() as connection:
            return cases.find(connection, number).shown()

    @made.get("/quarantine")
    def confined(holder: Person = see) -> list[Confined]:
        """Whose exemptions are not in force, and the case that holds the evidence."""
        with context.store.read() as connection:
            found = cases.quarantined(connection)
        return [Confined(subscriber=name, case=case, since=since) for name, case, since in found]

    def stepping(step: watching.Taken) -> None:
        @made.post(f"/cases/{{number}}/{step}", response_model=CaseFull, name=f"{step} case")
        def take(number: Number, body: CaseStep, holder: Person = decide) -> dict[str, Any]:
            """Take a step with a case that is in the state `seen`."""
            return watching.take(context, number, step, body.seen, holder, body.why).shown()

    for step in get_args(watching.Taken):
        stepping(step)


def _bulletins(made: APIRouter, context: Context, guard: Guard) -> None:
    see, write = guard.needs(Action.SEE_BULLETINS), guard.needs(Action.WRITE_BULLETIN)

    @made.get("/bulletins", response_model=list[BulletinShown])
    def listed(ended: bool = False, holder: Person = see) -> list[dict[str, Any]]:
        """Outages and maintenance; `ended`: what is over too."""
        with context.store.read() as connection:
            found = bulletins.listed(connection, None if ended else context.clock())
        return [each.shown() for each in found]

    @made.post("/bulletins", status_code=201, response_model=BulletinShown)
    def add(body: NewBulletin, holder: Person = write) -> dict[str, Any]:
        """Publish one, on the customers' pages at once."""
        with context.store.write() as connection:
            made = bulletins.add(connection, body.draft(context.clock()), context.by(holder))
        context.changed(holder, f"bulletin {made.id}", "add")
        return made.shown()

    @made.post("/bulletins/{number}/end", response_model=BulletinShown)
    def end(number: Number, body: Why, holder: Person = write) -> dict[str, Any]:
        """It is over, now."""
        by = context.by(holder, body.why)
        with context.store.write() as connection:
            ended = bulletins.end(connection, number, by.at, by)
        context.changed(holder, f"bulletin {number}", "end")
        return ended.shown()


def _queue(made: APIRouter, context: Context, guard: Guard) -> None:
    see, change = guard.needs(Action.SEE_QUEUE), guard.needs(Action.CHANGE_QUEUE)

    @made.get("/queue")
    def messages(
        state: QueueState | None = None, account: Text = None, sender: Text = None, to: Text = None,
        holder: Person = see,
    ) -> Queue:  # fmt: skip
        """The mail that waits on this host: how much in each state, and the oldest of what is asked for."""
        return queue.look(context, Filter(state, account, sender, to))

    @made.get("/queue/{queue_id}")
    def message(queue_id: QueueId, holder: Person = see) -> Waiting:
        """One message, without its content."""
        return queue.one(context, queue_id)

    def stepping(step: queue.Taken) -> None:
        @made.post(f"/queue/{{queue_id}}/{step}", name=f"{step} message")
        def take(queue_id: QueueId, body: Why, holder: Person = change) -> Waiting:
            """Have a message tried now, kept, or sent after all."""
            return queue.take(context, queue_id, step, holder, body.why)

    for step in get_args(queue.Taken):
        stepping(step)
