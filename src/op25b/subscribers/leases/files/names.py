"""Who is who: a CSV file of `identity,subscriber`."""

from __future__ import annotations

import csv
from pathlib import Path

from op25b.errors import UserError


def read(file: Path) -> dict[str, str]:
    """Subscribers by identity, in lower case as lease files have it here. Raises UserError."""
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            rows = [each for each in csv.reader(opened, strict=True) if each]
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; write a file of identity,subscriber there") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: {error}; write lines of identity,subscriber in UTF-8") from None
    for number, each in enumerate(rows, start=1):
        if len(each) != 2:
            raise UserError(f"{file}:{number}: it has {len(each)} fields; a line is identity,subscriber")
    return {identity.strip().lower(): subscriber.strip() for identity, subscriber in rows}
