"""The code for the support desk, read."""

from __future__ import annotations

from typing import Any

from op25b.doctor.probe.causes import causes
from op25b.doctor.probe.coding import ALPHABET, CHECK_PRIME, LENGTH, SETTINGS, VERSION, based, radices
from op25b.doctor.probe.findings import CELLS, Summary
from op25b.doctor.probe.outcomes import Login, Outcome, Place

_READ_AS = str.maketrans("OIL", "011", "- \t\n")
"""As Crockford says: letters that look like digits are these digits; hyphens only help the eye."""


def read(code: str) -> Summary:
    """What a code says, however it is written. Raises ValueError, with a text for people, if it is mistyped or made by
    a version of the check that is not known here."""
    text = code.upper().translate(_READ_AS)
    if len(text) != LENGTH + 2 or not set(text) <= set(ALPHABET):
        raise ValueError(f"a code has {LENGTH + 2} digits and letters, and never U: not {code[:40]!r}")
    number = 0
    for letter in text[:LENGTH]:
        number = number << 5 | ALPHABET.index(letter)
    if based(number % CHECK_PRIME, 2) != text[LENGTH:]:
        raise ValueError(f"{code!r} is mistyped: one letter at least is wrong, or two have changed places")
    digits: list[int] = []
    for radix in reversed(radices()):
        number, digit = divmod(number, radix)
        digits.insert(0, digit)
    version, place, login, setting, own, network, *cells = digits
    if number or version != VERSION:
        raise ValueError(f"{code!r} was made by another version of the check")
    outcomes = tuple(map(Outcome, cells))
    return Summary(outcomes, Place(place), Login(login), SETTINGS[setting], bool(own), bool(network))


def findings(seen: Summary) -> dict[str, Any]:
    """A summary as JSON, with the causes that follow from it."""
    return {
        "place": seen.place.name.lower(),
        "setting": {"port": seen.setting if seen.setting > 1 else None, "own": seen.own} if seen.setting else None,
        "login": seen.login.name.lower().replace("_", "-"),
        "tries": [
            {"server": role.name.lower(), "port": port or None, "family": family, "outcome": outcome.name.lower()}
            for (role, port, family), outcome in zip(CELLS, seen.cells, strict=True)
            if outcome is not Outcome.UNTRIED
        ],
        "causes": [{"cause": why.cause, "why": why.sign} for why in causes(seen)],
    }
