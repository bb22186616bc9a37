"""The code for the support desk: all that it says comes back, and what is mistyped does not."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from op25b.doctor import codes
from op25b.doctor.probe.coding import ALPHABET, LENGTH, SETTINGS, code, radices
from op25b.doctor.probe.findings import CELLS, Summary
from op25b.doctor.probe.outcomes import Login, Outcome, Place

SUMMARIES = st.builds(
    Summary,
    st.tuples(*[st.sampled_from(Outcome)] * len(CELLS)),
    st.sampled_from(Place),
    st.sampled_from(Login),
    st.sampled_from(SETTINGS),
    st.booleans(),
    st.booleans(),
)
LAST = Summary((Outcome.REDIRECTED,) * len(CELLS), Place.OTHER, Login.NOT_OFFERED, SETTINGS[-1], True, True)


@example(LAST)
@given(SUMMARIES)
def test_a_code_says_all(seen: Summary) -> None:
    text = code(seen)
    assert [len(group) for group in text.split("-")] == [5, 5, 5]
    assert codes.read(text) == seen


def test_every_summary_has_a_code() -> None:
    assert prod(radices()) <= 32**LENGTH


@given(SUMMARIES)
def test_one_wrong_letter_is_noticed(seen: Summary) -> None:
    text = code(seen).replace("-", "")
    for place, right in enumerate(text):
        for wrong in set(ALPHABET) - {right}:
            with pytest.raises(ValueError, match=r"mistyped|another version"):
                codes.read(text[:place] + wrong + text[place + 1 :])


@given(SUMMARIES)
def test_neighbours_that_changed_places_are_noticed(seen: Summary) -> None:
    text = code(seen).replace("-", "")
    for place, (one, other) in enumerate(pairwise(text[:LENGTH])):
        if one != other:
            with pytest.raises(ValueError, match="mistyped"):
                codes.read(text[:place] + other + one + text[place + 2 :])


@given(SUMMARIES)
def test_a_code_may_be_written_in_any_way(seen: Summary) -> None:
    text = code(seen)
    assert codes.read(f" {text.lower()} ") == seen
    assert codes.read(text.replace("-", "").replace("0", "o").replace("1", "l")) == seen


@pytest.mark.parametrize(
    "text", ["", "0", "0ARFC-H5G75-4P05", "0ARFC-H5G75-4P05DD", "0ARFC-H5G75-4P05U", "\ud800" * 15]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a code has"):
        codes.read(text)


def test_a_code_of_another_version_is_told_so() -> None:
    with pytest.raises(ValueError, match="another version"):
        codes.read("0" * (LENGTH + 2))


def test_findings_name_what_was_tried() -> None:
    cells = [Outcome.UNTRIED] * len(CELLS)
    cells[0], cells[-1] = Outcome.DENIED, Outcome.WORKS
    found = codes.findings(Summary(tuple(cells), Place.OTHER, setting=1))
    assert found == {
        "place": "other",
        "setting": {"port": None, "own": True},
        "login": "untried",
        "tries": [
            {"server": "own", "port": 25, "family": 4, "outcome": "denied"},
            {"server": "setting", "port": None, "family": 6, "outcome": "works"},
        ],
        "causes": [],
    }
