"""The two ways a command may end badly, and the words and exit status that go with each."""

from __future__ import annotations


class UserError(Exception):
    """Bad usage or bad input: exit status 2. The text says whose fault, where, and what to do."""

    exit_status = 2


class Missing(Exception):
    """A privilege or a component is missing: exit status 3. The text says how to get it."""

    exit_status = 3
