"""Every dialogue under dialogues/, fed whole, octet by octet, and split at random: always the same.

role: submission | implicit-tls | relay     the settings, and what is changed in them: max_size=10
C: NOOP                                     the client's line, CRLF added
C| a\\x00b\\r\\n                               the client's octets, escapes as in Python
S: 250 2.0.0 Ok                             what the server writes after the lines above, all of it
S: 250-...                                  a reply of several lines with this code
S: 250 2.0...                               a line that begins so
M: from@here > to@there, to@where : text    a message that was taken, at the end of the file
X: errors                                   the reason why the session closed; X: quit
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.submission.protocol import Closed, Settings
from tests.support.sessions import HOST, RELEASE, Application

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))
ROLES = {"submission": Settings.submission, "implicit-tls": Settings.implicit_tls, "relay": Settings.relay}

Split = Callable[[bytes], Iterable[bytes]]


class Dialogue(NamedTuple):
    """What a file says. `groups`: what the client sends in one go, and what it is told."""

    settings: Settings
    tls: bool
    groups: list[tuple[bytes, list[str]]]
    messages: list[str]
    end: str


def read(path: Path) -> Dialogue:
    changed, tls, groups, messages, end = Settings.relay(HOST), False, [(b"", [])], [], ""
    for line in path.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        kind, text = line[:2], line[3:]
        if kind in ("C:", "C|"):
            octets = text.encode() + b"\r\n" if kind == "C:" else unescape(text)
            if groups[-1][1]:
                groups.append((octets, []))
            else:
                groups[-1] = (groups[-1][0] + octets, [])
        elif kind == "S:":
            groups[-1][1].append(text)
        elif kind == "M:":
            messages.append(text)
        elif kind == "X:":
            end = text
        else:
            role, *changes = line.removeprefix("role: ").split()
            changed = replace(ROLES[role](HOST), **dict(map(change, changes)))
            tls = role == "implicit-tls"
    return Dialogue(changed, tls, groups, messages, end)


def change(text: str) -> tuple[str, object]:
    name, value = text.split("=")
    if name == "future_release":
        return name, RELEASE
    if name == "mechanisms":
        return name, tuple(value.split(","))
    return name, {"yes": True, "no": False}[value] if not value.isdigit() else int(value)


def unescape(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1")


def play(dialogue: Dialogue, split: Split) -> Application:
    """Play the client; compare what the server says. The first group is the banner alone, or early talk."""
    application = Application(dialogue.settings, dialogue.tls)
    session = application.session
    early, expected = dialogue.groups[0]
    if early:
        session.receive(early)
    compare(session.banner(), expected)
    application.pump()
    for sent, expected in dialogue.groups[1:]:
        for part in split(sent):
            application.feed(part)
        compare(application.take_output(), expected)
    return application


def compare(output: bytes, expected: list[str]) -> None:
    assert len(output) == 0 or output.endswith(b"\r\n")
    lines = output.decode("ascii").split("\r\n")[:-1]
    assert [*folded(lines, expected)] == expected, output


def folded(lines: list[str], expected: list[str]) -> Iterator[str]:
    """The lines, each as the pattern that it matches in the same place."""
    patterns = iter(expected)
    rest = iter(lines)
    for line in rest:
        pattern = next(patterns, "")
        if pattern.endswith("-...") and line.startswith(pattern[:4]):
            while line.startswith(pattern[:4]):
                line = next(rest)
            line = pattern
        elif pattern.endswith("...") and line.startswith(pattern[:-3]):
            line = pattern
        yield line


def as_told(application: Application) -> list[str]:
    told = []
    for message in application.taken:
        recipients = ", ".join(address for address, _ in message.recipients)
        told.append(f"{message.sender} > {recipients} : {escaped(message.text) or '(empty)'}")
    return told


def escaped(text: bytes) -> str:
    return text.decode("latin-1").encode("unicode_escape").decode("ascii")


def check(dialogue: Dialogue, split: Split) -> None:
    application = play(dialogue, split)
    assert as_told(application) == dialogue.messages
    last = application.last
    end = last.reason.name.lower() if isinstance(last, Closed) else "quit" if last else ""
    assert end == dialogue.end


@pytest.fixture(params=DIALOGUES, ids=lambda path: path.stem)
def dialogue(request: pytest.FixtureRequest) -> Dialogue:
    return read(request.param)


def test_there_are_dialogues() -> None:
    assert len(DIALOGUES) >= 60


def test_whole(dialogue: Dialogue) -> None:
    check(dialogue, lambda sent: [sent])


def test_octet_by_octet(dialogue: Dialogue) -> None:
    check(dialogue, lambda sent: [sent[i : i + 1] for i in range(len(sent))])


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_split_at_random(path: Path, seed: int) -> None:
    chance = random.Random(seed)

    def split(sent: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(sent):
            end = start + chance.choice((1, 1, 2, 3, 5, 8, 40, len(sent)))
            yield sent[start:end]
            start = end

    check(read(path), split)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"250 Ok\r\n", ["250 No"]),
        (b"250 Ok\r\n250 Ok\r\n", ["250 Ok"]),
        (b"250-a\r\n250 b\r\n250 Ok\r\n", ["250-..."]),
        (b"", ["250 Ok"]),
        (b"250 Ok\n", ["250 Ok"]),
    ],
)
def test_the_comparison_can_fail(output: bytes, expected: list[str]) -> None:
    with pytest.raises(AssertionError):
        compare(output, expected)
