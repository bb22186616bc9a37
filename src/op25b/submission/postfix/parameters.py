"""What a Postfix needs to take mail by op25b's rules: lines for main.cf(5) and master.cf(5). Pure.

Written for Postfix 3.7.10 and later (Debian 12 has 3.7.11), 3.8.5 and later, 3.9 and later: earlier ones do not know
`smtpd_forbid_bare_newline = normalize`, and pass smuggled mail on (CVE-2023-51764).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from pathlib import Path

from op25b.errors import UserError
from op25b.policy.model import Policy, PopBeforeSmtp
from op25b.policy.verdict import SMTP
from op25b.submission.config import Config
from op25b.submission.postfix.endpoints import is_path
from op25b.submission.postfix.policy import RELAY_CONTEXT

LARGEST_MAILBOX = 51_200_000
"""mailbox_size_limit and virtual_mailbox_limit as they come; below message_size_limit Postfix delivers nothing."""
CLEANUP = "op25b-cleanup"

_SAFE = """
# A message ends at CR LF . CR LF and nowhere else, for the own network too; nobody speaks before it is his turn.
smtpd_forbid_bare_newline = normalize
smtpd_forbid_bare_newline_exclusions =
smtpd_forbid_unauth_pipelining = yes
disable_vrfy_command = yes
smtpd_helo_required = yes
"""
_TLS = """
smtpd_tls_security_level = may
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
"""
_SERVICE = """\
{port} inet n - - - - smtpd
  -o syslog_name=postfix/{name}
  -o smtpd_tls_wrappermode={wrapped}
  -o smtpd_tls_security_level={level}
  -o smtpd_tls_auth_only={tls_only}
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_delay_reject=yes
  -o smtpd_client_restrictions=
  -o smtpd_helo_restrictions=
  -o smtpd_sender_restrictions=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o {{ smtpd_recipient_restrictions = {asks} }}
  -o smtpd_data_restrictions=
  -o {{ smtpd_end_of_data_restrictions = {asks} }}
  -o milter_macro_daemon_name=ORIGINATING
"""
_CLEANUP_SERVICE = """\
# Keeps the customer's address and host name out of the Received field that this host adds, and touches no other.
# Your own header_checks do not work here unless you add them.
{cleanup} unix n - - - 0 cleanup
  -o mime_header_checks=
  -o nested_header_checks=
  -o {{ header_checks = regexp:{{ {{{pattern} REPLACE Received: from customer$$1}} }} }}
"""


def main_cf(config: Config, policy: Policy, queue: Path) -> str:
    """Lines for main.cf. `queue`: Postfix's queue_directory. Raises UserError for paths that Postfix cannot be told."""
    submission = config.submission
    lines = [
        "# Made by `op25b integrate postfix`: make it anew when the service's configuration or the policy changes.",
        "# These take the place of your own lines of the same names.",
        f"myhostname = {submission.hostname}",
        *_sizes(submission.limits.size),
        f"smtpd_recipient_limit = {submission.limits.recipients}",
        f"smtpd_client_connection_count_limit = {submission.limits.address.connections}",
        "smtpd_client_event_limit_exceptions =",
        *_SAFE.splitlines(),
        "",
        *_certificates(config),
        *_TLS.strip().splitlines(),
        "",
        *_sasl(config, queue),
        "",
        *_relaying(config, policy, queue),
    ]
    return "\n".join(lines) + "\n"


def master_cf(config: Config, queue: Path) -> str:
    """Lines for master.cf: the ports 587 and 465. Raises as `main_cf`."""
    submission = config.submission
    asks, hides = _asks(config, queue), submission.hide_customers
    plain = submission.auth_without_tls
    starttls = {"level": "may" if plain else "encrypt", "tls_only": "no" if plain else "yes", "wrapped": "no"}
    implicit = {"level": "encrypt", "tls_only": "yes", "wrapped": "yes"}
    found = ["# Made by `op25b integrate postfix`: in place of the services submission and submissions (smtps).\n"]
    for port, name, options in ((587, "submission", starttls), (465, "submissions", implicit)):
        found.append(_SERVICE.format(port=port, name=name, asks=asks, **options))
        if hides:
            found.append(f"  -o smtpd_sasl_authenticated_header=no\n  -o cleanup_service_name={CLEANUP}\n")
    if hides:
        found.append(_CLEANUP_SERVICE.format(cleanup=CLEANUP, pattern=_own_received(submission.hostname)))
    return "".join(found)


