"""Replies: how they are written; that each of the protocol's own has its codes; and the table of transitions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from op25b.submission.protocol import replies
from op25b.submission.protocol.commands import COMMANDS
from op25b.submission.protocol.core import out_of_order
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.transitions import TRANSITIONS, State, Step

ROOT = Path(__file__).parents[3]
OWN = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (Reply(250, "2.0.0", "Ok"), b"250 2.0.0 Ok\r\n"),
        (Reply(354, "", "Go on"), b"354 Go on\r\n"),
        (Reply(550, "5.1.1", "one\ntwo"), b"550-5.1.1 one\r\n550 5.1.1 two\r\n"),
        (Reply(550, "5.1.1", "a\r250 Ok\0é"), b"550 5.1.1 a?250 Ok??\r\n"),
        (Reply(550, "5.1.1", "x" * 600), b"550 5.1.1 " + b"x" * 500 + b"\r\n"),
    ],
)
def test_how_a_reply_is_written(reply: Reply, line: bytes) -> None:
    assert reply.line == line


@pytest.mark.parametrize("name", OWN)
def test_every_reply_has_an_enhanced_status_code_of_its_class(name: str) -> None:
    reply = OWN[name]
    assert reply.code == 354 or re.fullmatch(rf"{reply.code // 100}\.\d{{1,3}}\.\d{{1,3}}", reply.status)


def test_every_state_is_reached_and_left() -> None:
    reached = {target for row in TRANSITIONS.values() for target in row.values()}
    assert reached == set(State)
    assert all(TRANSITIONS[state] for state in State if state is not State.CLOSED)
    assert {step for row in TRANSITIONS.values() for step in row} == set(Step)


def test_every_command_out_of_order_is_503() -> None:
    steps = {command.step for command in COMMANDS.values() if command.step is not None} | {Step.BDAT}
    for state in (State.START, State.READY, State.MAIL, State.RCPT, State.CHUNKS):
        for step in steps - set(TRANSITIONS[state]):
            assert out_of_order(state, step).code == 503


def test_the_diagram_has_every_transition() -> None:
    diagram = (ROOT / "docs" / "reference" / "submission.md").read_text()
    for state, row in TRANSITIONS.items():
        for step, target in row.items():
            assert re.search(rf"^    {state} --> {target}: .*{re.escape(step)}", diagram, re.M)
