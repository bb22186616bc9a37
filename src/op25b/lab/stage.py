"""A provider's lab from its policy file, and the policies in force on its two edges."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from op25b.errors import UserError
from op25b.lab.claims import Claim, Try, Visit
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab
from op25b.lab.plan import Customer, Further, Pool, Provider
from op25b.lab.servers import OwnServer
from op25b.policy import scope
from op25b.policy.fields import SUBDOMAIN
from op25b.policy.model import Exemption, Policy, Scope
from op25b.policy.model import Pool as PolicyPool

_SUBDOMAINS = ("aa2", "bb3")
FASTER = """
[watch]
return_seconds = 1
patience_seconds = 4
"""
"""A lab's minutes are seconds: the same target a second later is a new try, and whether that comes is seen in four."""


def in_lab(policy: Policy, text: str) -> str:
    """The lab's copy of a policy file: the watch need not wait, unless the file says itself for how long it does."""
    return text if "watch" in policy.model_fields_set else text + FASTER


def provider(policy: Policy, text: str, claims: Iterable[Claim]) -> Provider:
    """What the lab has to build for these claims: hosts for pools and exemptions, home servers where one is tried."""
    tries = [each for claim in claims for each in claim.tries]
    homes = [pool.name for each in tries if needs_home_server(each) for pool in pools(policy, each)[:1]]
    return Provider(
        name=policy.provider.name,
        pools=tuple(Pool(pool.name, tuple(map(str, pool.prefixes))) for pool in policy.pools),
        servers=tuple(
            OwnServer(server.name, _names(server.hosts), tuple(map(str, server.addresses)), server.ports)
            for server in policy.own_servers
        ),
        customers=tuple(
            Customer(f"exempt-{exemption.name}", tuple(str(prefix[0]) for prefix in exemption.prefixes))
            for exemption in exempt(policy)
        ),
        further=further(policy, tries),
        reserved=tuple(str(prefix) for exemption in policy.exemptions for prefix in exemption.prefixes),
        destinations=tuple(str(prefix[0]) for exemption in policy.exemptions for prefix in exemption.destinations),
        home_servers=tuple(dict.fromkeys(homes)),
        policy=text,
        domains=_domains(policy),
        pop=any(each.pop for each in tries),
        router=True,
        pages=True,
    )


def further(policy: Policy, tries: Sequence[Try]) -> tuple[Further, ...]:
    """The further customers that are named, each in the first pool in scope, with as many homes as it has moves."""
    named = {each.customer: pools(policy, each)[0].name for each in reversed(tries) if each.customer}
    moves = Counter(each.customer for each in tries if each.first == "move")
    return tuple(Further(name, pool, 1 + moves[name]) for name, pool in sorted(named.items()))


def needs_home_server(each: Try) -> bool:
    return each.by == "home-server" or each.to == "home"


def exempt(policy: Policy) -> list[Exemption]:
    """Exemptions that are given to a source whatever it sends to."""
    return [exemption for exemption in policy.exemptions if exemption.prefixes and not exemption.destinations]


def pools(policy: Policy, each: Try | Visit) -> list[PolicyPool]:
    """The pools that try it, or read it; from outside at a home server, all of those that could have one."""
    wanted = each.who if isinstance(each.who, Scope) else Scope()
    return [pool for pool in policy.pools if scope.first_miss(wanted, pool) is None]


def _names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """With `{subdomain}` a name for each; claim S7."""
    return tuple(dict.fromkeys(host.replace(SUBDOMAIN, each) for each in _SUBDOMAINS for host in hosts))


def _domains(policy: Policy) -> tuple[str, ...]:
    """Of the customers' mail addresses: where servers are named by sub-domain, these have one."""
    brands = [domain for brand in policy.provider.brands for domain in brand.domains]
    if not any(SUBDOMAIN in host for server in policy.own_servers for host in server.hosts):
        return tuple(brands)
    return tuple(f"{each}.{domain}" for domain in brands for each in _SUBDOMAINS)


@dataclass
class Edge:
    """A router of the lab on which op25b enforces: the real command, run there as an operator would."""

    lab: Lab
    host: str
    _in_force: tuple[str, datetime] | None = field(default=None, init=False)
    _known: bool = field(default=False, init=False)

    def apply(self, policy: str, at: datetime) -> None:
        """Put the policy file's text in force as of `at`. UserError with what the command said if it fails."""
        if self._in_force == (policy, at):
            return
        (self.lab.files / f"{self.host}.toml").write_text(policy)
        state = f"{WORK}/{self.host}.state"
        command = ["apply", f"{WORK}/{self.host}.toml", "--at", at.isoformat(), "--state", state]
        done = self.lab.run(self.host, [sys.executable, "-m", "op25b", *command], seconds=60)
        if done.returncode:
            raise UserError(f"the policy could not be put in force on {self.host}: {done.stdout.strip()}")
        self._in_force, self._known = (policy, at), True

    def withdraw(self) -> None:
        """Filter nothing any more. An earlier run in the same lab may have left something, so the first time counts."""
        if self._in_force is not None or not self._known:
            script = "table inet op25b { }\ndelete table inet op25b\n"
            self.lab.run(self.host, ["nft", "-f", "-"], input=script, check=True)
            self._in_force, self._known = None, True


def elsewhere(lab: Lab) -> str:
    """The policy of the other provider, for when it restricts port 25 too: everyone, always."""
    prefixes = ", ".join(f'"{network}"' for network in lab.plan.host("offnet").routed)
    server = lab.plan.host("otherisp").addresses[0]
    return f"""
[provider]
name = "elsewhere"
display = {{ ja = "他社", en = "another provider" }}
time_zone = "Asia/Tokyo"
[[own_servers]]
name = "smtp"
hosts = ["smtp.elsewhere.example"]
addresses = ["{server}"]
ports = [587]
[[pools]]
name = "everyone"
prefixes = [{prefixes}]
[[phases]]
name = "everyone"
mode = "enforce"
scope = {{}}
"""
