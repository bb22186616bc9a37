"""Dovecot's auth service, which Postfix asks about log-ins; the password is kept in the clear, the cheapest scheme."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

from smtpload import PASSWORD

SOCKET = "dovecot-auth"

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols =
ssl = no
auth_mechanisms = plain
auth_cache_size = 10M
disable_plaintext_auth = no
default_login_user = dovenull
default_internal_user = dovecot
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  client_limit = 20000
  unix_listener {socket} {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""


def configure(folder: Path, socket: Path, names: list[str]) -> list[str]:
    """Write what it needs into a folder of its own; the command that runs it in the foreground."""
    folder.mkdir()
    (folder / "state").mkdir()
    (folder / "users").write_text("".join(f"{name}:{{PLAIN}}{PASSWORD}\n" for name in names))
    (folder / "dovecot.conf").write_text(CONFIG.format(folder=folder, socket=socket))
    for path in (folder, folder / "users"):
        path.chmod(0o755)
    return ["/usr/sbin/dovecot", "-F", "-c", str(folder / "dovecot.conf")]


def installed() -> bool:
    try:
        pwd.getpwnam("dovecot"), grp.getgrnam("dovecot")
    except KeyError:
        return False
    return Path("/usr/sbin/dovecot").exists()
