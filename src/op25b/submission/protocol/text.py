"""What comes after DATA and BDAT: found to its end, checked, unstuffed; a block of memory at a time.

Nothing here loops over lines unless a block is faulty: each check is one scan in C. Blocks are cut at line ends, so
every block handed on begins a line, and a CRLF is never split.
"""

from __future__ import annotations

import re

import numpy as np

from op25b.submission.protocol import replies
from op25b.submission.protocol.replies import Reply

_NO_LIMIT = 1 << 62
_END = b"\r\n.\r\n"
_CR, _LF = b"\r\n"
_DOT = re.compile(rb"\r\n\.")
_WINDOW = 65_536  # scans stay within the cache
_BARE = re.compile(rb"\0|\r(?!\n)|(?<!\r)\n")


class Text:
    """The content of one message, checked as it comes.

    `size`: octets handed on. `fault`: the reply that refuses the message; from then on nothing is handed on.
    Which fault it is does not depend on how the octets were split: the first in the order of the text.
    """

    def __init__(self, max_size: int, max_line: int) -> None:
        self.size = 0
        self.fault: Reply | None = None
        self._max_size = max_size
        self._max_line = max_line
        self._carry = b""

    def _check(self, block: bytes) -> bytes:
        """The block, or b"" if it is at fault. It begins a line and, but for a binary body, ends one."""
        if self.size + len(block) <= self._max_size and self._is_clean(block):
            self.size += len(block)
            return block
        self.fault = self._first_fault(block)
        return b""

    def _is_clean(self, block: bytes) -> bool:
        """No NUL, CR and LF only as CRLF, no line too long."""
        if b"\0" in block or not _is_paired(block):
            return False
        # From line end to line end in strides as long as a line may be.
        start, length, stride = 0, len(block), self._max_line
        while length - start > stride:
            end = block.rfind(b"\n", start, start + stride)
            if end < 0:
                return False
            start = end + 1
        return True

    def _first_fault(self, block: bytes) -> Reply:
        """The fault that comes first in a block that has one."""
        faults = [(self._max_size - self.size, 2, replies.TOO_LARGE)] if self.size + len(block) > self._max_size else []
        if bare := _BARE.search(block):
            faults.append((bare.start(), 1, replies.BARE_IN_TEXT))
        start = 0
        for line in block.split(b"\r\n"):
            if len(line) + 2 > self._max_line:
                faults.append((start + self._max_line - 2, 0, replies.TEXT_LINE_TOO_LONG))
                break
            start += len(line) + 2
        return min(faults)[2]


class DotText(Text):
    """A message sent with DATA (RFC 5321 4.5.2): dots stuffed, ended by a line of a single dot."""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take octets; give those to hand on, and what follows the end of the message (None: not reached)."""
        block = self._carry + data if self._carry else data
        if self.fault is not None:
            return b"", self._skip(block)
        if block.startswith(b".\r\n"):
            return b"", block[3:]
        dot = _find_dot(block)
        end = block.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            lines = block[: end + 2]
            stuffed = dot < end or lines.startswith(b".")
            return self._check(_unstuff(lines) if stuffed else lines), block[end + 5 :]
        cut = _last_line_end(block)
        lines, self._carry = block[:cut], block[cut:]
        text = self._check(_unstuff(lines) if dot >= 0 or lines.startswith(b".") else lines) if lines else b""
        if self.fault is None and len(self._carry) > self._max_line + 1:
            self.fault = self._first_fault(_unstuff(self._carry))
        if self.fault is not None:
            return b"", self._skip(b"\r\n" + self._carry)
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


def _unstuff(lines: bytes) -> bytes:
    return lines.removeprefix(b".").replace(b"\r\n.", b"\r\n")


class ChunkText(Text):
    """A message sent with BDAT (RFC 3030): octets as they are. A line may run on from one chunk to the next.

    With BODY=BINARYMIME lines have no limit, so parts of lines are handed on as they come.
    """

    def __init__(self, max_size: int, max_line: int, binary: bool) -> None:
        super().__init__(max_size, _NO_LIMIT if binary else max_line)
        self._binary = binary
        self._line_open = False

    def feed(self, data: bytes) -> bytes:
        """Take octets of a chunk; give those to hand on."""
        if self.fault is not None:
            return b""
        block = self._carry + data
        cut = len(block) - block.endswith(b"\r") if self._binary else _last_line_end(block)
        lines, self._carry = block[:cut], block[cut:]
        text = b""
        if lines:
            self._line_open = not lines.endswith(b"\n")
            text = self._check(lines)
        if self.fault is None and len(self._carry) > self._max_line:
            self.fault = self._first_fault(self._carry)
        return text

    def finish(self) -> bytes:
        """After the last chunk; give what is left to hand on: a last line without CRLF gets one."""
        if self.fault is not None or not (self._carry or self._line_open):
            return b""
        return self._check(self._carry + b"\r\n")
