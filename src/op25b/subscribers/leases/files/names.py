"""Who is who where a lease file knows clients by their hardware only: a CSV file of identity,subscriber."""

from __future__ import annotations

import csv
from pathlib import Path

from op25b.errors import UserError


def read(file: Path | None) -> dict[str, str]:
    """Subscribers by identity, in lower case. Raises UserError."""
    if file is None:
        return {}
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            rows = [each for each in csv.reader(opened, strict=True) if each]
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: {error}; write lines of identity,subscriber in UTF-8") from None
    for number, each in enumerate(rows, start=1):
        if len(each) != 2:
            raise UserError(f"{file}:{number}: it has {len(each)} fields; a line is identity,subscriber")
    return {identity.strip().lower(): subscriber.strip() for identity, subscriber in rows}
