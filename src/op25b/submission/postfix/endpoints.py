"""Where Postfix reaches op25b: a Unix socket's path, or address and port. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from op25b.policy.fields import port

Address = IPv4Address | IPv6Address


def endpoint(text: str) -> str:
    """The text, if it is an absolute path, or an address and a port. Raises ValueError."""
    if not is_path(text):
        try:
            network_endpoint(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is no place to listen at; write an absolute path, or address and port: 127.0.0.1:10025"
            ) from None
    return text


def is_path(text: str) -> bool:
    """Whether an endpoint is a Unix socket."""
    return text.startswith("/")


def network_endpoint(text: str) -> tuple[Address, int]:
    """Address and port of an endpoint that is no path. Raises ValueError."""
    host, _, number = text.rpartition(":")
    address = ip_address(host.removeprefix("[").removesuffix("]"))
    if (address.version == 6) != host.startswith("["):
        raise ValueError("IPv6 addresses, and no others, are in brackets")
    return address, port(int(number))


def client_address(text: str) -> Address:
    """What Postfix says of its client; 0.0.0.0 for one that has no address ("unknown")."""
    try:
        return ip_address(text)
    except ValueError:
        return IPv4Address(0)
