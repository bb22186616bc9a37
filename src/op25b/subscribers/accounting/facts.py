"""From the attributes of one accounting report, whichever way it came, to the fact about leases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

from op25b.subscribers.accounting.faults import Discarded, Fault
from op25b.subscribers.leases.facts import Claim, Fact, Release, Restart

Attributes = dict[int, list[bytes]]
"""The values by the attributes' numbers, in the order in which they came."""

EARLY = 60
"""Seconds by which an access server's clock may be ahead of ours before its times are set aside."""
LATE = 24 * 3600
"""Seconds that a report may have been on its way, beyond what it says itself, before its time is set aside."""
NAME_OCTETS = 253
"""Of any name: what a RADIUS attribute holds (RFC 2865 5)."""
WIDEST_V6 = 32
"""The shortest prefix that is believed: it is what a registry gives to a whole provider."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Attribute(IntEnum):
    """Those that matter: RFC 2865, 2866, 2869, 3162, 4818, 6911."""

    USER_NAME = 1
    NAS_IP_ADDRESS = 4
    FRAMED_IP_ADDRESS = 8
    CLASS = 25
    CALLING_STATION_ID = 31
    NAS_IDENTIFIER = 32
    PROXY_STATE = 33
    ACCT_STATUS_TYPE = 40
    ACCT_DELAY_TIME = 41
    ACCT_SESSION_ID = 44
    ACCT_SESSION_TIME = 46
    EVENT_TIMESTAMP = 55
    MESSAGE_AUTHENTICATOR = 80
    NAS_IPV6_ADDRESS = 95
    FRAMED_IPV6_PREFIX = 97
    DELEGATED_IPV6_PREFIX = 123
    FRAMED_IPV6_ADDRESS = 168


class Status(IntEnum):
    """Acct-Status-Type (RFC 2866 5.1). The others are not about a subscriber's address (RFC 2867: tunnels)."""

    START = 1
    STOP = 2
    INTERIM = 3
    ON = 7
    OFF = 8


SUBSCRIBER = {
    "User-Name": Attribute.USER_NAME,
    "Class": Attribute.CLASS,
    "Calling-Station-Id": Attribute.CALLING_STATION_ID,
}
"""Which attribute may say who the subscriber is."""


def fact(attributes: Attributes, subscriber: Attribute, received: float, sender: str | None) -> Fact | None:
    """What follows for the leases; None if nothing does.

    `received`: seconds since 1970. `sender`: what an access server is called that does not give its own name or address
    (RFC 2866 4.1 says that it must); None where that cannot be known. Raises Discarded.
    """
    status = _number(attributes, Attribute.ACCT_STATUS_TYPE)
    if status is None:
        raise Discarded(Fault.MISSING, Attribute.ACCT_STATUS_TYPE.name)
    source = _source(attributes) or sender
    if source is None:
        raise Discarded(Fault.MISSING, Attribute.NAS_IDENTIFIER.name)
    at = _at(attributes, received)
    try:
        if status in (Status.ON, Status.OFF):
            return Restart(source, at)
        if status in (Status.START, Status.INTERIM):
            return Claim(*_session(attributes, source, subscriber, at))
        if status == Status.STOP:
            return Release(*_session(attributes, source, subscriber, at))
    except ValueError as error:  # times before 1971, too many prefixes
        raise Discarded(Fault.MALFORMED, str(error)) from None
    return None


def _session(
    attributes: Attributes, source: str, subscriber: Attribute, at: datetime
) -> tuple[str, str, str, tuple[str, ...], datetime, datetime]:
    name, who = _text(attributes, Attribute.ACCT_SESSION_ID), _subscriber(attributes, subscriber)
    if name is None or who is None:
        raise Discarded(Fault.MISSING, (Attribute.ACCT_SESSION_ID if name is None else subscriber).name)
    lasted = _number(attributes, Attribute.ACCT_SESSION_TIME)
    started = at if lasted is None else at - timedelta(seconds=lasted)
    return source, name, who, _prefixes(attributes), at, started


def _at(attributes: Attributes, received: float) -> datetime:
    """Event-Timestamp, which a retransmission repeats; if that cannot be, the time of arrival less Acct-Delay-Time."""
    at = received - (_number(attributes, Attribute.ACCT_DELAY_TIME) or 0)
    stamp = _number(attributes, Attribute.EVENT_TIMESTAMP)
    if stamp is not None and -LATE <= stamp - at <= EARLY:
        at = stamp
    return _EPOCH + timedelta(seconds=at)


