"""100,000 members read back, compared with what they should be, and mended after one of them was deleted.

op25b: `readback.read_members`, `members_difference`, `add_elements`. Peer: `nft -j list set`, its JSON read, a
difference of Python sets, `nft add element`. The rows "verify" and "apply" are the whole of what the commands do,
the policy's text read and checked again included; no peer has that.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from figures import Row, Sample, interleaved, main, needs, seconds
from load import spans, texts
from netns import Namespace, integers

from op25b.enforcement import kernel, nft, readback
from op25b.enforcement.apply import apply, verify
from op25b.enforcement.elements import Addresses4, add_elements, delete_elements, load
from op25b.enforcement.generations import Records
from op25b.enforcement.netlink import Netlink
from op25b.policy.load import load as load_policy

AT = datetime(2010, 1, 1, tzinfo=UTC)


def mend(link: Netlink, wanted: Addresses4) -> None:
    """Put back what is missing and take out what is too much."""
    found = readback.read_members(link, "op25b", "s")
    assert found is not None
    missing, extra = readback.members_difference(wanted, found.elements)
    add_elements(link, "op25b", "s", missing)
    delete_elements(link, "op25b", "s", extra)
    assert len(missing) == 1


def mend_with_nft(wanted: list[str]) -> None:
    """The same with the program."""
    listed = subprocess.run(["nft", "-j", "list set inet op25b s"], capture_output=True, check=True).stdout
    (found,) = (each["set"]["elem"] for each in json.loads(listed)["nftables"] if "set" in each)
    missing, extra = set(wanted) - set(found), set(found) - set(wanted)
    for word, members in (("add", missing), ("delete", extra)):
        if members:
            nft.run(f"{word} element inet op25b s {{ {', '.join(members)} }}")
    assert len(missing) == 1


def damaged(link: Netlink, set_name: str, work: Callable[[], object], victim: Addresses4) -> float:
    """Seconds that `work` takes after one member was deleted."""
    delete_elements(link, "op25b", set_name, victim)
    return seconds(work)


def policy_text(addresses: list[int]) -> str:
    """A policy that exempts these addresses, and blocks the rest of 10.0.0.0/8."""
    exempt = ", ".join(f'"{IPv4Address(each)}"' for each in addresses)
    return f"""
        provider = {{ name = "bench", display = {{ ja = "b", en = "b" }}, time_zone = "Asia/Tokyo" }}
        own_servers = [{{ name = "mail", hosts = ["mail.example"], addresses = ["203.0.113.25"], ports = [25, 587] }}]
        pools = [{{ name = "all", prefixes = ["10.0.0.0/8"] }}]
        phases = [{{ name = "everyone", mode = "enforce", scope = {{}} }}]
        exemptions = [{{ name = "many", reason = "measurement", prefixes = [{exempt}] }}]
        """


def commands(count: int, rounds: int) -> dict[str, Sample]:
    """Seconds of the whole `verify`, and of an `apply` that mends."""
    addresses = ((10 << 24) + 2 * integers(25, 0, 1 << 23, count)).tolist()
    text = policy_text(addresses)
    policy = load_policy(text).policy
    assert policy is not None
    victim = Addresses4.of(addresses[:1])
    with tempfile.TemporaryDirectory(prefix="op25b-bench-") as folder, Namespace().entered(), Netlink() as link:
        records = Records(Path(folder))

        def put() -> None:
            assert apply(link, records, text, policy, AT, AT, None).switched

        def mended() -> float:
            state = kernel.in_force(link)
            name = f"g{state.current}_exemptions/by-source_hosts4"
            return damaged(link, name, put, victim)

        def verified() -> float:
            return seconds(partial(verify, link, records, policy, AT))

        put()
        return interleaved({"verify": verified, "apply": mended}, rounds)


def run(quick: bool = False) -> list[Row]:
    """The sets alone beside the peer, then the whole commands."""
    needs("nft")
    count, rounds = (10_000, 2) if quick else (100_000, 5)
    first, last = spans("addresses", count)
    wanted, names = Addresses4(first), texts(first, last)
    victim = wanted.take(slice(count // 2, count // 2 + 1))
    with Namespace().entered(), Netlink() as link:
        nft.run(f"table inet op25b {{ set s {{ type ipv4_addr; size {count}; }}; }}")
        load(link, "op25b", [("s", wanted)])
        found = interleaved(
            {
                "op25b": lambda: damaged(link, "s", partial(mend, link, wanted), victim),
                "nft": lambda: damaged(link, "s", partial(mend_with_nft, names), victim),
            },
            rounds,
        )
    ours, theirs = found["op25b"], found["nft"]
    whole = commands(count, 2)
    note = f"{ours.spread(1000, 0)} ms against {theirs.spread(1000, 0)} ms"
    work = f"compare {count:,} members and put one back"
    figures = (f"{ours.median * 1000:.0f} ms", f"nft -j and Python sets: {theirs.median * 1000:,.0f} ms")
    return [
        Row(work, *figures, theirs.median / ours.median, note),
        *(
            Row(f"the whole `{name}`, {count:,} exemptions", f"{each.median:.2f} s", "", None, f"{each.spread()} s")
            for name, each in whole.items()
        ),
    ]


if __name__ == "__main__":
    main(run)
