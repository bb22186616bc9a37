"""The picture of the block (claim F1): three ways from a customer's computer, and which of them is closed."""

from __future__ import annotations

import re
from html import escape

from op25b.answers.blocks import Picture
from op25b.answers.pages.subject import Subject

_OPEN, _CLOSED = "#1a7f37", "#cf222e"
"""Legible on light and dark ground alike; the cross tells the closed way without colour too."""
_EDGE = 212
"""How far to the right the network ends. The whole is as narrow as a telephone, where its words are to be read too."""


def picture(subject: Subject) -> Picture:
    """As SVG without styles and scripts, which a strict Content-Security-Policy would not let in."""
    say, provider = subject.say, subject.provider
    caption = say(
        "Mail handed to {provider}'s sending server is delivered. Mail sent from the customer's computer straight to "
        "port 25 of another mail server is stopped at the edge of {provider}'s network. Port 587 of another mail "
        "server can be reached.",
        provider=provider,
    )
    ports = [str(port) for port in sorted(subject.server.ports, reverse=True)] if subject.server else []
    ways = "".join(
        (
            _way(60, say("port {ports}", ports=say.listed(ports)), _OPEN, crossed=False),
            _way(150, say("port {ports}", ports="25"), _CLOSED, crossed=True),
            _way(240, say("port {ports}", ports=say.listed(("587", "465"))), _OPEN, crossed=False),
        )
    )
    boxes = "".join(
        (
            _box(2, 20, 80, 260, say("Customer's computer")),
            _box(234, 20, 124, 80, say("Sending server of {provider}", provider=provider)),
            _box(234, 110, 124, 80, say("Other mail servers")),
            _box(234, 200, 124, 80, say("Other providers' sending servers")),
        )
    )
    edge = say("Edge of the network")
    border = (
        f'<path d="M{_EDGE} 8V292" stroke="currentColor" stroke-width="2" stroke-dasharray="6 5"/>'
        f'<text x="{_EDGE}" y="310" text-anchor="middle">{escape(edge)}</text>'
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 320" role="img" '
        f'font-family="sans-serif" font-size="12" fill="currentColor"><title>{escape(caption)}</title>'
        f"{border}{ways}{boxes}</svg>"
    )
    return Picture("op25b", caption, svg)


def _box(x: int, y: int, width: int, height: int, text: str) -> str:
    """A box with its words in the middle, on as many lines as they need."""
    lines = _broken(text, width // 7)
    top = y + height // 2 + 5 - 9 * (len(lines) - 1)
    words = "".join(
        f'<text x="{x + width // 2}" y="{top + 18 * number}" text-anchor="middle">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    frame = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="none" stroke="currentColor"/>'
    return frame + words


def _broken(text: str, width: int) -> list[str]:
    """Lines of at most `width` narrow characters; a wide one counts for two."""
    lines, length = [""], 0
    for part in text.split(" ") if text.isascii() else _unbroken(text, width // 2):
        size = sum(1 if character.isascii() else 2 for character in part) + text.isascii()
        if length and length + size > width:
            lines.append("")
            length = 0
        lines[-1] += (" " if lines[-1] and text.isascii() else "") + part
        length += size
    return lines


def _unbroken(text: str, most: int) -> list[str]:
    """Japanese breaks anywhere, but a word in katakana or in Latin letters stays whole if it is short enough."""
    return re.findall(rf"[ァ-ヺー]{{1,{most}}}|[!-~]{{1,{most * 2}}}|.", text)


def _way(y: int, label: str, colour: str, *, crossed: bool) -> str:
    """An arrow from the computer to the box at height `y`, or to the edge, with its port written over it."""
    end = _EDGE if crossed else 226
    line = f'<line x1="86" y1="{y}" x2="{end}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
    text = f'<text x="147" y="{y - 9}" text-anchor="middle">{escape(label)}</text>'
    if crossed:
        head = f'<path d="M{_EDGE - 11} {y - 11}l22 22m0 -22l-22 22" stroke="{colour}" stroke-width="5" fill="none"/>'
    else:
        head = f'<path d="M232 {y}l-12 -7v14z" fill="{colour}"/>'
    return line + text + head
