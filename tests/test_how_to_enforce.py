"""docs/how-to-enforce.md, run as it stands: on a router between a customer and the Internet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import how_to

PAGE = (how_to.ROOT / "docs" / "how-to-enforce.md").read_text()
FIRST = """
: > /etc/resolv.conf
ip netns add customer
ip netns add internet
ip link add c0 type veth peer name eth0 netns customer
ip link add n0 type veth peer name eth0 netns internet
ip addr add 100.96.0.1/24 dev c0
ip addr add 203.0.113.1/24 dev n0
ip link set c0 up
ip link set n0 up
sysctl -qw net.ipv4.ip_forward=1
ip -n customer addr add 100.96.0.10/24 dev eth0
ip -n customer link set eth0 up
ip -n customer route add default via 100.96.0.1
ip -n internet addr add 203.0.113.25/24 dev eth0
ip -n internet link set eth0 up
ip -n internet route add default via 203.0.113.1
ip netns exec internet python3 -m http.server 25 --bind 203.0.113.25 > /dev/null 2>&1 &
sink=$!
connects="exec 3<> /dev/tcp/203.0.113.25/25"
tries() { ip netns exec customer timeout 5 bash -c "$connects" && echo "$1: passes" || echo "$1: is refused"; }
"""
LAST = "kill $sink"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces and overlays")
@pytest.mark.timeout(300)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    page = PAGE
    for before in (
        "    op25b exempt request",
        "    op25b exempt list",
        "    op25b exempt revoke",
        "    op25b watch list",
    ):
        assert page.count(before) == 1
        page = page.replace(before, f"    tries '{before.strip()}'\n{before}")
    said = how_to.run(
        how_to.script(page, FIRST, LAST), tmp_path, ("curl", "openssl", "unshare", "useradd", "radclient", "nft")
    )
    assert "op25b exempt request: is refused\n" in said
    assert "op25b exempt list: passes\n" in said
    assert "op25b exempt revoke: passes\n" in said
    assert "op25b watch list: is refused\n" in said
    assert "room214" in said
    assert "op25b_follower_in_step 1.0" in said
    assert not Path("/var/lib/op25b/op25b.db").exists()


def test_the_page_has_commands() -> None:
    script = how_to.script(PAGE)
    assert script.count("\nop25b ") > 10
    assert "cat > /etc/op25b/enforcer.toml" in script
