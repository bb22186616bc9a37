"""What a person reads on a page: its words, without tags."""

from __future__ import annotations

import html
import re


def visible(page: str) -> str:
    """The text of an HTML page on one line, without scripts and styles."""
    text = re.sub(r"<(script|style|head)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
