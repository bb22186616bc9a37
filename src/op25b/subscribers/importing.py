"""Taking over accounts from a Dovecot passwd-file.

One account a line, `user:password:uid:gid:gecos:home:shell:extra`, of which the first two and some of the extra fields
are used; `#` begins a comment line. The password is `{SCHEME}hash`, or a bare hash of crypt(3). Files of plain
`user:hash` lines, /etc/shadow among them, are passwd-files too.
See https://doc.dovecot.org/2.3/configuration_manual/authentication/passwd_file/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from op25b.errors import UserError
from op25b.subscribers import schemes
from op25b.subscribers.accounts import prepared_senders
from op25b.subscribers.faults import Fault
from op25b.subscribers.names import account_name
from op25b.subscribers.passwords import Secret, prepare, take_over

_FIELDS = 8
_WIDENS = {
    "allow_nets": "limits the addresses of a log-in, which op25b does not; take the field out if that is meant",
    "nopassword": "lets everybody in; take the field out and give the account a password",
    "user": "renames the account; write that name as the first field",
    "deny": "refuses the account; take the line out, or write nologin instead",
}
"""Extra fields that must not be dropped in silence: the account would be open to more people, or be another one."""


@dataclass(frozen=True)
class Line:
    """One account. `secret` is None where `password`, in the clear, is still to be hashed."""

    number: int
    name: str
    senders: frozenset[str]
    suspended: str | None
    secret: Secret | None = field(repr=False)
    password: str | None = field(repr=False)


def parse(octets: bytes, domain: str | None, taken: Callable[[str], bool]) -> tuple[list[Line], list[Fault]]:
    """Read a passwd-file, every line of it.

    A name without @ may send as `name@domain`. `taken` says whether a prepared name has an account already.
    """
    lines: list[Line] = []
    faults: list[Fault] = []
    first: dict[str, int] = {}
    for number, text in _lines(octets):
        try:
            line = _line(number, text.decode(), domain)
            if line.name in first:
                raise ValueError(f"{line.name} was on line {first[line.name]} already (case makes no difference)")
            first[line.name] = number
            if taken(line.name):
                raise ValueError(f"the account {line.name} exists; --skip-existing leaves those as they are")
        except UnicodeDecodeError:
            faults.append(Fault(number, "not UTF-8; convert the file with iconv"))
        except (ValueError, UserError) as fault:
            faults.append(Fault(number, str(fault)))
        else:
            lines.append(line)
    return lines, faults


def _lines(octets: bytes) -> Iterator[tuple[int, bytes]]:
    for number, text in enumerate(octets.split(b"\n"), start=1):
        text = text.removesuffix(b"\r")
        if text.strip() and not text.startswith(b"#"):
            yield number, text


def _line(number: int, text: str, domain: str | None) -> Line:
    user, colon, rest = text.partition(":")
    if not colon:
        raise ValueError("no colon; a line is user:password, with up to six more fields")
    try:
        name = account_name(user)
    except ValueError as fault:
        raise ValueError(f"the name {fault}") from None
    password, *others = rest.split(":", _FIELDS - 2)
    locked = password.startswith(("!", "*"))
    if locked:
        raise ValueError(f"{name} has no password (! or * in its place); take the line out, or give it one")
    nologin = _extra(others[-1] if len(others) == _FIELDS - 2 else "")
    secret, clear = _secret(name, password)
    return Line(number, name, _senders(name, domain), "nologin in the passwd-file" if nologin else None, secret, clear)


def _extra(text: str) -> bool:
    """True if the extra fields say that nobody may log in. Raises ValueError for those that cannot be dropped."""
    nologin = False
    for each in text.split():
        key, _, value = each.partition("=")
        if key in _WIDENS:
            raise ValueError(f"the extra field {key} {_WIDENS[key]}")
        if key == "nologin" and value.lower() not in ("n", "no", "0"):
            nologin = True
    return nologin


def _secret(name: str, text: str) -> tuple[Secret | None, str | None]:
    if not text:
        raise ValueError(f"{name} has an empty password; give it one")
    secret = take_over(text)
    if secret is not None:
        return secret, None
    _, clear = schemes.scheme_of(text)
    try:
        prepare(clear)
    except ValueError as fault:
        raise ValueError(f"the password {fault}; set a new one") from None
    return None, clear


def _senders(name: str, domain: str | None) -> frozenset[str]:
    if "@" in name:
        return prepared_senders(name, ())
    if domain is None:
        raise ValueError(f"{name} is not a mail address; --domain says as whom such names may send")
    return prepared_senders(name, [f"{name}@{domain}"])
