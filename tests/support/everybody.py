"""The program for a user who may not enter the folders above Python's own: some machines have it in root's home."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.support.running import PROGRAM

_SHOWN = """
set -e
mount --bind {python} {aside}
mount -t tmpfs -o mode=755 tmpfs {closed}
mkdir -p {python}
mount --bind {aside} {python}
exec "$@"
"""


def program(aside: Path) -> tuple[str, ...]:
    """As PROGRAM. In a mount namespace of its own the folder that is closed has nothing in it but Python; `aside`: an
    empty folder that is used on the way."""
    python = Path(sys.base_prefix)
    closed = next((each for each in reversed(python.parents) if not each.stat().st_mode & 0o001), None)
    if closed is None:
        return PROGRAM
    names = {"python": python, "aside": aside, "closed": closed}
    script = _SHOWN.format(**{name: shlex.quote(str(path)) for name, path in names.items()})
    return ("unshare", "--mount", "sh", "-c", script, "sh", *PROGRAM)
