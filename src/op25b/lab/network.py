"""Pure: a plan written as the shell script that builds its network namespaces, links, addresses and routes.

Every link has fe80::1 at the router's end and fe80::2 at the host's, and every route, IPv4 too (RFC 8950
style next hops), goes through them. So a host's address needs no prefix shared with its router: a pool of
any size, of one family only, or with an address taken out of its middle, is wired the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from op25b.lab.addresses import Address, whole
from op25b.lab.plan import Host, LabPlan

# accept_dad: addresses must be usable at once, and no one else can hold them.
# icmp limits: two refusals in one second must both be seen (RFC 1812 4.3.2.8 lets a router stay silent).
SYSCTLS = (
    "ipv6/conf/default/accept_dad=0",
    "ipv6/conf/default/accept_ra=0",
    "ipv4/conf/all/rp_filter=0",
    "ipv4/conf/default/rp_filter=0",
    "ipv4/icmp_ratelimit=0",
    "ipv6/icmp/ratelimit=0",
)
ROUTER_SYSCTLS = ("ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1")


def build_script(plan: LabPlan) -> str:
    """A script for `sh -e`, run where /run/netns is the lab's own and `ip` and `nsenter` are found."""
    parts = [_batch("ip", (f"netns add {host.name}" for host in plan.hosts))]
    for host in plan.hosts:
        settings = (*SYSCTLS, *(ROUTER_SYSCTLS if host.router else ()))
        writes = "; ".join(f"echo {value} >{name}" for name, value in (s.split("=") for s in settings))
        parts.append(f"nsenter --net=/run/netns/{host.name} sh -ec 'cd /proc/sys/net; {writes}; ip link set lo up'\n")
    parts.append(_batch("ip", _links(plan)))
    parts += [_batch(f"ip -n {host.name}", _addresses_and_routes(plan, host)) for host in plan.hosts]
    return "".join(parts)


def link_names(plan: LabPlan) -> dict[str, str]:
    """Host name -> name of the interface at its uplink router (interface names end at 15 bytes)."""
    return {host.name: f"to{index}" for index, host in enumerate(plan.hosts) if host.uplink}


def moving(plan: LabPlan, host: Host, old: Sequence[Address], new: Sequence[Address]) -> tuple[str, str]:
    """Pure: a host's addresses change, as batches for `ip`: at its router, and at the host itself.

    What is given up is of its pool again, whose usual subscriber it is routed to.
    """
    there = [f"route replace {whole(each)} via inet6 fe80::2 dev {link_names(plan)[host.name]}" for each in new]
    there += [f"route del {whole(each)}" for each in old]
    here = []
    for each in new:
        here.append(f"addr replace {whole(each)} dev eth0 {'nodad' if each.version == 6 else ''}")
        here.append(_default_route(each))
    here += [f"addr del {whole(each)} dev eth0" for each in old]
    return "".join(f"{line}\n" for line in there), "".join(f"{line}\n" for line in here)


def _links(plan: LabPlan) -> Iterator[str]:
    for host, interface in link_names(plan).items():
        uplink = plan.host(host).uplink
        yield f"link add {interface} netns {uplink} type veth peer name eth0 netns {host}"


def _addresses_and_routes(plan: LabPlan, host: Host) -> Iterator[str]:
    device = "eth0" if host.uplink else "lo"
    if host.uplink:
        yield "link set eth0 up"
        yield "addr add fe80::2/64 dev eth0 nodad"
    names = link_names(plan)
    for child in plan.children(host.name):
        yield f"link set {names[child.name]} up"
        yield f"addr add fe80::1/64 dev {names[child.name]} nodad"
    for address in host.addresses:
        yield f"addr add {whole(address)} dev {device} {'nodad' if address.version == 6 else ''}"
    if host.anyip:
        yield from (f"route replace local {network} dev lo" for network in host.routed)
    for child in plan.children(host.name):
        for network in plan.behind(child):
            yield f"route replace {network} via inet6 fe80::2 dev {names[child.name]}"
    for version in (4, 6):
        source = host.address(version)
        if host.uplink and source:
            yield _default_route(source)


def _default_route(source: Address) -> str:
    default = "0.0.0.0/0" if source.version == 4 else "::/0"
    return f"route replace {default} via inet6 fe80::1 dev eth0 src {source}"


def _batch(command: str, lines: Iterator[str]) -> str:
    return f"{command} -batch - <<'END'\n" + "".join(f"{line}\n" for line in lines) + "END\n"
