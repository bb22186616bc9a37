"""Mail servers of a lab that are not op25b: real Postfix, each with a configuration, queue and mailbox of its own.

Without root a user namespace has one user id, and Postfix, which wants several, cannot run: the stand-in of
standin.py then listens on the same addresses and ports.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from op25b.lab import standin
from op25b.lab.addresses import Address
from op25b.lab.namespaces import environment
from op25b.lab.servers import PASSWORD, MailServer

_NOBODY = 65534

# name, type, private, unprivileged, chroot, wake-up, process limit, command (master(5))
_SERVICES = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def main_cf(server: MailServer, directory: str, known: frozenset[str]) -> str:
    """Pure: the main.cf(5) of a server whose files are below `directory` as the lab sees it.

    `known` are the parameters that the installed Postfix knows.
    """
    settings = {
        "compatibility_level": "3.6",
        "myhostname": server.names[0],
        "mydestination": "",
        "inet_interfaces": ", ".join(map(str, server.addresses)),
        "inet_protocols": "all",
        "queue_directory": f"{directory}/queue",
        "data_directory": f"{directory}/data",
        "maillog_file_prefixes": directory,
        "maillog_file": f"{directory}/log",
        "alias_maps": "",
        "alias_database": "",
        # No DNS in the lab: peers have no names, next hops are addresses or names of the hosts file.
        "smtpd_peername_lookup": "no",
        "disable_dns_lookups": "yes",
        "smtp_host_lookup": "native",
        "relayhost": f"[{server.relay_to}]:25" if server.relay_to else "",
        "mynetworks": f"cidr:{directory}/etc/networks",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "virtual_mailbox_domains": ", ".join(server.domains),
        "virtual_mailbox_base": directory,
        "virtual_mailbox_maps": "static:inbox/",
        "virtual_uid_maps": f"static:{_NOBODY}",
        "virtual_gid_maps": f"static:{_NOBODY}",
        "smtpd_tls_key_file": f"{directory}/etc/key.pem",
        "smtpd_tls_cert_file": f"{directory}/etc/cert.pem",
        "smtpd_tls_loglevel": "1",
        "in_flow_delay": "0",
        "smtpd_forbid_unauth_pipelining": "yes",
        "smtpd_forbid_bare_newline": "normalize",
        "smtpd_forbid_bare_newline_exclusions": "",  # it would be the own customers
        **_smart_hosts(server, directory),
        **_at_home(server),
    }
    hardening = "smtpd_forbid_"
    told = {name: value for name, value in settings.items() if not name.startswith(hardening) or name in known}
    return "".join(f"{name} = {value}\n" for name, value in told.items())


def _smart_hosts(server: MailServer, directory: str) -> dict[str, str]:
    """How the owner of a home server sets up the provider's server as a smart host."""
    if not server.smart_hosts:
        return {}
    hops = {way.sender: (f"[{way.host}]:{way.port}", way.account) for way in server.smart_hosts}
    logins = {hop: account for hop, account in hops.values() if account}
    return {
        "sender_dependent_relayhost_maps": _inline({sender: hop for sender, (hop, _) in hops.items()}),
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_sasl_password_maps": _inline({hop: f"{account}:{PASSWORD}" for hop, account in logins.items()}),
        # without a name in the handshake a server with several certificates shows its first
        "smtp_tls_policy_maps": _inline(dict.fromkeys(logins, "secure match=nexthop servername=hostname")),
        "smtp_tls_CAfile": f"{Path(directory).parent}/authority.pem",
        "smtp_address_preference": "ipv4",
    }


def _at_home(server: MailServer) -> dict[str, str]:
    """Mail that cannot be delivered is tried again as Postfix does by itself, only sooner."""
    if not server.routes:
        return {}
    return {
        "transport_maps": _inline({domain: f"smtp:[{address}]:25" for domain, address in server.routes}),
        "queue_run_delay": "1s",
        "minimal_backoff_time": "1s",
    }


def _inline(table: dict[str, str]) -> str:
    return "inline:{" + ", ".join(f"{{{key} = {value}}}" for key, value in table.items()) + "}"


def master_cf(server: MailServer) -> str:
    """Pure: the master.cf(5): one listener per address and port, with nothing else open."""
    options = {
        25: "",
        587: " -o smtpd_tls_security_level=encrypt",
        465: " -o smtpd_tls_wrappermode=yes",
    }
    listeners = (
        f"{_bracketed(address)}:{port} inet n - n - - smtpd{options.get(port, '')}\n"
        for address in server.addresses
        for port in server.ports
    )
    return "".join(listeners) + _SERVICES


def networks_table(server: MailServer) -> str:
    """Pure: cidr_table(5) of the clients that the server relays for."""
    return "".join(f"{network} OK\n" for network in server.relay_for)


def known_parameters() -> frozenset[str]:
    """The main.cf parameters of the installed Postfix."""
    listing = subprocess.run(
        ["postconf", "-d", "-H"], capture_output=True, text=True, check=True, env=environment()
    ).stdout
    return frozenset(listing.split())


def write_postfix(server: MailServer, root: Path, directory: str, known: frozenset[str]) -> None:
    """Write a server's files. `root` is the lab's `directory` as seen from here."""
    etc = root / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    for name in ("queue", "data"):
        (root / name).mkdir(exist_ok=True)
    shutil.chown(root / "data", "postfix")
    os.chown(root, _NOBODY, _NOBODY)  # virtual(8) makes the mailbox as that user
    (etc / "main.cf").write_text(main_cf(server, directory, known))
    (etc / "master.cf").write_text(master_cf(server))
    (etc / "networks").write_text(networks_table(server))
    # A Postfix program that finds a fresh file waits two seconds, in case its author is not done.
    for name in ("main.cf", "master.cf"):
        os.utime(etc / name, (0, 0))


def postfix_command(directory: str) -> list[str]:
    return ["postfix", "-c", f"{directory}/etc", "start"]


def standin_command(server: MailServer, root: Path, directory: str) -> list[str]:
    """Write the stand-in's configuration and give the command that runs it (see Lab.spawn)."""
    etc = root / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    settings = {
        "name": server.names[0],
        "addresses": [str(a) for a in server.addresses],
        "ports": server.ports,
        "domains": server.domains,
        "relay_for": [str(n) for n in server.relay_for],
        "relay_to": str(server.relay_to) if server.relay_to else None,
        "routes": {domain: str(address) for domain, address in server.routes},
        "smart_hosts": {way.sender: [way.host, way.port, way.account] for way in server.smart_hosts},
        "password": PASSWORD,
        "authority": f"{Path(directory).parent}/authority.pem",
        "inbox": f"{directory}/inbox",
        "key": f"{directory}/etc/key.pem",
        "certificate": f"{directory}/etc/cert.pem",
    }
    (etc / "standin.json").write_text(json.dumps(settings))
    return [sys.executable, "-I", "-S", standin.__file__, f"{directory}/etc/standin.json"]


def _bracketed(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
