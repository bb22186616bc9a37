"""op25b exempt and op25b api, as a shell calls them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Op25b

INFONIA = Path(__file__).parents[2] / "examples" / "infonia.toml"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OP25B_STORE", f"sqlite:///{tmp_path}/op25b.db")
    monkeypatch.setenv("OP25B_POLICY", str(INFONIA))


def test_one_customer_at_his_own_cost(op25b: Op25b) -> None:
    """Claim I5: lifting the block for one customer carries a fee to that customer."""
    made = op25b("exempt", "request", "--subscriber", "taro", "--reason", "no SMTP AUTH", "--by", "desk", "--json")
    assert (made.status, made.data["id"], made.data["state"], made.data["requested_by"]) == (0, 1, "requested", "desk")
    reviewed = op25b("exempt", "review", 1)
    assert "fee: FAILED: stated, and not accepted" in reviewed.out
    refused = op25b("exempt", "approve", 1)
    assert (refused.status, refused.out) == (2, "")
    assert "fee failed; refuse it, or override each with a reason" in refused.err
    assert op25b("exempt", "refuse", 1, "--why", "no fee").status == 0
    op25b("exempt", "request", "--subscriber", "taro", "--reason", "no SMTP AUTH", "--fee-accepted")
    op25b("exempt", "review", 2)
    assert op25b("exempt", "approve", 2).out == "exemption 2 is granted\n"


def test_a_company_with_its_own_domain_on_addresses_of_the_provider(op25b: Op25b) -> None:
    """Claim I10: on request, and of no other address."""
    for prefix, domain, met in (
        ("198.19.80.8/29", "company.example", True),
        ("198.19.64.8/29", "company.example", False),
        ("198.19.80.16/29", "infonia.example", False),
    ):
        asked = ("--prefix", prefix, "--domain", domain, "--reason", "company mail server")
        number = op25b("exempt", "request", *asked, "--json").data["id"]
        found = op25b("exempt", "review", number, "--json").data["findings"]
        assert {each["criterion"] for each in found} == {"static-address", "own-domain"}
        assert all(each["passed"] for each in found) is met
        assert op25b("exempt", "approve", number).status == (0 if met else 2)


def test_lists_and_histories(op25b: Op25b) -> None:
    for name in ("taro", "jiro"):
        op25b("exempt", "request", "--subscriber", name, "--reason", "x", "--fee-accepted", "--by", "desk")
    op25b("exempt", "withdraw", 1, "--why", "moved", "--by", "desk")
    assert [each["subscriber"] for each in op25b("exempt", "list", "--json").data] == ["jiro"]
    assert [each["id"] for each in op25b("exempt", "list", "--all", "--json").data] == [1, 2]
    assert [each["id"] for each in op25b("exempt", "list", "--state", "withdrawn", "--json").data] == [1]
    assert "taro" in op25b("exempt", "list", "--subscriber", "taro", "--all").out
    shown = op25b("exempt", "show", 1, "--json").data
    assert [(line["who"], line["what"], line["why"]) for line in shown["history"]] == [
        ("desk", "request", ""), ("desk", "withdraw", "moved"),
    ]  # fmt: skip
    assert "withdraw  moved" in op25b("exempt", "show", 1).out


def test_the_terms_as_they_are_published(op25b: Op25b) -> None:
    op25b("exempt", "request", "--subscriber", "taro", "--reason", "x")
    published = op25b("exempt", "terms", INFONIA, "--json").data
    assert published["counts"]["subscriber"]["asked"] == 1
    assert published["terms"]["prefix"]["own_domain"] is True
    words = op25b("exempt", "terms", INFONIA).out
    assert "独自ドメインのメールを送信すること" in words
    assert "you accept the fee: The customer bears the cost of running it" in words
    assert "taro" not in words


def test_a_renewal_and_a_sweep(op25b: Op25b) -> None:
    op25b("exempt", "request", "--subscriber", "taro", "--reason", "x", "--fee-accepted")
    op25b("exempt", "review", 1)
    op25b("exempt", "approve", 1)
    early = op25b("exempt", "renew", 1)
    assert (early.status, "review it first" in early.err) == (2, True)
    op25b("exempt", "review", 1)
    renewed = op25b("exempt", "renew", 1, "--until", "2040-01-01T00:00:00+09:00", "--json").data
    assert (renewed["state"], renewed["until_at"]) == ("granted", "2040-01-01T00:00:00+09:00")
    assert op25b("exempt", "sweep", "--json").data == {"expiring": 0, "ended": 0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("request", "--reason", "x"), "for which subscriber"),
        (("request", "--prefix", "198.19.80.8", "--destination", "192.0.2.1", "--reason", "x"), "two exemptions"),
        (("request", "--subscriber", "a", "--reason", "x", "--until", "tomorrow"), "--until 'tomorrow' is not a time"),
        (("request", "--subscriber", "a", "--reason", "x", "--until", "2040-01-01"), "has no offset"),
        (("approve", "1", "--override", "fee"), "fee is overridden without a reason"),
        (("approve", "1", "--override", "price=x"), "criteria are contract, static-address"),
        (("show", "7"), "there is no exemption 7"),
        (("show", "99999999999999999999"), "Invalid value for 'NUMBER'"),
        (("revoke", "1", "--why", "x"), "only one that is granted or expiring can be: revoke"),
        (("refuse", "1", "--why", " "), "a reason is missing"),
    ],
)
def test_what_is_refused_changes_nothing(op25b: Op25b, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    op25b("exempt", "request", "--subscriber", "taro", "--reason", "x")
    op25b("exempt", "review", 1)
    before = sqlite3.connect(tmp_path / "op25b.db").execute("SELECT * FROM audit").fetchall()
    refused = op25b("exempt", *arguments)
    assert refused.status == 2
    assert words in refused.err.replace("\n", " ")
    assert sqlite3.connect(tmp_path / "op25b.db").execute("SELECT * FROM audit").fetchall() == before


def test_tokens(op25b: Op25b, tmp_path: Path) -> None:
    file = ("--file", tmp_path / "tokens")
    made = op25b("api", "token", "add", "hanako", "--role", "approver", *file)
    assert made.out.startswith("op25b_")
    assert op25b("api", "token", "list", *file, "--json").data == [{"name": "hanako", "roles": ["approver"]}]
    again = op25b("api", "token", "add", "hanako", "--role", "read", *file)
    assert (again.status, "hanako has a token" in again.err) == (2, True)
    assert op25b("api", "token", "remove", "hanako", *file).status == 0
    assert op25b("api", "token", "list", *file, "--json").data == []
