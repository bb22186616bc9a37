"""What is asked for on the command line, and the connections that follow from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from op25b.doctor.probe.outcomes import PORTS, Provider, Role, Server, Target

SUBDOMAIN = "{subdomain}"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\.?")
_MAIL = re.compile(r"[!-;=?-~]{1,64}@[A-Za-z0-9.-]{1,253}")


class Usage(Exception):
    """What was asked for cannot be done; the text says what to do."""


class Request(NamedTuple):
    """`server`, `port`: what the mail program is set to; `others`: HOST or HOST:PORT,PORT... ; `mail`: the mail
    address, which the server's name may depend on."""

    server: str | None = None
    port: int | None = None
    others: tuple[str, ...] = ()
    mail: str | None = None
    account: str | None = None

    @property
    def sender(self) -> str:
        """The mail address, "" if it is not known."""
        return next((each for each in (self.mail, self.account) if each and _MAIL.fullmatch(each)), "")


def completed(provider: Provider | None, request: Request) -> tuple[Provider, Target | None]:
    """The provider with all that is named besides, and what the mail program is set to: port 0 if only the server
    is told, None if nothing is."""
    if provider is None:
        if request.server is None:
            raise Usage("name your provider's sending server: --server HOST")
        provider = Provider({}, (Server(_host(request.server), PORTS),))
    if request.mail and request.sender != request.mail:
        raise Usage("--mail wants a mail address, such as taro@example.com")
    servers = tuple(Server(_named(each.host, request, provider.domains), each.ports) for each in provider.servers)
    others = provider.others + tuple(map(_other, request.others))
    setting = None
    if request.server or request.port:
        host = _host(request.server) if request.server else next((each.host for each in servers), "")
        if not host:
            raise Usage("name the sending server too: --server HOST")
        setting = Target(Role.SETTING, host, request.port or 0)
        if host not in {each.host for each in servers}:
            # on a port of mail it is as good as any other server elsewhere
            ports = PORTS if request.port is None else {request.port} & set(PORTS)
            others += (Server(host, tuple(ports)),)
    return provider._replace(servers=servers, others=others), setting


def targets(provider: Provider, setting: Target | None) -> Iterator[Target]:
    """Everything to try, each server and port once."""
    named = [(Role.OWN, each) for each in provider.servers] + [(Role.OTHER, each) for each in provider.others]
    found = {(each.host, port): Target(role, each.host, port) for role, each in reversed(named) for port in each.ports}
    if setting is not None and setting.port:
        found.setdefault((setting.host, setting.port), setting)
    return iter(sorted(found.values(), key=lambda each: (each.role, each.host, each.port)))


def _named(host: str, request: Request, domains: Iterable[str]) -> str:
    """The server's name, which may have the sub-domain of the mail address in it (claim S7)."""
    if SUBDOMAIN not in host:
        return host
    domain = request.sender.rpartition("@")[2].lower()
    for each in domains:
        if domain.endswith("." + each):
            return _host(host.replace(SUBDOMAIN, domain[: -len(each) - 1]))
    if request.server and any(request.server.lower().endswith("." + each) for each in domains):
        return _host(request.server)
    wanted = " or ".join(f"...@...{each}" for each in domains)
    raise Usage(f"the sending server's name depends on your mail address: --mail ADDRESS, {wanted}")


def _other(text: str) -> Server:
    host, colon, ports = text.partition(":")
    try:
        return Server(_host(host), tuple(map(port_number, ports.split(","))) if colon else PORTS)
    except ValueError:
        raise Usage(f"{text!a} is not HOST or HOST:PORT,PORT...") from None


def port_number(text: str) -> int:
    """Raises ValueError."""
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError(text)
    return number


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise Usage(f"{text!a} is not a host name")
    return text.lower().rstrip(".")
