"""Letters and faxes as PDF. Nothing is fetched: all that is printed is in the HTML itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

from op25b.errors import UserError

AT_ONCE = 200
"""Sheets in one file: WeasyPrint holds every page of a document in memory, about a megabyte each."""


def write(sheets: Iterable[str], path: Path) -> None:
    """Sheets of HTML as one PDF in a new file, on the disk when this returns; each numbers its own pages.

    Raises UserError where there is a file already.
    """
    # of fonts and CSS: nothing that an operator could do anything about
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    fonts = FontConfiguration()
    nothing = URLFetcher(allowed_protocols=())
    documents = [HTML(string=sheet, url_fetcher=nothing).render(font_config=fonts) for sheet in sheets]
    made = documents[0].copy([page for document in documents for page in document.pages]).write_pdf()
    try:
        with open(path, "xb", opener=_private) as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise UserError(f"{path} is there already; name another file, so that no letter is lost") from None


def _private(path: str, flags: int) -> int:
    """For the owner only: names and postal addresses are in it."""
    return os.open(path, flags, 0o600)
