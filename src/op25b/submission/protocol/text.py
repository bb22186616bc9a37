"""What comes after DATA and BDAT: found to its end, checked, unstuffed; a block of memory at a time.

Nothing here loops over lines: each check is one scan in C. A CRLF is never split. A line may be of any length (RFC 5321
4.5.3.1 asks for no limits where none are needed): long ones are handed on in parts, so none is kept in memory.
"""

from __future__ import annotations

import re

import numpy as np

from op25b.submission.protocol import replies
from op25b.submission.protocol.replies import Reply

_END = b"\r\n.\r\n"
_CR, _LF = b"\r\n"
_DOT = re.compile(rb"\r\n\.")
PART = 1000
"""Octets of a line without its end that are kept; lines that are longer are rare (RFC 5321 4.5.3.1.6)."""
_WINDOW = 65_536  # scans stay within the cache
_BARE = re.compile(rb"\0|\r(?!\n)|(?<!\r)\n")


class Text:
    """The content of one message, checked as it comes.

    `size`: octets handed on. `fault`: the reply that refuses the message; from then on nothing is handed on.
    Which fault it is does not depend on how the octets were split: the first in the order of the text.
    """

    def __init__(self, max_size: int) -> None:
        self.size = 0
        self.fault: Reply | None = None
        self._max_size = max_size
        self._carry = b""
        self._line_open = False
        """What was handed on ends within a line."""

    def _check(self, block: bytes) -> bytes:
        """The block, or b"" if it is at fault. What comes before and after it parts no CRLF."""
        if self.size + len(block) <= self._max_size and b"\0" not in block and _is_paired(block):
            self.size += len(block)
            self._line_open = not block.endswith(b"\n")
            return block
        self.fault = self._first_fault(block)
        return b""

    def _first_fault(self, block: bytes) -> Reply:
        """The fault that comes first in a block that has one."""
        faults = [(self._max_size - self.size, 2, replies.TOO_LARGE)] if self.size + len(block) > self._max_size else []
        if bare := _BARE.search(block):
            faults.append((bare.start(), 1, replies.BARE_IN_TEXT))
        return min(faults)[2]


class DotText(Text):
    """A message sent with DATA (RFC 5321 4.5.2): dots stuffed, ended by a line of a single dot."""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take octets; give those to hand on, and what follows the end of the message (None: not reached)."""
        block = self._carry + data if self._carry else data
        if self.fault is not None:
            return b"", self._skip(block)
        begins_with_dot = not self._line_open and block.startswith(b".")
        if begins_with_dot and block.startswith(b".\r\n"):
            return b"", block[3:]
        dot = _find_dot(block)
        end = block.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            lines = block[: end + 2]
            stuffed = dot < end or begins_with_dot
            return self._check(_unstuff(lines, begins_with_dot) if stuffed else lines), block[end + 5 :]
        cut = _last_line_end(block)
        in_parts = len(block) - cut > PART
        if in_parts:
            cut = len(block) - block.endswith(b"\r")
        lines, self._carry = block[:cut], block[cut:]
        stuffed = dot >= 0 or begins_with_dot
        text = self._check(_unstuff(lines, begins_with_dot) if stuffed else lines) if lines else b""
        if self.fault is not None:
            return b"", self._skip(self._carry if in_parts else b"\r\n" + self._carry)
        return text, None

    def _skip(self, block: bytes) -> bytes | None:
        """Look for the end alone."""
        end = block.find(_END)
        if end >= 0:
            return block[end + 5 :]
        self._carry = block[-4:]
        return None


def _is_paired(block: bytes) -> bool:
    """Before each LF stands a CR, after each CR an LF. Counting CR, LF and CRLF takes ten times as long."""
    if block.startswith(b"\n") or block.endswith(b"\r"):
        return False
    octets = np.frombuffer(block, np.uint8)
    for start in range(0, len(block) - 1, _WINDOW):
        window = octets[start : start + _WINDOW + 1]
        if (window[:-1] == _CR).tobytes() != (window[1:] == _LF).tobytes():
            return False
    return True


def _find_dot(block: bytes) -> int:
    """Where the first CRLF before a dot is, -1 if nowhere. Most of an attachment has no dot at all."""
    if (dot := block.find(b".")) < 0:
        return -1
    # twice as fast as bytes.find, which looks for the last octet first
    found = _DOT.search(block, max(dot - 2, 0))
    return found.start() if found else -1


def _last_line_end(block: bytes) -> int:
    end = block.rfind(b"\r\n")
    return end + 2 if end >= 0 else 0


def _unstuff(lines: bytes, first: bool) -> bytes:
    """`first`: the first line is stuffed, too."""
    return (lines[1:] if first else lines).replace(b"\r\n.", b"\r\n")


class ChunkText(Text):
    """A message sent with BDAT (RFC 3030): octets as they are. A line may run on from one chunk to the next."""

    def feed(self, data: bytes) -> bytes:
        """Take octets of a chunk; give those to hand on."""
        if self.fault is not None:
            return b""
        block = self._carry + data
        cut = len(block) - block.endswith(b"\r")
        text, self._carry = block[:cut], block[cut:]
        return self._check(text) if text else b""

    def finish(self) -> bytes:
        """After the last chunk; give what is left to hand on: a last line without CRLF gets one."""
        if self.fault is not None or not (self._carry or self._line_open):
            return b""
        return self._check(self._carry + b"\r\n")
