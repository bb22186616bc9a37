"""Single values of the policy file: each function takes a value, returns the good one, raises ValueError.

The message of the error has the form `what is wrong; what to write instead`.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from op25b.policy.countries import COUNTRIES

SUBDOMAIN = "{subdomain}"
"""What stands for the sub-domain of a customer's address in the name of a host (claim S7)."""
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)|\{subdomain\}")
_CLOSED = re.compile(r"(\d\d)-(\d\d)(?:/(\d\d)-(\d\d))?")
_WEB = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(?:[/?#][!#$%&'()*+,./:;=?@_~A-Za-z0-9-]*)?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def shown(value: object) -> str:
    """A value as its writer knows it from the file, short enough for one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, int) and abs(value) >= 10**20:
        # Python refuses to write out numbers of thousands of digits
        return "a huge number"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"


def quoted(text: str) -> str:
    """A text as it can be written in the file."""
    plain = text.isprintable() and not {'"', "\\"} & set(text) and len(text) <= 60
    return f'"{text}"' if plain else shown(text)


def slug(value: str) -> str:
    """A name that fits a command line, a file name and a kernel object: 1 to 64 of a-z 0-9 . and -."""
    if not _SLUG.fullmatch(value):
        mend = re.sub(r"[^a-z0-9.]+", "-", value.lower()).strip("-.")[:64].rstrip("-.") or "pool-1"
        what = f"{shown(value)} is not a name"
        raise ValueError(f"{what}; write lower-case letters, digits, '.' and '-', such as {mend!r}")
    return value


def host_name(value: str) -> str:
    """A host name (RFC 1123, section 2.1), in which one label may be `{subdomain}`."""
    labels = value.split(".")
    if len(value) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{shown(value)} is not a host name; write a name such as 'mail.example.net'")
    return value


def zone(value: str) -> str:
    """A time zone of the IANA database."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{shown(value)} is not a time zone; write one such as 'Asia/Tokyo'") from None
    return value


def country_code(value: str) -> str:
    """A country whose public holidays are known, by its code (ISO 3166-1 alpha-2)."""
    if value not in COUNTRIES:
        meant = value.upper()
        near = {meant} & COUNTRIES or {code for code in COUNTRIES if code[0] == meant[:1]} or {"JP"}
        what = f"{shown(value)} is no country whose public holidays are known"
        raise ValueError(f"{what}; write its code of ISO 3166-1, such as {', '.join(map(shown, sorted(near)))}")
    return value


def aware(value: object) -> object:
    """An instant with its offset from UTC (RFC 3339); a time without one means two things, so it is refused."""
    if not isinstance(value, datetime):
        example = f"{value}T00:00:00+09:00" if isinstance(value, date) else "2008-04-01T00:00:00+09:00"
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            example = value
        raise ValueError(f"{shown(value)} is not an instant; write date, time and offset without quotes, {example}")
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no offset; write {value.isoformat()}+09:00 if Japan time is meant")
    if not 1970 <= value.year < 3000:
        # arithmetic on the edges of the calendar overflows
        raise ValueError(f"{value.isoformat()} is out of range; leave the key out if no bound is meant")
    return value


def network(value: object) -> IPv4Network | IPv6Network:
    """A prefix without host bits; a single address is a prefix of its full length."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    # ipaddress takes 3 for 0.0.0.3: a prefix of the policy is text
    text = value if isinstance(value, str) else ""
    try:
        meant = ip_interface(text).network
    except ValueError:
        what = f"{shown(value)} is not a prefix"
        raise ValueError(f"{what}; write one such as '192.0.2.0/24' or '2001:db8::/32'") from None
    _carried(text, meant.network_address, meant.prefixlen)
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"{shown(value)} has host bits set; write '{meant}'") from None


def single_address(value: object) -> IPv4Address | IPv6Address:
    """One address of either family."""
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    text = value if isinstance(value, str) else ""
    try:
        found = ip_address(text)
    except ValueError:
        what = f"{shown(value)} is not an address"
        raise ValueError(f"{what}; write one such as '192.0.2.25' or '2001:db8::25'") from None
    _carried(text, found, found.max_prefixlen)
    return found


def _carried(text: str, address: IPv4Address | IPv6Address, length: int) -> None:
    """Refuse what parses and yet matches no packet: a zone (RFC 4007), IPv4 written as IPv6 (RFC 4291, 2.5.5.2)."""
    if isinstance(address, IPv4Address):
        return
    if address.scope_id is not None:
        raise ValueError(f"{shown(text)} has a zone; write {shown(re.sub('%[^/]*', '', text))}")
    if address.ipv4_mapped is not None and length >= 96:
        plain = f"{address.ipv4_mapped}/{length - 96}" if "/" in text else f"{address.ipv4_mapped}"
        raise ValueError(f"{shown(text)} is IPv4 written as IPv6, which no packet carries; write '{plain}'")


def port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise ValueError(f"{shown(value)} is not a port; write a number from 1 to 65535")
    return value


def filter_port(value: int) -> int:
    """A port that a phase may block: 25 and no other. Submission must stay open (RFC 5068, section 3.1; claim F6)."""
    if value in (465, 587):
        raise ValueError(f"port {value} is for message submission and is never blocked (RFC 5068); write ports = [25]")
    if value != 25:
        raise ValueError(f"port {shown(value)} is not what this system blocks; write ports = [25] or leave the key out")
    return value


def web_address(value: str) -> str:
    """An address that a page may link to: http or https, a host, nothing that could end the attribute it is in."""
    if not _WEB.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a web address; write one such as 'https://www.example.net/support/'")
    return value


def closed_day(value: str) -> str:
    """`MM-DD` or `MM-DD/MM-DD`."""
    found = _CLOSED.fullmatch(value)
    parts = [int(part) for part in found.groups() if part] if found else []
    if not parts or any(
        not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1]
        for month, day in zip(parts[::2], parts[1::2], strict=True)
    ):
        raise ValueError(f"{shown(value)} is not a day or span of days; write 'MM-DD' or 'MM-DD/MM-DD', '12-29/01-03'")
    return value
