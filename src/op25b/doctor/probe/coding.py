"""The code for the support desk. Pure."""

from __future__ import annotations

from op25b.doctor.probe.findings import CELLS, Summary
from op25b.doctor.probe.outcomes import PORTS, Login, Outcome, Place

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32
LENGTH, CHECK_PRIME = 13, 1021
VERSION, VERSIONS = 1, 16
SETTINGS = (0, 1, *PORTS)


def radices() -> list[int]:
    """The number of values of each digit of a code, in order; see `digits`."""
    return [VERSIONS, len(Place), len(Login), len(SETTINGS), 2, 2, *[len(Outcome)] * len(CELLS)]


def digits(seen: Summary) -> list[int]:
    fixed = [VERSION, seen.place, seen.login, SETTINGS.index(seen.setting), int(seen.own), int(seen.network)]
    return [*fixed, *seen.cells]


def code(seen: Summary) -> str:
    """The summary in fifteen characters, three groups of five. The last two are a checksum, modulo a prime: any single
    wrong character is noticed, and every two neighbours that changed places. No address, name or time is in it."""
    number = 0
    for digit, radix in zip(digits(seen), radices()):
        number = number * radix + digit
    text = based(number, LENGTH) + based(number % CHECK_PRIME, 2)
    return "-".join(text[start : start + 5] for start in range(0, len(text), 5))


def based(number: int, length: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))
