"""The picture of the block (claim F1): three ways from a customer's computer, and which of them is closed."""

from __future__ import annotations

from html import escape

from op25b.answers.blocks import Picture
from op25b.answers.pages.subject import Subject

_OPEN, _CLOSED = "#1a7f37", "#cf222e"
"""Legible on light and dark ground alike; the cross tells the closed way without colour too."""


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
            _box(10, 20, 130, 260, say("Customer's computer")),
            _box(460, 20, 170, 80, say("Sending server of {provider}", provider=provider)),
            _box(460, 110, 170, 80, say("Other mail servers")),
            _box(460, 200, 170, 80, say("Other providers' sending servers")),
        )
    )
    edge = say("Edge of the network")
    border = (
        '<line x1="370" y1="8" x2="370" y2="292" stroke="currentColor" stroke-width="2" stroke-dasharray="6 5"/>'
        f'<text x="370" y="310" text-anchor="middle">{escape(edge)}</text>'
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 320" role="img" '
        f'font-family="sans-serif" font-size="13" fill="currentColor"><title>{escape(caption)}</title>'
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
    for part in text.split(" ") if text.isascii() else list(text):
        size = sum(1 if character.isascii() else 2 for character in part) + text.isascii()
        if length and length + size > width:
            lines.append("")
            length = 0
        lines[-1] += (" " if lines[-1] and text.isascii() else "") + part
        length += size
    return lines


def _way(y: int, label: str, colour: str, *, crossed: bool) -> str:
    """An arrow from the computer to the box at height `y`, or to the edge, with its port written over it."""
    end = 370 if crossed else 450
    line = f'<line x1="144" y1="{y}" x2="{end}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
    text = f'<text x="250" y="{y - 9}" text-anchor="middle">{escape(label)}</text>'
    if crossed:
        head = f'<path d="M356 {y - 14}l28 28m0 -28l-28 28" stroke="{colour}" stroke-width="5" fill="none"/>'
    else:
        head = f'<path d="M456 {y}l-12 -7v14z" fill="{colour}"/>'
    return line + text + head
