"""The DNS records: a real zone takes them, and they lead where the profile says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest

from op25b.portal.setup import zone
from op25b.portal.setup.profile import profile
from tests.portal.setup.conftest import EXAMPLES

HEAD = """\
$TTL 3600
@ SOA ns.example. hostmaster.example. 1 7200 3600 1209600 3600
@ NS ns.example.
"""


def zones(name: str, *labels: str) -> dict[str, str]:
    """A zone file for each domain of the brands."""
    text = zone.snippet(EXAMPLES[name], "portal.example.net", labels)
    return {part.split()[1].rstrip("."): HEAD + part + "\n" for part in text.split("\n\n")}


def services(origin: str, text: str) -> dict[str, tuple[int, str]]:
    """Port and target of each SRV record."""
    found = dns.zone.from_text(text, origin, relativize=False)
    return {
        str(name).removesuffix(f".{origin}."): (data.port, str(data.target))
        for name, _, data in found.iterate_rdatas(dns.rdatatype.SRV)
    }


def test_netlaputa() -> None:
    """RFC 6186, 3; RFC 8314, 5.1."""
    ((origin, text),) = zones("netlaputa").items()
    assert services(origin, text) == {
        "_autodiscover._tcp": (443, "portal.example.net."),
        "_submission._tcp": (587, "mail.netlaputa.example."),
        "_submissions._tcp": (465, "mail.netlaputa.example."),
        "_pop3s._tcp": (995, "pop.netlaputa.example."),
        "_pop3._tcp": (0, "."),
        "_imap._tcp": (0, "."),
        "_imaps._tcp": (0, "."),
    }
    found = dns.zone.from_text(text, origin, relativize=False)
    for name in ("autoconfig", "autodiscover"):
        (data,) = found.find_rdataset(dns.name.from_text(f"{name}.{origin}"), "CNAME")
        assert str(data.target) == "portal.example.net."


def test_what_is_not_known_is_not_denied() -> None:
    ((origin, text),) = zones("fitweb").items()
    assert services(origin, text).keys() == {"_autodiscover._tcp", "_submission._tcp", "_submissions._tcp"}


def test_a_set_for_each_sub_domain_and_each_brand() -> None:
    ((origin, text),) = zones("sonet", "aa2", "bb-1").items()
    found = services(origin, text)
    assert found["_submission._tcp.aa2"] == (587, "mail.aa2.sonet.example.")
    assert found["_imaps._tcp.bb-1"] == (993, "imap.bb-1.sonet.example.")
    assert not [owner for owner in found if owner.endswith("._tcp")]
    assert zones("infonia").keys() == {"infonia.example", "imart.example"}


@pytest.mark.skipif(not shutil.which("named-checkzone"), reason="bind9-utils is not installed; scripts/setup does it")
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_bind_takes_them(tmp_path: Path, name: str) -> None:
    for origin, text in zones(name, "aa2").items():
        (tmp_path / "zone").write_text(text)
        # -i none: the targets are not in this part of the zone; -M, -S: no CNAME is a target
        command = ["named-checkzone", "-i", "none", "-M", "fail", "-S", "fail", origin, str(tmp_path / "zone")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout
        under = profile(EXAMPLES[name], origin) or profile(EXAMPLES[name], f"aa2.{origin}")
        assert under is not None
