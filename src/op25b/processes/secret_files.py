"""Secrets that are shared with other programs, each in a file of its own."""

from __future__ import annotations

from pathlib import Path

from op25b.errors import UserError


def read(path: Path, setting: str) -> str:
    """The file's text without white space around it. `setting` is what names the file in the configuration.

    Raises UserError for a file that cannot be read, or that everybody can read.
    """
    try:
        text = path.read_text("ascii").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise UserError(f"{path}: cannot be read ({why}); `{setting}` names it") from None
    if mode & 0o007:
        raise UserError(f"{path}: everybody on this host can read it; `chmod 640`, with the service's group")
    return text
