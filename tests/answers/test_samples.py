"""The samples for mail servers at home, as the page shows them: real servers relay with them, and only to the provider.

Each runs on a host of its own with what its package's installer would have done, and the sample put in where it says.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from op25b.answers.blocks import Sample
from op25b.answers.pages import PAGES, Subject
from op25b.answers.speech import Language, Speaker
from op25b.policy.load import load
from op25b.policy.verdict import Judge
from tests.support.home_server import ALIAS, HOME, PLAIN, Street, put, street, written
from tests.support.service import HOST, PASSWORD, POLICY, USER

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="needs dnsmasq: apt install dnsmasq-base"),
]

TO = "x@elsewhere.example"
MAIL = f"From: {USER}\nTo: {TO}\nSubject: from home\n\nHello\n"
REFUSALS = re.compile(r"certificate.*(not (trusted|verified)|fail)|authentication failed|does not match", re.I)


def postfix(sample: str) -> str:
    """Debian's main.cf with the sample's lines behind."""
    (main, lines, _), *others = written(sample)
    return f"""
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
{put(main, lines)}
printf 'maillog_file = /var/log/mail.log\\n' | cat /usr/share/postfix/main.cf.debian - {main} > /etc/postfix/whole.cf
mv /etc/postfix/whole.cf {main}
{"".join(put(*each) for each in others)}
touch /etc/aliases
newaliases
/usr/lib/postfix/configure-instance.sh -
postfix start
sendmail -f {USER} {TO} < /mnt/mail
soon 'grep -q status= /var/log/mail.log'
cat /var/log/mail.log
postfix stop
"""


def exim(sample: str) -> str:
    """Exim's own example of a configuration, each part of the sample at the beginning of its section."""
    example = "/usr/share/doc/exim4-base/examples/example.conf"
    _, *parts = re.split(r"^# (routers|transports|authenticators)\b.*\n", sample, flags=re.M)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    edits = " ".join(f"-e '/^begin {name}$/r /mnt/{name}'" for name in sections)
    return f"""
user Debian-exim 64903
install -d -o Debian-exim /var/spool/exim4 /var/log/exim4 /etc/exim4
{"".join(put(f"/mnt/{name}", text) for name, text in sections.items())}
sed {edits} {example} > /etc/exim4/exim4.conf
exim4 -odf -f {USER} {TO} < /mnt/mail
cat /var/log/exim4/mainlog
"""


def sendmail(sample: str) -> str:
    """Debian's sendmail.mc, the sample's lines before those of MAILER."""
    (config, lines, _), *others = written(sample)
    return f"""
user smmta 64911
user smmsp 64912
install -d -o smmta -m 750 /var/spool/mqueue
mkdir -p /etc/mail/m4 /var/lib/sendmail/host_status
touch /etc/mail/m4/dialup.m4 /etc/mail/m4/provider.m4 /etc/mail/local-host-names /etc/mail/aliases
{put("/mnt/lines", lines)}
sed -e '/^MAILER_DEFINITIONS/{{' -e 'r /mnt/lines' -e N -e '}}' /usr/share/sendmail/cf/debian/sendmail.mc > {config}
m4 {config} > /etc/mail/sendmail.cf
{"".join(put(*each) for each in others)}
/usr/libexec/sendmail/sendmail -v -Am -odi -f {USER} {TO} < /mnt/mail || true
"""


def opensmtpd(sample: str) -> str:
    """The configuration that comes with it, but for the lines that the sample has anew."""
    (_, lines, _), *others = written(sample)
    return f"""
user opensmtpd 64901
user opensmtpq 64902
chgrp opensmtpq /usr/sbin/smtpctl
chmod 2755 /usr/sbin/smtpctl
{"".join(put(*each) for each in others)}
{put("/mnt/lines", lines)}
touch /etc/aliases
grep -v '"relay"' /etc/smtpd.conf | cat - /mnt/lines > /mnt/smtpd.conf
install -d -m 711 /var/spool/smtpd /var/lib/opensmtpd /var/lib/opensmtpd/empty
smtpd -d -f /mnt/smtpd.conf 2>&1 | tee /mnt/log &
soon "smtpctl show status > /dev/null 2>&1"
sendmail -f {USER} {TO} < /mnt/mail
soon 'grep -q "mta delivery" /mnt/log'
"""


