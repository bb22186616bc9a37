"""The `nft` program, for everything but the members of large sets."""

from __future__ import annotations

import subprocess

from op25b.enforcement.netlink import NEEDS_PRIVILEGE
from op25b.errors import Missing, UserError


class NftError(UserError):
    """nft refused what it was given; the text is its own."""


def run(script: str) -> None:
    """Give `script` to `nft -f -`: one transaction, all of it or nothing.

    Raises Missing without nft or without CAP_NET_ADMIN, NftError when it refuses.
    """
    try:
        # close_fds=False: nft inherits the lock of the records, and nothing else that Python opened. It outlives an
        # apply that is killed, and must be done before the next one begins.
        done = subprocess.run(
            ["nft", "-f", "-"], input=script, capture_output=True, text=True, check=False, close_fds=False
        )
    except FileNotFoundError:
        raise Missing("the program nft is not installed: apt install nftables") from None
    if done.returncode:
        if "Operation not permitted" in done.stderr:
            raise Missing(NEEDS_PRIVILEGE)
        raise NftError(done.stderr.strip())
