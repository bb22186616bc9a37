"""The check on a customer's machine, in situations that are real: `op25b apply`, `op25b serve`, the other provider's
block, devices on the way. It runs as customers have it: one file, under the oldest Python that is here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from op25b.doctor import codes, download
from op25b.doctor.probe.causes import causes
from op25b.lab import Lab, down, up
from op25b.lab.servers import PASSWORD
from op25b.lab.stage import Edge, elsewhere, provider
from op25b.locale import speakers
from op25b.policy.load import load
from op25b.policy.model import Policy

from ..support.pythons import PYTHONS
from .conftest import FORWARD, now, rules

COVERED, FREE, ABROAD = "sub-flets-east", "sub-mobile", "offnet"
REFUSALS = {"tcp-reset": "refused", "icmp": "prohibited", "drop": "dropped"}
TEXT = (Path(__file__).parents[2] / "examples" / "sonet.toml").read_text()
# the lab has processes of its own, and sees no others; what the service has started ends of itself, a little later
KILL_SERVICE = """
cd /proc
for id in [1-9]*; do
  if tr '\\0' ' ' <$id/cmdline | grep -q 'op25b [s]erve'; then kill -9 $id || true; fi
done
for _ in $(seq 200); do
  if [ -z "$(ss --no-header --listening --tcp --numeric 'sport = 587')" ]; then exit 0; fi
  sleep 0.1
done
exit 1
"""
INTERCEPT = "type nat hook prerouting priority dstnat; policy accept;"


def policy() -> Policy:
    found = load(TEXT).policy
    assert found is not None
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    records = tmp_path_factory.mktemp("records")
    plan = replace(provider(policy(), TEXT, ()), router=False)
    made = up("doctor", plan, now=now(), directory=records)
    japanese = speakers(now().tzinfo)["ja"]  # type: ignore[arg-type]
    script = download.rendered(download.translated(japanese.translations.gettext), download.provider(policy()))
    (made.files / download.FILE_NAME).write_text(script)
    yield made
    down("doctor", directory=records)


@pytest.fixture(scope="module")
def edge(lab: Lab) -> Edge:
    """Where the provider's policy is in force."""
    made = Edge(lab, "edge")
    made.apply(TEXT, now())
    return made


def examine(lab: Lab, host: str, *arguments: str, password: str = "", status: int = 1) -> dict[str, Any]:
    """What the check finds on a host, as JSON; its code says the same."""
    mail = lab.plan.accounts[host].name
    command = [
        "env",
        f"SSL_CERT_FILE={lab.authority}",
        PYTHONS[0],
        "-I",
        f"{lab.authority.rpartition('/')[0]}/{download.FILE_NAME}",
    ]
    done = lab.run(host, [*command, "--json", "--mail", mail, *arguments], input=password, seconds=25)
    assert done.returncode == status, done.stdout
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    read = causes(codes.read(found["code"]))
    assert [(why.cause, why.sign) for why in read] == [(each["cause"], each["why"]) for each in found["causes"]]
    return found


def main_cause(found: dict[str, Any]) -> tuple[int, str]:
    return found["causes"][0]["cause"], found["causes"][0]["why"]


def outcomes(found: dict[str, Any], server: str, port: int) -> list[str]:
    """Over IPv4 and IPv6."""
    tries = [each for each in found["tries"] if (each["server"], each["port"]) == (server, port)]
    return [each["outcome"] for each in sorted(tries, key=lambda each: each["family"])]


def test_nothing_is_wrong_on_a_line_that_is_not_covered(lab: Lab, edge: Edge) -> None:
    found = examine(lab, FREE, status=0)
    assert {each["outcome"] for each in found["tries"]} == {"works"}
    assert len(found["tries"]) == 12
    assert found["causes"] == []
    assert found["place"] == "own"
    seen = {each["seen"] for each in found["tries"] if each["server"] == "own"}
    assert seen == {str(address) for address in lab.plan.host(FREE).addresses}


