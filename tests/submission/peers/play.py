r"""Dialogues in files, what is said in them, and where the servers differ.

= name                               a dialogue begins; NAME in it stands for its name
role: submission                     the port, `relay` unless said; `stranger`: the relay's, from a foreign address
C: NOOP                              the client's line, CRLF added; consecutive lines are one write
C| a\x00b\r\n                        the client's octets, escapes as in Python; {x*70} in both: 70 times x
C* 3 RCPT TO:<x#@there>              so many lines, # being the number of each
B+ X: y\r\n                          a chunk: BDAT with its size, and the octets; `B.`: the last one
T:                                   the TLS handshake
S: 250 250 354                       the codes of all replies to that, `250*3` for three; `end`: the connection closed
D: postfix 250 500 | RFC 1 2.3 | why but that server's codes are these, and why
M: from > to, to : text              a message that was delivered, without trace fields, escaped; `-`: none
D: postfix M: from > to : text | RFC 1 2.3 | why    that server delivered this; once a line, each message

X:                                   the client hangs up; else it says QUIT at the end, which is answered
needs: CHUNKING                      only servers that offer this extension take part
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.submission.peers.servers import Server
from tests.support.service import CUSTOMER, Wire
from tests.support.sink import Delivery

PEERS = ("postfix", "aiosmtpd")
END = "end"
_ADDED = re.compile(rb"(?:Received|Date|Message-ID):.*\r\n(?:[ \t].*\r\n)*")


@dataclass(frozen=True)
class Difference:
    """`told`: codes, or messages."""

    told: list[str]
    source: str
    why: str


@dataclass
class Step:
    """What the client does, and what it is told by all but those who differ. `octets` None: shake hands."""

    octets: bytes | None
    codes: list[str] = field(default_factory=list)
    differences: dict[str, Difference] = field(default_factory=dict)

    def of(self, server: str) -> list[str]:
        return self.differences[server].told if server in self.differences else self.codes


@dataclass
class Dialogue:
    name: str
    role: str = "relay"
    needs: str = ""
    hangs_up: bool = False
    steps: list[Step] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    differences: dict[str, Difference] = field(default_factory=dict)

    def delivered_by(self, server: str) -> list[str]:
        return self.differences[server].told if server in self.differences else self.messages

    def all_differences(self) -> Iterator[tuple[str, list[str], Difference]]:
        """(server, what op25b does, the difference)."""
        for step in self.steps:
            yield from ((server, step.codes, each) for server, each in step.differences.items())
        yield from ((server, self.messages, each) for server, each in self.differences.items())


def read(path: Path) -> list[Dialogue]:
    """The dialogues of a file. Raises ValueError, with the line, for what is none."""
    found: list[Dialogue] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            try:
                if line.startswith("= "):
                    found.append(Dialogue(line[2:]))
                else:
                    _take(found[-1], line.replace("NAME", found[-1].name))
            except (ValueError, IndexError) as error:
                raise ValueError(f"{path}:{number}: {line}") from error
    return found


def _take(dialogue: Dialogue, line: str) -> None:
    kind, text = line[:2], line[3:]
    match kind:
        case "ro":
            dialogue.role = line.removeprefix("role: ")
        case "ne":
            dialogue.needs = line.removeprefix("needs: ")
        case "X:":
            dialogue.hangs_up = True
        case "C:":
            _say(dialogue, _expand(text).encode() + b"\r\n")
        case "C|":
            _say(dialogue, _unescape(_expand(text)))
        case "C*":
            count, _, text = text.partition(" ")
            text = _expand(text)
            _say(dialogue, "".join(text.replace("#", str(n)) + "\r\n" for n in range(int(count))).encode())
        case "B+" | "B.":
            octets = _unescape(_expand(text))
            _say(dialogue, b"BDAT %d%s\r\n" % (len(octets), b" LAST" if kind == "B." else b"") + octets)
        case "T:":
            dialogue.steps.append(Step(None))
        case "S:":
            dialogue.steps[-1].codes = _codes(text)
        case "M:":
            dialogue.messages += [] if text == "-" else [_expand(text)]
        case "D:":
            _differ(dialogue, text)
        case _:
            raise ValueError(kind)


def _differ(dialogue: Dialogue, text: str) -> None:
    told, source, why = text.rsplit(" | ", 2)
    server, _, told = told.partition(" ")
    if server not in PEERS or not source or not why:
        raise ValueError("a difference is somebody's, and has a source and a reason")
    if told.startswith("M: "):
        before = dialogue.differences.get(server)
        messages = [] if before is None else before.told
        messages += [] if told[3:] == "-" else [_expand(told[3:])]
        dialogue.differences[server] = Difference(messages, source, why)
    else:
        dialogue.steps[-1].differences[server] = Difference(_codes(told), source, why)


def _say(dialogue: Dialogue, octets: bytes) -> None:
    steps = dialogue.steps
    if steps and not steps[-1].codes and steps[-1].octets is not None:
        steps[-1] = Step(steps[-1].octets + octets)
    else:
        steps.append(Step(octets))


def _expand(text: str) -> str:
    return re.sub(r"\{(.+?)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)


def _unescape(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1")


def _codes(text: str) -> list[str]:
    words = (word.partition("*") for word in text.split() if word != "-")
    return [code for code, _, count in words for _ in range(int(count or 1))]


def play(dialogue: Dialogue, name: str, server: Server, context: ssl.SSLContext) -> Iterator[list[str]]:
    """The codes after each step, as many as are expected; then what is said to QUIT and after it."""
    port = server.ports["submission" if dialogue.role == "submission" else "relay"]
    with Wire(port, "127.0.0.1" if dialogue.role == "stranger" else CUSTOMER) as wire:
        wire.socket.settimeout(10)
        yield [_code(wire)]
        for step in dialogue.steps:
            if step.octets is None:
                wire.secure(context)
            else:
                wire.send(step.octets)
            yield [_code(wire) for _ in step.of(name)]
        if not dialogue.hangs_up and END not in dialogue.steps[-1].of(name):
            wire.send(b"QUIT\r\n")
            yield [_code(wire), _code(wire)]


def _code(wire: Wire) -> str:
    try:
        return wire.reply()[:3].decode() or END
    except TimeoutError:
        return "nothing"
    except ConnectionResetError:
        return END


def as_told(delivery: Delivery) -> str:
    """A delivery as the files write it, without the fields that a server adds (RFC 6409 8)."""
    header, separator, body = delivery.content.partition(b"\r\n\r\n")
    text = _ADDED.sub(b"", header + b"\r\n" * bool(separator)) + separator[2:] + body
    content = text.decode("latin-1").encode("unicode_escape").decode()
    return f"{delivery.sender} > {', '.join(delivery.recipients)} : {content or '(empty)'}"