def _source(attributes: Attributes) -> str | None:
    if (name := _text(attributes, Attribute.NAS_IDENTIFIER)) is not None:
        return name
    if (v4 := _sized(attributes, Attribute.NAS_IP_ADDRESS, 4)) is not None:
        return str(IPv4Address(v4))
    if (v6 := _sized(attributes, Attribute.NAS_IPV6_ADDRESS, 16)) is not None:
        return str(IPv6Address(v6))
    return None


def _subscriber(attributes: Attributes, attribute: Attribute) -> str | None:
    if attribute != Attribute.CLASS:
        return _text(attributes, attribute)
    # it may come several times, and is octets of any kind (RFC 2865 5.25): shown as FreeRADIUS does if it is no text
    value = attributes.get(attribute, [b""])[0]
    try:
        return _name(value.decode(), attribute) if value else None
    except (UnicodeDecodeError, Discarded):
        return _name(f"0x{value.hex()}", attribute)


def _prefixes(attributes: Attributes) -> tuple[str, ...]:
    """Each once, canonical: 192.0.2.1/32, 2001:db8::/56."""
    found = []
    if (address := _sized(attributes, Attribute.FRAMED_IP_ADDRESS, 4)) is not None:
        found.append(_v4(address))
    for attribute in (Attribute.FRAMED_IPV6_PREFIX, Attribute.DELEGATED_IPV6_PREFIX):
        for value in attributes.get(attribute, ()):
            # RFC 3162 2.3: one reserved octet, the length, as many octets of the prefix as are needed
            if not 2 <= len(value) <= 18 or value[1] > 128:
                raise Discarded(Fault.MALFORMED, attribute.name)
            found.append(_v6(value[2:], value[1]))
    for value in attributes.get(Attribute.FRAMED_IPV6_ADDRESS, ()):
        if len(value) != 16:
            raise Discarded(Fault.MALFORMED, Attribute.FRAMED_IPV6_ADDRESS.name)
        found.append(_v6(value, 128))
    return tuple(dict.fromkeys(found))


def _v4(octets: bytes) -> str:
    text = f"{octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}"
    # 255.255.255.255 and .254 leave the choice to others (RFC 2865 5.8): they are nobody's address
    if octets[0] in (0, 127) or octets[0] >= 224:
        raise Discarded(Fault.ADDRESS, text)
    return f"{text}/32"


def _v6(octets: bytes, length: int) -> str:
    beyond = 128 - length
    # bits beyond the length must be 0, says RFC 3162 2.3; some senders leave the interface's in
    value = int.from_bytes(octets.ljust(16, b"\0")) >> beyond << beyond
    text = f"{IPv6Address(value)}/{length}"
    # global unicast (2000::/3) and unique local addresses (fc00::/7): nobody holds any other
    if length < WIDEST_V6 or (value >> 125 != 0b001 and value >> 121 != 0b1111110):
        raise Discarded(Fault.ADDRESS, text)
    return text


def _name(value: str, attribute: Attribute) -> str:
    if not value or not value.isprintable() or len(value.encode()) > NAME_OCTETS:
        raise Discarded(Fault.NAME, attribute.name)
    return value


def _one(attributes: Attributes, attribute: Attribute) -> bytes | None:
    values = attributes.get(attribute)
    if values is None:
        return None
    if len(values) > 1:
        raise Discarded(Fault.MALFORMED, f"{attribute.name} more than once")
    return values[0]


def _sized(attributes: Attributes, attribute: Attribute, size: int) -> bytes | None:
    value = _one(attributes, attribute)
    if value is not None and len(value) != size:
        raise Discarded(Fault.MALFORMED, attribute.name)
    return value


def _number(attributes: Attributes, attribute: Attribute) -> int | None:
    value = _sized(attributes, attribute, 4)
    return None if value is None else int.from_bytes(value)


def _text(attributes: Attributes, attribute: Attribute) -> str | None:
    value = _one(attributes, attribute)
    if value is None:
        return None
    try:
        return _name(value.decode(), attribute)
    except UnicodeDecodeError:
        raise Discarded(Fault.NAME, attribute.name) from None