@pytest.mark.parametrize("refuse", REFUSALS)
def test_causes_1_and_2_our_own_block_and_another_providers(lab: Lab, edge: Edge, refuse: str) -> None:
    there = Edge(lab, "otherisp")
    way = f'\n[filter]\nrefuse = "{refuse}"\n'
    edge.apply(TEXT + way, now())
    there.apply(elsewhere(lab) + way, now())
    try:
        with ThreadPoolExecutor() as pool:
            here, abroad = pool.map(partial(examine, lab), (COVERED, ABROAD))
    finally:
        there.withdraw()
        edge.apply(TEXT, now())
    assert (main_cause(here), here["place"]) == ((1, "blocked"), "own")
    assert len(here["causes"]) == 1
    assert outcomes(here, "other", 25) == [REFUSALS[refuse]] * 2
    assert outcomes(here, "own", 25) == ["works"] * 2
    assert outcomes(here, "other", 587) == ["works"] * 2
    assert (main_cause(abroad), abroad["place"]) == ((2, "blocked"), "other")
    assert outcomes(abroad, "own", 25) == outcomes(abroad, "other", 25) == [REFUSALS[refuse]] * 2


def test_cause_1_does_not_hold_for_who_is_set_to_587(lab: Lab, edge: Edge) -> None:
    assert examine(lab, COVERED, "--port", "587", status=0)["causes"] == []
    assert main_cause(examine(lab, COVERED, "--server", "mx.foreign.example", "--port", "25")) == (1, "blocked")


def test_cause_3_sending_from_outside(lab: Lab, edge: Edge) -> None:
    found = examine(lab, ABROAD)
    assert main_cause(found) == (3, "outside")
    assert outcomes(found, "own", 25) == ["denied"] * 2
    assert outcomes(found, "own", 587) == ["works"] * 2


def test_cause_4_a_wrong_password(lab: Lab, edge: Edge) -> None:
    account = lab.plan.accounts[COVERED].name
    found = examine(lab, COVERED, "--account", account, password="wrong\n")
    assert main_cause(found) == (4, "login")
    right = examine(lab, COVERED, "--account", account, "--port", "587", password=f"{PASSWORD}\n", status=0)
    assert right["login"] == "accepted"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--port", "2525"), "port"),
        (("--server", "mial.aa2.sonet.example", "--port", "587"), "name"),
        (("--server", "mial.aa2.sonet.example"), "name"),
    ],
)
def test_cause_4_a_wrong_setting(lab: Lab, edge: Edge, arguments: tuple[str, ...], why: str) -> None:
    assert main_cause(examine(lab, FREE, *arguments)) == (4, why)


def test_cause_5_no_network(lab: Lab) -> None:
    with rules(lab, "otherisp", FORWARD, "drop"):
        assert main_cause(examine(lab, ABROAD)) == (5, "no-network")


def test_one_family_only_is_broken(lab: Lab, edge: Edge) -> None:
    with rules(lab, "edge", FORWARD, "meta nfproto ipv6 tcp dport { 25, 465, 587 } drop"):
        assert main_cause(examine(lab, FREE)) == (5, "ipv6")


def test_port_25_leads_to_another_server(lab: Lab) -> None:
    """A transparent proxy."""
    there = lab.plan.host("foreign").address(4)
    with rules(lab, "otherisp", INTERCEPT, f"tcp dport 25 dnat ip to {there}"):
        found = examine(lab, ABROAD)
    assert main_cause(found) == (2, "redirected")
    assert outcomes(found, "own", 25) == ["redirected", "denied"]  # it knows IPv4 only


def test_someone_else_ends_the_encryption(lab: Lab) -> None:
    there = lab.plan.host("foreign").address(4)
    with rules(lab, "otherisp", INTERCEPT, f"tcp dport {{ 465, 587 }} dnat ip to {there}"):
        found = examine(lab, ABROAD, "--account", lab.plan.accounts[ABROAD].name, "--port", "587", password=PASSWORD)
    assert main_cause(found) == (4, "intercepted")
    # no password was given to it: over IPv6 nobody stands between
    assert found["login"] == "accepted"


def test_cause_5_an_outage(lab: Lab, edge: Edge) -> None:
    """The last one: the provider's service is killed."""
    lab.run("mail", ["sh", "-c", KILL_SERVICE], check=True)
    found = examine(lab, COVERED)
    assert main_cause(found) == (5, "server-down")
    assert [each["cause"] for each in found["causes"]] == [5, 1]
    assert main_cause(examine(lab, ABROAD)) == (5, "server-down")
