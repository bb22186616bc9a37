"""What is made to be typed from paper."""

from __future__ import annotations

import os
import random
from collections import Counter

from op25b.subscribers import fresh


def test_a_password_is_short_and_without_letters_that_are_taken_for_others() -> None:
    made = fresh.password(os.urandom)
    assert [len(group) for group in made.split("-")] == [4, 4, 4]
    assert set(made) <= {*fresh.ALPHABET, "-"}
    assert not set(fresh.ALPHABET) & set("01oil")
    assert fresh.password(os.urandom) != made


def test_each_letter_is_as_likely() -> None:
    drawn = random.Random(25)
    found = Counter("".join(fresh.reference(drawn.randbytes) for _ in range(5000)))
    mean = 5000 * 26 / 31
    assert set(found) == set(fresh.ALPHABET)
    assert all(abs(count - mean) < 6 * mean**0.5 for count in found.values())


def test_a_user_name_tells_the_brand_and_no_more() -> None:
    assert fresh.user_name("imart", os.urandom).startswith("imart-")
    assert fresh.digest(fresh.reference(os.urandom)) != fresh.digest(fresh.reference(os.urandom))
