"""Exim, accepting only: everything stays in its queue."""

from __future__ import annotations

import os
import shutil

from smtpload import PASSWORD

from mailservers import debs
from mailservers.server import HOST, Server

CONFIG = """
primary_hostname = {host}
local_interfaces = <; 127.0.0.1.{ports.plain} ; 127.0.0.1.{ports.starttls} ; 127.0.0.1.{ports.implicit}
tls_on_connect_ports = {ports.implicit}
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
spool_directory = {folder}/spool
split_spool_directory = true
log_file_path = {folder}/spool/%slog
pid_file_path = {folder}/pid
exim_user = Debian-exim
exim_group = Debian-exim
keep_environment =
queue_only = true
message_size_limit = 50M
smtp_accept_max = 0
smtp_accept_max_per_connection = 0
smtp_connect_backlog = 1024
host_lookup =
disable_ipv6 = true
acl_smtp_rcpt = check
acl_smtp_data = accept
begin acl
check:
  accept condition = ${{if eq{{$received_port}}{{{ports.plain}}}}}
  accept authenticated = *
  deny
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{${{lookup{{$auth2}}lsearch{{{folder}/users}}}}}}}}
  server_set_id = $auth2
"""


class Exim(Server):
    name = "Exim"

    def configure(self) -> None:
        folder, user = self.place.folder, debs.USERS["Debian-exim"]
        folder.chmod(0o755)
        (folder / "spool").mkdir()
        shutil.copy(self.place.key, folder / "key.pem")
        shutil.copy(self.place.certificate, folder / "certificate.pem")
        (folder / "users").write_text("".join(f"{name}: {PASSWORD}\n" for name in self.place.names))
        for name in ("spool", "key.pem", "certificate.pem", "users"):
            os.chown(folder / name, user, user)
        (folder / "exim.conf").write_text(CONFIG.format(folder=folder, ports=self.ports, host=HOST))

    def commands(self) -> list[list[str]]:
        folder = self.place.folder
        program = debs.unpacked("exim4") / "usr" / "sbin" / "exim4"
        return [debs.inside("exim4", {}, folder, [str(program), "-C", str(folder / "exim.conf"), "-bdf"])]

    def taken(self) -> int:
        return sum(1 for _ in (self.place.folder / "spool" / "input").glob("*/*-H"))
