"""Ways round a filter on port 25: which this ruleset closes, as the policy sets it, and which no such filter can."""

from __future__ import annotations

from dataclasses import dataclass

from op25b.policy.model import Filter


@dataclass(frozen=True)
class Limit:
    """One way round: what is so, and what to do about it (None when it is closed and nothing is left to do)."""

    way: str
    closed: bool
    what: str
    mend: str | None


def limits(wanted: Filter) -> tuple[Limit, ...]:
    """Every known way, in one order; `closed` and the words follow the policy's settings."""
    return (_tunnels(wanted), _fragments(wanted), *_OPEN)


def _tunnels(wanted: Filter) -> Limit:
    way = "plain tunnels (6in4, IPIP, GRE)"
    if wanted.tunnels == "block":
        return Limit(way, True, "TCP to port 25 inside them is refused where a phase enforces", None)
    return Limit(way, False, "TCP to port 25 inside them passes", 'write tunnels = "block" under [filter]')


def _fragments(wanted: Filter) -> Limit:
    way = "IPv6 fragments that hide the TCP header (RFC 7112)"
    if wanted.fragments == "block":
        return Limit(way, True, "they are dropped where a phase enforces", None)
    return Limit(way, False, "they pass", 'write fragments = "block" under [filter]')


_OPEN = (
    Limit(
        "Teredo (RFC 4380) and other tunnels inside UDP (VXLAN, GUE, foo-over-UDP)",
        False,
        "the inner packet is UDP payload to a port of the sender's choice, which a filter on headers does not open",
        "block UDP port 3544 for covered sources if Teredo is seen, and watch the far ends",
    ),
    Limit(
        "encrypted tunnels (IPsec ESP, WireGuard, OpenVPN, TLS VPNs)",
        False,
        "what is inside cannot be read, and the mail leaves from the tunnel's far end",
        "leave it to the network of the far end, whose addresses then answer for the mail",
    ),
    Limit(
        "SSH port forwarding, SOCKS and HTTP CONNECT proxies",
        False,
        "the connection to port 25 is made by the proxy, from outside the covered pools",
        "leave it to the network of the proxy; open proxies inside the pools are covered like any other source",
    ),
    Limit(
        "tunnels within tunnels, fragmented tunnel packets, GRE of PPTP (RFC 2637) or of Ethernet (RFC 7637)",
        False,
        "one layer of a plain tunnel is looked into, if in one piece and laid out as RFC 2784 and RFC 2890 say",
        "filter the protocols 4, 41 and 47 for pools where nobody needs them",
    ),
    Limit(
        "QinQ (more than one VLAN tag) and PPPoE frames on a bridge",
        False,
        "a bridge does not show the filter the IP packet inside them",
        "enforce where the packets are routed, after the access concentrator",
    ),
    Limit(
        "traffic that does not pass the forward hook",
        False,
        "packets switched below IP, offloaded past nftables (flowtables, XDP), forwarded by other routers, or sent by"
        " the router itself are not seen",
        "enforce on every router on the way out, and keep port 25 out of flowtables",
    ),
    Limit(
        "submission to other servers with stolen credentials, and webmail",
        False,
        "ports 587, 465 and 443 stay open by design (RFC 5068)",
        "leave it to the operators of those servers, who know their users",
    ),
)
