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
    ways = "".join(
        (
            _way(60, say("port 587"), _OPEN, crossed=False),
            _way(150, say("port 25"), _CLOSED, crossed=True),
            _way(240, say("port 587 or 465"), _OPEN, crossed=False),
        )
    )
    boxes = "".join(
        (
            _box(10, 105, 150, say("Customer's computer")),
            _box(460, 15, 170, say("Sending server of {provider}", provider=provider)),
            _box(460, 105, 170, say("Other mail servers")),
            _box(460, 195, 170, say("Other providers' sending servers")),
        )
    )
    edge = (
        '<line x1="360" y1="8" x2="360" y2="292" stroke="currentColor" stroke-width="2" stroke-dasharray="6 5"/>'
        f'<text x="360" y="308" text-anchor="middle">{escape(say("Edge of the network"))}</text>'
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 320" role="img" '
        f'font-family="sans-serif" font-size="13" fill="currentColor"><title>{escape(caption)}</title>'
        f"{edge}{ways}{boxes}</svg>"
    )
    return Picture("op25b", caption, svg)


def _box(x: int, y: int, width: int, text: str) -> str:
    """A box with its words on up to two lines."""
    lines = _broken(text, width // 8)
    top = y + 50 - 9 * (len(lines) - 1)
    words = "".join(
        f'<text x="{x + width // 2}" y="{top + 18 * number}" text-anchor="middle">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    frame = f'<rect x="{x}" y="{y}" width="{width}" height="90" rx="8" fill="none" stroke="currentColor"/>'
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
    """An arrow from the computer to the box at height `y`, with its port written on it."""
    end = 352 if crossed else 452
    height = 150 + (y - 150) * (end - 164) // 288
    line = f'<line x1="164" y1="150" x2="{end}" y2="{height}" stroke="{colour}" stroke-width="3"/>'
    text = f'<text x="262" y="{150 + (y - 150) * 98 // 288 - 8}" text-anchor="middle">{escape(label)}</text>'
    if crossed:
        head = f'<path d="M346 {height - 12}l24 24m0 -24l-24 24" stroke="{colour}" stroke-width="5"/>'
    else:
        head = f'<path d="M{end} {height}l-10 -6v12z" fill="{colour}"/>'
    return line + text + head
