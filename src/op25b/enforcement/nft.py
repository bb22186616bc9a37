"""The `nft` program, for everything but the members of large sets."""

from __future__ import annotations

import subprocess
import tempfile

from op25b.enforcement.netlink import NEEDS_PRIVILEGE
from op25b.errors import Missing, UserError


class NftError(UserError):
    """nft refused what it was given; the text is its own."""


def run(script: str) -> None:
    """Give `script` to `nft -f -`: one transaction, all of it or nothing.

    Raises Missing without nft or without CAP_NET_ADMIN, NftError when it refuses.
    """
    try:
        # nft outlives an apply that is killed. So it reads from a file: of a pipe that breaks it would run the part
        # that had come. And it inherits the lock of the records (close_fds=False; nothing else that Python opened is
        # inheritable): it must be done before the next apply begins.
        with tempfile.TemporaryFile("w+") as file:
            file.write(script)
            file.seek(0)
            done = subprocess.run(
                ["nft", "-f", "-"], stdin=file, capture_output=True, text=True, check=False, close_fds=False
            )
    except FileNotFoundError:
        raise Missing("the program nft is not installed: apt install nftables") from None
    if done.returncode:
        if "Operation not permitted" in done.stderr:
            raise Missing(NEEDS_PRIVILEGE)
        raise NftError(done.stderr.strip())
