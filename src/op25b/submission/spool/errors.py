"""What can go wrong in the spool after it was opened. (Opening raises op25b.errors.UserError.)"""

from __future__ import annotations

import errno


class SpoolError(Exception):
    """The disk failed: nothing was accepted. For a client: 451 4.3.0."""


class SpoolFull(SpoolError):
    """The disk, or the quota, is full: nothing was accepted. For a client: 452 4.3.1."""


class Damaged(SpoolError):
    """A message that was accepted cannot be read back whole. It must not be delivered."""


class Gone(SpoolError):
    """No message with this queue id waits in the spool."""


FULL = {errno.ENOSPC, errno.EDQUOT}


def failure(error: OSError) -> SpoolError:
    """The spool's word for what the operating system said."""
    kind = SpoolFull if error.errno in FULL else SpoolError
    return kind(error.strerror or str(error))
