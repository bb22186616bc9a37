"""docs/how-to-serve.md, run as it stands."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support import how_to

PAGE = (how_to.ROOT / "docs" / "how-to-serve.md").read_text()
FIRST = """
ip addr add 192.0.2.10/32 dev lo
echo 192.0.2.10 mail.netlaputa.example >> /etc/hosts
: > /etc/resolv.conf
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces and overlays")
@pytest.mark.timeout(300)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    tools = ("swaks", "curl", "openssl", "unshare", "useradd")
    said = how_to.run(how_to.script(PAGE, FIRST), tmp_path, tools)
    assert said.count("250 2.0.0 queued as") == 2
    assert "someone@elsewhere.example" in said
    assert '"relay": "ok"' in said
    assert "released: 0 messages" in said
    assert "dropped: 2 messages" in said
    assert re.search(r'e2026\._domainkey\S+ TXT "v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}="', said)
    assert not Path("/var/lib/op25b/op25b.db").exists()


def test_the_page_has_commands() -> None:
    script = how_to.script(PAGE)
    assert script.count("\nop25b ") > 8
    assert "cat > /etc/op25b/service.toml" in script
