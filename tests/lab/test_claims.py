"""The acceptance test of the mission: what the providers' pages say, shown on the wire."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from op25b.lab import trial as trials
from op25b.lab.claims import Edit, read_claims
from op25b.lab.report import rows
from op25b.lab.stage import pools, provider
from op25b.lab.trial import Trial
from op25b.lab.wire import Kind, Outcome
from op25b.policy.load import load
from op25b.policy.model import Refuse

ROOT = Path(__file__).parents[2]
GIVEN = ROOT.parent / "shared" / "claims.toml"
CLAIMS = read_claims()
PROVIDERS = tuple(dict.fromkeys(claim.provider for claim in CLAIMS.claims))
BY_FILTER = {"packet", "verdict", "schedule"}


@pytest.mark.skipif(not GIVEN.exists(), reason="the mission's own list of claims is not beside the repository")
def test_every_claim_of_the_mission_is_there_under_its_own_id() -> None:
    given = [(c["id"], c["provider"], c["shown_by"]) for c in tomllib.loads(GIVEN.read_text())["claim"]]
    assert [(c.id, c.provider, c.shown_by) for c in CLAIMS.claims] == given


def test_a_claim_has_tries_exactly_when_the_filter_can_show_it() -> None:
    assert {c.id for c in CLAIMS.claims if c.tries} == {c.id for c in CLAIMS.claims if c.shown_by in BY_FILTER}


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_try_is_made_by_someone(name: str) -> None:
    policy = load((ROOT / "examples" / f"{name}.toml").read_text()).policy
    assert policy is not None
    for claim in CLAIMS.of(name):
        for each in claim.tries:
            assert pools(policy, each), f"{claim.id}: nobody is in scope of {each.who}"
    assert provider(policy, CLAIMS.of(name)).pools


@pytest.mark.root
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PROVIDERS)
def test_claims_are_shown_by_real_attempts_and_by_the_verdict(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "op25b", "lab", "run", name, "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [row["id"] for row in found] == [claim.id for claim in CLAIMS.of(name)]
    for row in found:
        assert row.keys() == {"id", "provider", "shown_by", "expected", "observed", "ok"}
        assert row["ok"] is (True if row["shown_by"] in BY_FILTER else None), row
        assert (row["observed"] == "not yet") == (row["shown_by"] not in BY_FILTER)


@pytest.mark.root
@pytest.mark.timeout(120)
def test_a_policy_that_breaks_a_claim_is_found_out(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "sonet.toml").read_text()
    path = tmp_path / "sonet.toml"
    path.write_text(text.replace('mode = "enforce"', 'mode = "monitor"'))
    done = subprocess.run(
        [sys.executable, "-m", "op25b", "lab", "run", str(path), "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    rows_by_id = {row["id"]: row for row in json.loads(done.stdout)}
    assert rows_by_id["S4"]["ok"] is False
    assert "delivered; monitored monitored" in rows_by_id["S4"]["observed"]


@pytest.mark.parametrize(
    ("fate", "outcome", "delivered", "good"),
    [
        ("refused", Outcome(Kind.RESET, 0.1, here=True), False, True),
        ("refused", Outcome(Kind.RESET, 0.1, here=False), False, False),  # by the server, not by the edge
        ("refused", Outcome(Kind.RESET, 0.1, forwarded=True, here=True), False, False),
        ("refused", Outcome(Kind.RESET, 1500.0, here=True), False, False),  # not at once
        ("refused", Outcome(Kind.PROHIBITED, 0.1, here=True), False, False),  # not as the policy asks
        ("refused", Outcome(Kind.SILENT), False, False),
        ("refused", Outcome(Kind.NONE), False, False),
        ("refused", Outcome(Kind.RESET, 0.1, here=True), True, False),
        ("delivered", Outcome(Kind.CONNECTED, 0.1, forwarded=True), True, True),
        ("delivered", Outcome(Kind.CONNECTED, 0.1, forwarded=True), False, False),
        ("connected", Outcome(Kind.CONNECTED, 0.1, forwarded=True), False, True),
        ("connected", Outcome(Kind.RESET, 0.1), False, False),
    ],
)
def test_only_the_fate_that_is_expected_counts(fate: str, outcome: Outcome, delivered: bool, good: bool) -> None:
    assert trials.as_expected(fate, outcome, delivered, Refuse.TCP_RESET) is good


def test_silence_is_a_refusal_where_the_policy_asks_for_it() -> None:
    assert trials.as_expected("refused", Outcome(Kind.SILENT), False, Refuse.DROP)


def test_a_claim_is_shown_by_all_of_its_tries_or_not_at_all() -> None:
    claim = CLAIMS.of("sonet")[3]
    assert claim.id == "S4"
    good = Trial("S4", "a", "b", "c", "c", None, True)
    bad = Trial("S4", "a", "b", "c", "d", None, False)
    shown = {row.claim.id: row.ok for row in rows(CLAIMS, ["sonet"], [good, bad])}
    assert shown["S4"] is False
    assert {row.claim.id: row.ok for row in rows(CLAIMS, ["sonet"], [good])}["S4"] is True
    # a claim with tries of which none was made has not been shown
    assert {row.claim.id: row.ok for row in rows(CLAIMS, ["sonet"], [])}["S4"] is False


def test_an_edit_changes_one_line_or_nothing() -> None:
    edit = Edit(name="x", provider="p", replace="a = 1", by="a = 2")
    assert edit.apply("a = 1\nb = 1\n") == "a = 2\nb = 1\n"
    for text in ("b = 1\n", "a = 1\na = 1\n"):
        with pytest.raises(ValueError, match="exactly once"):
            edit.apply(text)