SERVERS = {
    "postfix": ("", postfix),
    "exim": ("exim4", exim),
    "sendmail": ("sendmail", sendmail),
    "opensmtpd": ("opensmtpd", opensmtpd),
}
BOTH, IMPLICIT = "25, 587, 465", "465"
RELAYING = [*((name, BOTH) for name in SERVERS), *((name, IMPLICIT) for name in ("postfix", "exim", "opensmtpd"))]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("street")) as made:
        yield made


def samples(say: Speaker, host: str = HOST, ports: str = BOTH) -> dict[str, str]:
    """By the syntax, as on the page of a provider whose server has that name and those ports."""
    policy = load(POLICY.replace(HOST, host).replace(BOTH, ports)).policy
    assert policy is not None
    page = PAGES["avoid"](Subject(Judge(policy), datetime.now(UTC), say))
    found = [block for section in page.sections for block in section.blocks if isinstance(block, Sample)]
    return {block.language: block.text.replace("USER", USER).replace("PASSWORD", PASSWORD) for block in found}


def at_home(hosts: Street, name: str, sample: str, authority: Path, scratch: Path) -> str:
    package, script = SERVERS[name]
    return hosts.run(package, authority, put("/mnt/mail", MAIL) + script(sample), scratch)


@pytest.mark.parametrize(("name", "ports"), RELAYING)
def test_mail_is_relayed_through_the_provider(
    hosts: Street, speakers: dict[Language, Speaker], name: str, ports: str, tmp_path: Path
) -> None:
    provider, sample = hosts.provider, samples(speakers["ja"], ports=ports)[name]
    before = len(provider.spooled())
    said = at_home(hosts, name, sample, provider.folder / "ca.pem", tmp_path / "scratch")
    taken = provider.spooled()[before:]
    assert len(taken) == 1, said
    ((envelope, body),) = taken
    assert (envelope.sender, [each.address for each in envelope.recipients]) == (USER, [TO])
    assert (envelope.origin.account, envelope.origin.address) == (USER, HOME)
    assert (envelope.origin.tls or "").startswith("TLSv1.")
    assert b"Subject: from home\r\n" in body


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("other", ["authority", "name"])
def test_nobody_else_gets_the_password(
    hosts: Street, speakers: dict[Language, Speaker], name: str, other: str, tmp_path: Path
) -> None:
    """A server whose certificate is of an authority that is not trusted, or for another name."""
    provider, authority = hosts.provider, hosts.provider.folder / "ca.pem"
    if other == "authority":
        authority = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(authority)
    sample = samples(speakers["ja"], host=ALIAS if other == "name" else HOST)[name]
    before, log_ins = len(provider.spooled()), events(hosts, "log-in")
    said = at_home(hosts, name, sample, authority, tmp_path / "scratch")
    assert REFUSALS.search(said), said
    assert len(provider.spooled()) == before
    assert events(hosts, "log-in") == log_ins, said


@pytest.mark.parametrize("name", SERVERS)
def test_nobody_gets_the_password_in_the_clear(
    hosts: Street, speakers: dict[Language, Speaker], name: str, tmp_path: Path
) -> None:
    """Who took STARTTLS out of the provider's answer would."""
    hosts.heard.clear()
    sample = samples(speakers["ja"], host=PLAIN)[name]
    said = at_home(hosts, name, sample, hosts.provider.folder / "ca.pem", tmp_path / "scratch")
    assert any(command.startswith("EHLO") for command in hosts.heard), said
    assert not any(command.startswith(("AUTH", "MAIL")) for command in hosts.heard), hosts.heard


def events(hosts: Street, event: str) -> int:
    return sum(line.get("event") == event for line in hosts.provider.log())
