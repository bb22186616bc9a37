"""Configuration samples for a mail server at home that relays through the provider's server (claim S5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from op25b.answers.blocks import Paragraph, Sample
from op25b.answers.speech import Speaker, mark
from op25b.policy.fields import SUBDOMAIN
from op25b.policy.model import OwnServer

# postconf(5) relayhost; SASL_README, "Enabling SASL authentication in the Postfix SMTP/LMTP client"
_POSTFIX = """\
# /etc/postfix/main.cf
relayhost = [{host}]:587
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = secure
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt

# /etc/postfix/sasl_passwd (mode 0600; then: postmap /etc/postfix/sasl_passwd)
[{host}]:587 USER:PASSWORD
"""
# Exim specification, chapter 20 (manualroute) and chapter 33 (authenticators)
_EXIM = """\
# routers, before the one for dnslookup
smart_host:
  driver = manualroute
  domains = ! +local_domains
  transport = smart_host_smtp
  route_list = * {host}::587

# transports
smart_host_smtp:
  driver = smtp
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_certificates = system
  tls_verify_hosts = *
  tls_verify_cert_hostnames = *

# authenticators
plain_client:
  driver = plaintext
  public_name = PLAIN
  client_send = ^USER^PASSWORD
"""
# cf/README, "SMTP AUTHENTICATION", "STARTTLS" and "MAILER_DEFINITIONS"
_SENDMAIL = """\
dnl /etc/mail/sendmail.mc, before the lines of MAILER
define(`SMART_HOST', `[{host}]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h 587')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl
define(`confCACERT', `/etc/ssl/certs/ca-certificates.crt')dnl
define(`confCACERT_PATH', `/etc/ssl/certs')dnl
FEATURE(`check_cert_altnames')dnl
FEATURE(`access_db')dnl
FEATURE(`authinfo', `hash /etc/mail/authinfo')dnl

# /etc/mail/access (then: makemap hash /etc/mail/access < /etc/mail/access)
TLS_Srv:{host} VERIFY+CN:{host}

# /etc/mail/authinfo (mode 0600; then: makemap hash /etc/mail/authinfo < /etc/mail/authinfo)
AuthInfo:{host} "U:USER" "I:USER" "P:PASSWORD" "M:PLAIN LOGIN"
"""
# smtpd.conf(5), relay: host, auth, tls
_OPENSMTPD = """\
# /etc/mail/smtpd.conf (Debian: /etc/smtpd.conf), in place of its lines for "relay"
table secrets file:/etc/mail/secrets
action "relay" relay host smtp+tls://provider@{host}:587 auth <secrets>
match from local for any action "relay"

# /etc/mail/secrets (mode 0600)
provider USER:PASSWORD
"""
# New-SendConnector, ExchangePowerShell reference
_EXCHANGE = """\
# Exchange Management Shell; asks for USER and PASSWORD
New-SendConnector -Name "Smart host" -AddressSpaces "SMTP:*;1" `
  -DNSRoutingEnabled $false -SmartHosts "{host}" -Port 587 `
  -SmartHostAuthMechanism BasicAuthRequireTLS `
  -AuthenticationCredential (Get-Credential)
"""


class _Server(NamedTuple):
    """`implicit`: what is written for port 465 in place of what; None: it does not do implicit TLS as a client."""

    caption: str
    language: str
    text: str
    implicit: tuple[str, str] | None = None


_SERVERS = (
    _Server("Postfix", "postfix", _POSTFIX, ("smtp_tls_CAfile", "smtp_tls_wrappermode = yes\nsmtp_tls_CAfile")),
    _Server("Exim", "exim", _EXIM, ("driver = smtp\n", "driver = smtp\n  protocol = smtps\n")),
    _Server("sendmail", "sendmail", _SENDMAIL),
    _Server("OpenSMTPD", "opensmtpd", _OPENSMTPD, ("smtp+tls:", "smtps:")),
    _Server("Microsoft Exchange", "powershell", _EXCHANGE),
)
_LEAD = mark(
    "Samples. In place of USER and PASSWORD put what SMTP AUTH asks for. The sender address of the mail should be one "
    "that you may use with this account."
)


def samples(server: OwnServer, say: Speaker) -> Iterator[Paragraph | Sample]:
    """One for each common mail server, with the name of the provider's filled in; with port 465 where it has no 587."""
    host = server.hosts[0].replace(SUBDOMAIN, "SUBDOMAIN")
    yield Paragraph(say(_LEAD))
    if host != server.hosts[0]:
        yield Paragraph(say("In place of SUBDOMAIN put the sub-domain of your mail address."))
    for name, language, text, implicit in _SERVERS:
        if 587 not in server.ports:
            if implicit is None:
                continue
            text = text.replace(*implicit).replace("587", "465")
        yield Sample(name, language, text.replace("{host}", host))
