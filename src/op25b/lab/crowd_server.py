"""Many mail servers elsewhere, none of which wants any mail: whatever address of this host is asked answers on port 25.

A program of its own, standard library only. It writes `ready` to standard output once it listens.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

GREETING = b"554 5.3.2 no mail here\r\n"


def main() -> None:
    with socket.create_server(("::", 25), family=socket.AF_INET6, backlog=512, dualstack_ipv6=True) as listening:
        os.write(1, b"ready\n")
        while True:
            client, _ = listening.accept()
            with client, suppress(OSError):
                client.setblocking(False)
                client.send(GREETING)


if __name__ == "__main__":
    main()
