"""OpenSMTPD, accepting only: its delivery is paused from the start. It does not sync before it replies.

Its listen backlog of 5 is raised (preload.c): with it, most of the clients would wait for a retransmission.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mailservers import debs, preload
from mailservers.server import HOST, Server

MD5_HIMITSU = "$1$op25b$2cNVdCCgg3HnaARyY0FPK0"
"""crypt(3) of the accounts' password: the cheapest scheme that OpenSMTPD takes."""

CONFIG = """
pki bench cert "{certificate}"
pki bench key "{folder}/key.pem"
table users file:{folder}/users
smtp max-message-size "50M"
smtp limit max-mails 1000
listen on 127.0.0.1 port {ports.plain} hostname {host}
listen on 127.0.0.1 port {ports.starttls} hostname {host} tls-require pki bench auth <users>
listen on 127.0.0.1 port {ports.implicit} hostname {host} smtps pki bench auth <users>
action "out" relay
match from any for any action "out"
"""


class OpenSmtpd(Server):
    name = "OpenSMTPD"
    logs_in = False
    why_not = "Debian 12's fails every TLS handshake (EVP lib, with RSA and ECDSA keys), and logs in under TLS only"

    def configure(self) -> None:
        folder = self.place.folder
        folder.chmod(0o755)
        for name in ("spool/smtpd", "run", "lib/opensmtpd/empty"):
            (folder / name).mkdir(parents=True)
        (folder / "spool" / "smtpd").chmod(0o711)
        shutil.copy(self.place.key, folder / "key.pem")
        (folder / "key.pem").chmod(0o600)
        (folder / "users").write_text("".join(f"{name} {MD5_HIMITSU}\n" for name in self.place.names))
        text = CONFIG.format(folder=folder, certificate=self.place.certificate, ports=self.ports, host=HOST)
        (folder / "smtpd.conf").write_text(text)
        (folder / "smtpd.conf").chmod(0o600)

    def environment(self) -> dict[str, str]:
        return preload.environment(sync_us=self.place.sync_us, backlog=1024)

    def commands(self) -> list[list[str]]:
        folder = self.place.folder
        program = debs.unpacked("opensmtpd") / "usr" / "sbin" / "smtpd"
        binds = {folder / "spool": "/var/spool", folder / "run": "/run", folder / "lib": "/var/lib"}
        command = [str(program), "-d", "-P", "mta", "-P", "mda", "-f", str(folder / "smtpd.conf")]
        return [debs.inside("opensmtpd", binds, folder, command)]

    def taken(self) -> int:
        queue: Path = self.place.folder / "spool" / "smtpd" / "queue"
        return sum(1 for _ in queue.glob("*/*/message"))
