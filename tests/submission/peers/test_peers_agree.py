"""The same dialogues with op25b, a real Postfix and aiosmtpd: they agree, or the file says why not (see play.py).

The test fails for a difference that nobody explained, and for an explanation that is no longer needed.
"""

from __future__ import annotations

import logging
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.submission.peers.play import END, PEERS, Dialogue, as_told, play, read
from tests.submission.peers.servers import Server, all_three
from tests.support.service import Wire, eventually

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("postfix") is None, reason="needs Postfix: apt install postfix"),
]
DIALOGUES = [each for path in sorted((Path(__file__).parent / "dialogues").glob("*.txt")) for each in read(path)]
LACKING = {"postfix": {"BINARYMIME"}, "aiosmtpd": {"BINARYMIME", "CHUNKING", "DSN"}}
"""What a server does not offer, of what dialogues need."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Server], ssl.SSLContext]]:
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    folder = tmp_path_factory.mktemp("peers")
    with all_three(folder) as running:
        yield running, ssl.create_default_context(cafile=str(folder / "ca.pem"))


def _takes_part(dialogue: Dialogue, name: str) -> bool:
    return dialogue.needs not in LACKING.get(name, ())


def _expected(dialogue: Dialogue, name: str) -> list[list[str]]:
    codes = [["220"], *(step.of(name) for step in dialogue.steps)]
    return codes if dialogue.hangs_up or END in codes[-1] else [*codes, ["221", END]]


def test_there_are_dialogues_and_each_has_a_name_of_its_own() -> None:
    assert len(DIALOGUES) >= 110
    assert len({each.name for each in DIALOGUES}) == len(DIALOGUES)


def test_no_difference_is_explained_that_is_none() -> None:
    idle = [
        (dialogue.name, server)
        for dialogue in DIALOGUES
        for server, usual, difference in dialogue.all_differences()
        if difference.told == usual or not _takes_part(dialogue, server)
    ]
    assert idle == []


@pytest.mark.parametrize("name", ["op25b", *PEERS])
def test_what_is_said_and_what_is_delivered(name: str, servers: tuple[dict[str, Server], ssl.SSLContext]) -> None:
    """Delivered octet for octet, and no message that nobody sent."""
    running, context = servers
    server = running[name]
    heard = [each for each in DIALOGUES if _takes_part(each, name)]
    found = {each.name: list(play(each, name, server, context)) for each in heard}
    assert found == {each.name: _expected(each, name) for each in heard}
    eventually(server.idle)
    expected = sorted(told for each in heard for told in each.delivered_by(name))
    assert sorted(map(as_told, server.got)) == expected


@pytest.mark.parametrize("name", PEERS)
def test_who_does_not_take_part_could_not(name: str, servers: tuple[dict[str, Server], ssl.SSLContext]) -> None:
    with Wire(servers[0][name].ports["relay"], "127.0.0.2") as wire:
        wire.reply()
        offered = wire.ask(b"EHLO pc").decode()
    needed = {each.needs for each in DIALOGUES if each.needs}
    assert {keyword for keyword in needed if keyword not in offered} == LACKING[name]
