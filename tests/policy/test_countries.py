"""The countries that a policy may name are those whose holidays are known where the desk's hours are told."""

from __future__ import annotations

import holidays

from op25b.policy.countries import COUNTRIES


def test_the_same_as_the_packages() -> None:
    """It knows some by codes of three letters too; a policy file has one way of writing."""
    assert {code for code in holidays.list_supported_countries() if len(code) == 2} == COUNTRIES
