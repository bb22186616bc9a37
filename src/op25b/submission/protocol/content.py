"""DATA and BDAT: both give the application the same events."""

from __future__ import annotations

import re

from op25b.submission.protocol import replies
from op25b.submission.protocol.core import Chunk, Core, out_of_order
from op25b.submission.protocol.envelope import verdict
from op25b.submission.protocol.events import (
    Accept,
    Answer,
    CloseReason,
    MessageData,
    MessageEnd,
    MessageStart,
    Reset,
)
from op25b.submission.protocol.parameters import Body
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.text import ChunkText, DotText
from op25b.submission.protocol.transitions import TRANSITIONS, Step

_BDAT = re.compile(rb"([0-9]{1,19})(?: +(LAST))?", re.IGNORECASE)  # RFC 3030 2


def data(core: Core, argument: bytes) -> None:
    """DATA (RFC 5321 4.1.1.4)."""
    if argument:
        core.reply(replies.NO_ARGUMENT)
    elif core.body is Body.BINARY:
        core.reply(replies.BINARY_NEEDS_BDAT)
    else:
        core.ask(MessageStart(), _on_data)


def _on_data(core: Core, answer: Answer) -> None:
    if refusal := _refusal(answer):
        _end(core)
        core.reply(refusal)
        return
    core.move(Step.DATA)
    core.dot_text = DotText(core.settings.max_size)
    core.reply(replies.SEND_TEXT)


def _refusal(answer: Answer) -> Reply | None:
    """The reply that refuses a message at its start. Raises ValueError for one that accepts in other words."""
    if isinstance(answer, Accept):
        return None
    reply = verdict(answer, replies.SEND_TEXT)
    if reply.positive:
        raise ValueError(f"a message's start is accepted by ACCEPT alone: {answer}")
    return reply


def take_text(core: Core, block: bytes) -> bytes:
    """Octets after DATA; gives what follows the message, b"" if its end was not reached."""
    text = core.dot_text
    assert text is not None
    was_sound = text.fault is None
    out, rest = text.feed(block)
    if out:
        core.events.append(MessageData(out))
    if was_sound and text.fault is not None:
        core.events.append(Reset())
    if rest is None:
        return b""
    core.group_ends = not core.esmtp
    if text.fault is not None:
        _end(core)
        core.reply(text.fault)
    else:
        core.ask(MessageEnd(text.size), _on_end)
    return rest


def _end(core: Core) -> None:
    core.end_transaction(tell=False)
    core.move(Step.MESSAGE_DONE)


def _on_end(core: Core, answer: Answer) -> None:
    reply = verdict(answer, replies.MESSAGE_OK)
    _end(core)
    if reply.positive:
        core.progress()
    core.reply(reply)


def chunk(core: Core, argument: bytes) -> None:
    """BDAT size [LAST] (RFC 3030 2). The chunk is on its way whatever the reply: one refused is skipped."""
    match = _BDAT.fullmatch(argument)
    if match is None:
        core.close_with(replies.SYNTAX_BDAT, CloseReason.CHUNK)
        return
    size, last = int(match[1]), match[2] is not None
    core.group_ends = False  # its octets come first, then its reply
    if Step.BDAT not in TRANSITIONS[core.state]:
        core.chunk = Chunk(size, last, out_of_order(core.state, Step.BDAT))
        return
    taken = core.chunk_text.size if core.chunk_text is not None else 0
    if taken + size > core.settings.max_size:
        core.end_transaction(tell=True)
        core.move(Step.MESSAGE_DONE)
        core.chunk = Chunk(size, last, replies.TOO_LARGE)
        return
    if not size and not last and core.count_junk():
        return
    core.chunk = Chunk(size, last, None)
    if core.chunk_text is None:
        core.ask(MessageStart(), _on_first_chunk)


def _on_first_chunk(core: Core, answer: Answer) -> None:
    assert core.chunk is not None
    if refusal := _refusal(answer):
        _end(core)
        core.chunk.refusal = refusal
        return
    core.move(Step.BDAT)
    core.chunk_text = ChunkText(core.settings.max_size)


def read_chunk(core: Core, octets: bytes) -> None:
    """Octets of the present chunk, no more than are left of it; b"" for a chunk without any."""
    chunk, text = core.chunk, core.chunk_text
    assert chunk is not None
    chunk.left -= len(octets)
    if chunk.refusal is None:
        assert text is not None
        out = text.feed(octets)
        if chunk.last and not chunk.left:
            out += text.finish()
        if text.fault is not None:
            chunk.refusal = text.fault
            core.end_transaction(tell=True)
            core.move(Step.MESSAGE_DONE)
        elif out:
            core.events.append(MessageData(out))
    if not chunk.left:
        _end_of_chunk(core, chunk)


def _end_of_chunk(core: Core, chunk: Chunk) -> None:
    core.chunk = None
    core.group_ends = not core.esmtp
    if chunk.refusal is not None:
        core.reply(chunk.refusal)
    elif chunk.last:
        assert core.chunk_text is not None
        core.ask(MessageEnd(core.chunk_text.size), _on_end)
    else:
        core.reply(Reply(250, "2.0.0", f"{chunk.size} octets received"))
