"""The DNS records by which mail programs find a provider's servers, as a snippet of a zone file. Pure.

RFC 6186 (submission, IMAP, POP3), RFC 8314, 5.1 (submissions), and the names that autoconfig and Autodiscover look for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from op25b.policy.incoming import Security
from op25b.policy.model import Policy
from op25b.portal.setup.profile import Profile, Server, needs_subdomain, profile

_SENDING = {Security.TLS: "_submissions", Security.STARTTLS: "_submission"}
_RECEIVING = {
    ("imap", Security.TLS): "_imaps",
    ("imap", Security.STARTTLS): "_imap",
    ("imap", Security.NONE): "_imap",
    ("pop3", Security.TLS): "_pop3s",
    ("pop3", Security.STARTTLS): "_pop3",
    ("pop3", Security.NONE): "_pop3",
}
_WIDTH = 34


def snippet(policy: Policy, portal: str, subdomains: Iterable[str] = ()) -> str:
    """Records for every domain of every brand. `portal`: the host on which the pages are, over HTTPS.

    `subdomains`: those of customers' addresses, for a provider whose server names have them (claim S7).
    """
    given = tuple(subdomains)
    parts = []
    for brand in policy.provider.brands:
        for apex in brand.domains:
            under = [f"{label}.{apex}" for label in given] if needs_subdomain(policy, brand) else [apex]
            found = [each for domain in under if (each := profile(policy, domain))]
            records = [record for each in found for record in _records(each, portal)]
            parts.append("\n".join([f"$ORIGIN {apex}.", *(f"{owner:{_WIDTH}} {data}" for owner, data in records)]))
    return "\n\n".join(parts)


def _records(found: Profile, portal: str) -> Iterator[tuple[str, str]]:
    """Owner, relative to the brand's domain, and type and data."""
    label = found.domain.removesuffix(found.apex).removesuffix(".")
    under = f".{label}" if label else ""
    yield f"autoconfig{under}", f"CNAME {portal}."
    yield f"autodiscover{under}", f"CNAME {portal}."
    yield f"_autodiscover._tcp{under}", f"SRV   0 1 443 {portal}."
    servers: dict[str, Server] = {_SENDING[server.security]: server for server in found.sending}
    for receiving in found.receiving:
        servers.setdefault(_RECEIVING[receiving.kind, receiving.security], receiving)
    for service, server in servers.items():
        yield f"{service}._tcp{under}", f"SRV   0 1 {server.port} {server.host}."
    # "." says that there is no such service (RFC 2782; RFC 6186, 3.4)
    for service in dict.fromkeys(_RECEIVING.values()) if found.receiving else ():
        if service not in servers:
            yield f"{service}._tcp{under}", "SRV   0 0 0 ."
