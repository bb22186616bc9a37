"""A new password: from a terminal or from standard input, never from the command line."""

from __future__ import annotations

import getpass
import sys

from op25b.errors import UserError


def asked_for() -> str:
    """Asked for twice on a terminal; else the first line of standard input. Raises UserError if the two differ."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != password:
        raise UserError("the two are not the same; nothing was changed")
    return password
