"""The terms of exemptions, published: the criteria as data, the counts, and both in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from op25b.answers import terms
from op25b.answers.speech import Language
from op25b.locale import speakers
from op25b.policy.model import Policy

Counts = Mapping[str, Mapping[str, int]]


def spoken(policy: Policy, counts: Counts) -> dict[Language, list[str]]:
    """Lines in each language."""
    return {
        language: terms.text(policy, counts, say)
        for language, say in speakers(ZoneInfo(policy.provider.time_zone)).items()
    }


def published(policy: Policy, counts: Counts) -> dict[str, Any]:
    """Criteria, counts and words. Not who approves: that is nobody's business but the provider's."""
    criteria = policy.exemption_terms.model_dump(mode="json", exclude={"approvers", "second_person_above"})
    return {"provider": policy.provider.name, "terms": criteria, "counts": counts, "text": spoken(policy, counts)}
