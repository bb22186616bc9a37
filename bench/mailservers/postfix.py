"""Postfix: as Debian brings it, with flow control off, and only accepting. Log-ins are Dovecot's to judge.

What all three have besides Debian's settings: no cap on the clients of one address, since all clients come from the
loopback; no look-ups in DNS; the two hardenings against smuggled mail; a log file. What leaves is discarded (discard(8)
costs next to nothing), or goes to the sink.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import ClassVar

from mailservers import dovecot
from mailservers.server import HOST, Server
from op25b.lab.mailserver import known_parameters

# name, type, private, unprivileged, chroot, wake-up, process limit, command (master(5)), as in Debian's master.cf
SERVICES = """\
127.0.0.1:{ports.plain} inet n - n - - smtpd
127.0.0.1:{ports.starttls} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{ports.implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Server):
    name = "Postfix as Debian brings it"
    settings: ClassVar[dict[str, str]] = {}

    def configure(self) -> None:
        folder, place = self.place.folder, self.place
        folder.chmod(0o755)
        etc = folder / "etc"
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        settings: ClassVar = {
            "compatibility_level": "3.6",
            "myhostname": HOST,
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "queue_directory": folder / "queue",
            "data_directory": folder / "data",
            "maillog_file_prefixes": folder,
            "maillog_file": folder / "log",
            "alias_maps": "",
            "alias_database": "",
            "disable_dns_lookups": "yes",
            "smtp_host_lookup": "native",
            "smtpd_peername_lookup": "no",
            "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "message_size_limit": 50 << 20,
            "smtpd_client_connection_count_limit": 0,
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": place.certificate,
            "smtpd_tls_key_file": place.key,
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": dovecot.SOCKET,
            "smtpd_forbid_bare_newline": "normalize",
            "smtpd_forbid_unauth_pipelining": "yes",
            "default_transport": "discard:" if place.smart_host is None else f"smtp:[127.0.0.1]:{place.smart_host}",
            "import_environment": " ".join(["MAIL_CONFIG", *(f"{k}={v}" for k, v in self.environment().items())]),
        } | self.settings
        known = known_parameters()
        (etc / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items() if key in known))
        (etc / "master.cf").write_text(SERVICES.format(ports=self.ports))
        # a Postfix program that finds a fresh file waits two seconds, in case its author is not done
        for path in etc.iterdir():
            os.utime(path, (0, 0))
        subprocess.run(["postfix", "-c", str(etc), "check"], check=True, capture_output=True)

    def commands(self) -> list[list[str]]:
        socket = self.place.folder / "queue" / dovecot.SOCKET
        master = subprocess.run(["postconf", "-dh", "daemon_directory"], check=True, capture_output=True, text=True)
        return [
            dovecot.configure(self.place.folder / "dovecot", socket, self.place.names),
            [f"{master.stdout.strip()}/master", "-d", "-c", str(self.place.folder / "etc")],
        ]

    def taken(self) -> int:
        """What is in the queue, and what its log says has left."""
        return self.queued() + self.sent()

    def queued(self) -> int:
        queues = ("maildrop", "incoming", "active", "deferred", "hold")
        return sum(len(files) for name in queues for _, _, files in os.walk(self.place.folder / "queue" / name))

    def sent(self) -> int:
        log = self.place.folder / "log"
        return log.read_bytes().count(b" status=sent ") if log.exists() else 0


class Unthrottled(Postfix):
    name = "Postfix, flow control off"
    settings: ClassVar = {"in_flow_delay": "0"}


class AcceptOnly(Postfix):
    """Every message goes on hold: the queue manager never sees it."""

    name = "Postfix that only accepts"
    settings: ClassVar = {"in_flow_delay": "0", "smtpd_client_restrictions": "check_client_access static:HOLD"}