def _sizes(size: int) -> Iterable[str]:
    yield f"message_size_limit = {size}"
    if size > LARGEST_MAILBOX:
        yield "# 0, no limit: one that is below message_size_limit keeps Postfix from delivering anything."
        yield "mailbox_size_limit = 0"
        yield "virtual_mailbox_limit = 0"


def _certificates(config: Config) -> Iterable[str]:
    first, *more = config.submission.certificates
    yield f"smtpd_tls_chain_files = {_plain(first.key)}, {_plain(first.certificate)}"
    if more:
        yield "# The certificates of further names are for tls_server_sni_maps, postconf(5)."


def _sasl(config: Config, queue: Path) -> Iterable[str]:
    assert config.postfix is not None
    # on 587 and 465 only; there it is put on again
    yield "smtpd_sasl_auth_enable = no"
    yield "smtpd_sasl_security_options = noanonymous"
    if (auth := config.postfix.auth) is not None:
        yield "smtpd_sasl_type = dovecot"
        yield f"smtpd_sasl_path = {_place(auth, queue) if is_path(auth) else f'inet:{auth}'}"


def _relaying(config: Config, policy: Policy, queue: Path) -> Iterable[str]:
    """Port 25: who relays without a password, and that nobody else does."""
    assert config.postfix is not None
    server = next(each for each in policy.own_servers if each.name == config.submission.server)
    networks = _networks(policy) if SMTP in server.ports else []
    by_pop = config.postfix.policy is not None and policy.submission.pop_before_smtp is not PopBeforeSmtp.REFUSED
    yield "# Port 25: this host itself, and the policy's pools if it opens this server's port 25 to them."
    yield "mynetworks =" + "".join(f"\n  {each}" for each in ("127.0.0.0/8", "[::1]/128", *networks))
    known = ["permit_mynetworks"]
    if by_pop:
        known.append(f"check_policy_service {{ {_service(config, queue)}, policy_context={RELAY_CONTEXT} }}")
    yield f"smtpd_relay_restrictions = {', '.join([*known, 'reject_unauth_destination'])}"
    if (asks := _asks(config, queue)) and (networks or by_pop):
        yield "# Checks of your own, of strangers' mail, go after it."
        yield f"smtpd_recipient_restrictions = {asks}"
        yield f"smtpd_end_of_data_restrictions = {asks}"


def _networks(policy: Policy) -> list[str]:
    prefixes = [prefix for pool in policy.pools for prefix in pool.prefixes]
    v4 = collapse_addresses(prefix for prefix in prefixes if isinstance(prefix, IPv4Network))
    v6 = collapse_addresses(prefix for prefix in prefixes if isinstance(prefix, IPv6Network))
    return [*map(str, v4), *(f"[{each.network_address}]/{each.prefixlen}" for each in v6)]


def _asks(config: Config, queue: Path) -> str:
    assert config.postfix is not None
    return f"check_policy_service {_service(config, queue)}" if config.postfix.policy is not None else ""


def _service(config: Config, queue: Path) -> str:
    assert config.postfix is not None
    assert config.postfix.policy is not None
    endpoint = config.postfix.policy
    return f"unix:{_place(endpoint, queue)}" if is_path(endpoint) else f"inet:{endpoint}"


def _place(path: str, queue: Path) -> str:
    """Below the queue's folder relative to it, so that it is the same for services that are chrooted there."""
    plain = Path(_plain(Path(path)))
    return str(plain.relative_to(queue) if plain.is_relative_to(queue) else plain)


def _plain(path: Path) -> str:
    """Raises UserError for a path that would end, or mean something, in a main.cf."""
    if not re.fullmatch(r"[A-Za-z0-9/._+@:-]+", str(path)):
        raise UserError(f"{path}: Postfix cannot be told this path; use letters, digits and / . _ + @ : - in it only")
    return str(path)


def _own_received(hostname: str) -> str:
    """A regular expression for the field of an authenticated client that this host adds; in $1 what of it stays."""
    name = hostname.replace(".", "[.]")
    client = r"[^[:space:]]+ \([^()]*\[[^]]*\]\)"
    return rf"/^Received: from {client}(.*[[:space:]]by {name} \([^()]*\) with (UTF8SMTP|ESMTP)S?A id .*)$$/"
