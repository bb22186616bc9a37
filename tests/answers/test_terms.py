"""The terms of exemptions in words."""

from __future__ import annotations

from typing import Any

import pytest

from op25b.answers import terms
from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.policy.model import Policy

KINDS = ("subscriber", "prefix", "destination")
COUNTS = {kind: {"asked": 4, "granted": 3, "refused": 2, "in_force": 1} for kind in KINDS}
ALL: dict[str, Any] = {
    "offered": True, "fee": {"ja": "月額500円。", "en": "500 yen a month."}, "contact": "desk@toy.example",
    "longest_days": 730, "most_per_subscriber": 2, "approvers": ["hanako"], "destination": {"own_domain": True},
    "prefix": {
        "contracts": ["corporate", "office"], "static_address": True, "own_domain": True,
        "reverse_dns": "not-generic", "fee": True,
    },
}  # fmt: skip


def said(speakers: dict[Language, Speaker], given: dict[str, Any]) -> dict[Language, list[str]]:
    provider = {"name": "toy", "display": {"ja": "例", "en": "Toy"}, "time_zone": "Asia/Tokyo"}
    policy = Policy.model_validate({"provider": provider, "exemption_terms": given})
    return {language: terms.text(policy, COUNTS, speakers[language]) for language in LANGUAGES}


def test_in_english(speakers: dict[Language, Speaker]) -> None:
    assert said(speakers, ALL)["en"] == [
        "If you cannot send in another way, you may ask desk@toy.example to lift the restriction.",
        "For one customer, at whatever address the line has:",
        "- no condition but a reason that we find good",
        "- Asked for: 4, granted: 3, refused: 2, in force: 1.",
        "For fixed addresses:",
        "- the contract is one of: corporate, office",
        "- the address is assigned to you for good",
        "- you send for a domain of your own",
        "- the reverse DNS name of the mail server leads back to its address, and is not made from the address",
        "- you accept the fee: 500 yen a month",
        "- Asked for: 4, granted: 3, refused: 2, in force: 1.",
        "For a server that every customer may reach:",
        "- you send for a domain of your own",
        "- Asked for: 4, granted: 3, refused: 2, in force: 1.",
        "If no end is agreed on, we look at it again after 365 days; it ends 30 days later if it is not prolonged.",
        "It holds for 730 days at most, and can be prolonged.",
        "A customer has 2 at most at a time.",
        "It can be ended at any time if spam is sent.",
    ]


def test_in_japanese_as_much_is_said(speakers: dict[Language, Speaker]) -> None:
    found = said(speakers, ALL)
    assert len(found["ja"]) == len(found["en"])
    assert "・費用をご承諾いただくこと：月額500円" in found["ja"]


@pytest.mark.parametrize("wanted", ["exists", "confirmed", "not-generic"])
def test_every_kind_of_reverse_dns_has_words(speakers: dict[Language, Speaker], wanted: str) -> None:
    found = said(speakers, {"offered": True, "subscriber": {"reverse_dns": wanted}})
    assert sum("reverse DNS" in line for line in found["en"]) == 1
    assert sum("逆引き" in line for line in found["ja"]) == 1


def test_none_are_offered(speakers: dict[Language, Speaker]) -> None:
    assert said(speakers, {})["en"] == ["Toy offers no exemptions from the restriction of port 25."]
