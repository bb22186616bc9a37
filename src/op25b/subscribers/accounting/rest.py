"""What FreeRADIUS 3's rlm_rest posts (body = 'json'), as the attributes that it had from the access server.

{"User-Name": {"type": "string", "value": ["u1"]}, "Acct-Status-Type": {"type": "integer", "value": ["Start"]}}
"""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Interface

from op25b.subscribers.accounting.facts import Attribute, Attributes, Status
from op25b.subscribers.accounting.faults import Discarded, Fault

_STATUS = {
    "Start": Status.START,
    "Stop": Status.STOP,
    "Alive": Status.INTERIM,
    "Interim-Update": Status.INTERIM,
    "Accounting-On": Status.ON,
    "Accounting-Off": Status.OFF,
}
"""FreeRADIUS' names of the values, which it writes unless `raw_value` is set."""
_OTHER_STATUS = 0


def attributes(body: bytes) -> Attributes:
    """Raises Discarded."""
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError("not an object")
        return {_READ[name][0]: _values(name, entry) for name, entry in document.items() if name in _READ}
    except RecursionError:
        raise Discarded(Fault.MALFORMED, "nested too deep") from None
    except ValueError as error:
        raise Discarded(Fault.MALFORMED, str(error)[:100]) from None


def _values(name: str, entry: object) -> list[bytes]:
    values = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name} has no list of values")
    return [_READ[name][1](value) for value in values]


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("a text is none")
    try:
        # FreeRADIUS 3.2 writes each octet of a character by itself: \u00E3\u0081\u0082
        octets = value.encode("latin-1")
        octets.decode()
    except UnicodeError:
        octets = value.encode(errors="replace")
    return octets


def _octets(value: object) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    return _text(value)


def _number(value: object) -> bytes:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
        raise ValueError("a number is none")
    return value.to_bytes(4)


def _status(value: object) -> bytes:
    return _number(_STATUS.get(value, _OTHER_STATUS) if isinstance(value, str) else value)


def _v4(value: object) -> bytes:
    return IPv4Address(_string(value)).packed


def _v6(value: object) -> bytes:
    return IPv6Address(_string(value)).packed


def _v6_prefix(value: object) -> bytes:
    found = IPv6Interface(_string(value))
    return bytes((0, found.network.prefixlen)) + found.ip.packed


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("an address is none")
    return value


_READ: dict[str, tuple[Attribute, Callable[[object], bytes]]] = {
    "User-Name": (Attribute.USER_NAME, _text),
    "NAS-IP-Address": (Attribute.NAS_IP_ADDRESS, _v4),
    "Framed-IP-Address": (Attribute.FRAMED_IP_ADDRESS, _v4),
    "Class": (Attribute.CLASS, _octets),
    "Calling-Station-Id": (Attribute.CALLING_STATION_ID, _text),
    "NAS-Identifier": (Attribute.NAS_IDENTIFIER, _text),
    "Acct-Status-Type": (Attribute.ACCT_STATUS_TYPE, _status),
    "Acct-Delay-Time": (Attribute.ACCT_DELAY_TIME, _number),
    "Acct-Session-Id": (Attribute.ACCT_SESSION_ID, _text),
    "Acct-Session-Time": (Attribute.ACCT_SESSION_TIME, _number),
    # rlm_rest writes dates in words, with the abbreviation of its zone: `op25b integrate freeradius` puts the number
    # of seconds here
    "Tmp-Integer-0": (Attribute.EVENT_TIMESTAMP, _number),
    "NAS-IPv6-Address": (Attribute.NAS_IPV6_ADDRESS, _v6),
    "Framed-IPv6-Prefix": (Attribute.FRAMED_IPV6_PREFIX, _v6_prefix),
    "Delegated-IPv6-Prefix": (Attribute.DELEGATED_IPV6_PREFIX, _v6_prefix),
    "Framed-IPv6-Address": (Attribute.FRAMED_IPV6_ADDRESS, _v6),
}
