"""What the connections say together: what stands between, where we are, and the summary. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Union

from op25b.doctor.probe.outcomes import FAMILIES, PORTS, RELAY, Login, Outcome, Place, Provider, Role, Target, Try

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
_PRIVATE6 = ("fc00::/7", "fe80::/10", "::1/128")
_NAT = tuple(map(ipaddress.ip_network, (*_PRIVATE, *_PRIVATE6)))
"""Addresses that say nothing of where one is connected."""


def settled(made: Sequence[Try], provider: Provider) -> list[Try]:
    """With what is only seen beside the others: a filter that looks like a missing route, and a server that answers in
    another's place."""
    found = []
    for each in made:
        answers = any(other.family == each.family and other.outcome >= Outcome.REFUSED for other in made)
        if each.detail == "host unreachable" and answers:
            each = replace(each, outcome=Outcome.PROHIBITED, detail="")
        elif _is_redirected(each, made, provider):
            each = replace(each, outcome=Outcome.REDIRECTED)
        found.append(each)
    return found


def _is_redirected(one: Try, made: Sequence[Try], provider: Provider) -> bool:
    """On 25, where no certificate tells who answers: the name in the greeting is not the named server's, and either the
    same host greets otherwise where it has proved its name, or the name is that of another server that was tried."""
    host = one.target.host
    if one.target.port != RELAY or not one.name or _are_related(one.name, host):
        return False
    if one.target.role is Role.OWN and any(_is_below(one.name, domain) for domain in provider.domains):
        return False
    proved = [each for each in made if each.verified and each.outcome is Outcome.WORKS]
    if any(each.target.host == host and not _are_related(each.name, one.name) for each in proved):
        return True
    others = (each for each in made if each.target.host != host and not _are_related(each.target.host, host))
    return any(_are_related(one.name, each.target.host) for each in others)


def _are_related(one: str, other: str) -> bool:
    """Names in one domain, such as mx1.isp.example and smtp.isp.example."""
    return _is_below(one, _parent(other)) or _is_below(other, _parent(one))


def _parent(name: str) -> str:
    rest = name.partition(".")[2]
    return rest if "." in rest else name


def _is_below(name: str, domain: str) -> bool:
    return ("." + name.lower().rstrip(".")).endswith("." + domain.lower())


def place(made: Iterable[Try], networks: Iterable[str]) -> Place:
    """Where we are connected, by our address as servers see it, and by our own where no NAT hides it."""
    prefixes = [ipaddress.ip_network(network) for network in networks]
    texts = {text.split("%")[0] for each in made for text in (each.seen, each.source) if text}
    mine = [address for address in map(_address, texts) if address is not None]
    if not prefixes:
        return Place.UNKNOWN
    if any(address in prefix for address in mine for prefix in prefixes):
        return Place.OWN
    public = [address for address in mine if not any(address in each for each in _NAT)]
    return Place.OTHER if public else Place.UNKNOWN


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


class Summary(NamedTuple):
    """All that the causes follow from, and all that the code says. `cells`: ports 25, 587 and 465 of own and others'
    servers over IPv4 and IPv6, then the server that the mail program is set to; `setting`: its port, 0 if not told, 1
    for one that is none of the three; `own`: it is an own server; `network`: anybody at all answered."""

    cells: tuple[Outcome, ...]
    place: Place = Place.UNKNOWN
    login: Login = Login.UNTRIED
    setting: int = 0
    own: bool = True
    network: bool = True

    def far(self, role: Role, *ports: int, family: int = 0) -> Outcome:
        """How far one got; 0: over either family."""
        wanted = [(role, port) for port in ports] or [(role, 0)]
        return max(
            outcome
            for (each, port, version), outcome in zip(CELLS, self.cells)
            if (each, port) in wanted and family in (0, version)
        )


CELLS = [(role, port, family) for role in (Role.OWN, Role.OTHER) for port in PORTS for family in FAMILIES]
CELLS += [(Role.SETTING, 0, family) for family in FAMILIES]


def summary(made: Sequence[Try], provider: Provider, login: Login, setting: Target | None) -> Summary:
    cells = dict.fromkeys(CELLS, Outcome.UNTRIED)
    for each in made:
        role, host, port = each.target
        rows = [(role, port)]
        if setting is not None and host == setting.host and setting.port in (0, port):
            rows.append((Role.SETTING, 0))
        for row in rows:
            cell = (*row, each.family)
            if cell in cells:
                cells[cell] = max(cells[cell], each.outcome)
    if not provider.name:
        # a server of which nothing is known may well not offer 25 at all
        for family in FAMILIES:
            if cells[Role.OWN, RELAY, family] is Outcome.REFUSED:
                cells[Role.OWN, RELAY, family] = Outcome.UNTRIED
    own = setting is None or any(setting.host == server.host for server in provider.servers)
    port = 0 if setting is None else setting.port if setting.port in (0, *PORTS) else 1
    answered = any(each.outcome >= Outcome.REFUSED for each in made)
    return Summary(tuple(cells.values()), place(made, provider.networks), login, port, own, answered)
