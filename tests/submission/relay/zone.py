"""A resolver that answers from a zone: dnspython's own answers and exceptions, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset


class Zone:
    """`records`: by name and type, as in a zone file. An Exception in their place is raised."""

    def __init__(self, records: Mapping[tuple[str, str], list[str] | Exception], *, signed: bool = False) -> None:
        self.records = dict(records)
        self.signed = signed
        self.asked: list[tuple[str, str]] = []

    async def resolve(self, qname: str, rdtype: str) -> dns.resolver.Answer:
        self.asked.append((qname, rdtype))
        await asyncio.sleep(0)
        found = self.records.get((qname.lower().rstrip("."), rdtype))
        if isinstance(found, Exception):
            raise found
        return dns.resolver.Answer(
            dns.name.from_text(qname),
            dns.rdatatype.from_text(rdtype),
            dns.rdataclass.IN,
            self._response(qname, rdtype, found),
        )

    def _response(self, qname: str, rdtype: str, found: list[str] | None) -> dns.message.QueryMessage:
        query = dns.message.make_query(qname, rdtype)
        response = dns.message.make_response(query)
        assert isinstance(response, dns.message.QueryMessage)
        response.flags |= dns.flags.AD if self.signed else 0
        if found:
            response.answer.append(dns.rrset.from_text(dns.name.from_text(qname), 60, "IN", rdtype, *found))
        elif not any(name == qname.lower().rstrip(".") for name, _ in self.records):
            raise dns.resolver.NXDOMAIN(qnames=[query.question[0].name], responses={})
        else:
            raise dns.resolver.NoAnswer(response=response)
        read = dns.message.from_wire(response.to_wire())
        assert isinstance(read, dns.message.QueryMessage)
        return read
