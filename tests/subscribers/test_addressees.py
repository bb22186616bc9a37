"""Who can be written to."""

from __future__ import annotations

import pytest

from op25b.subscribers.accounts import New
from op25b.subscribers.addressees import Addressees
from tests.subscribers.conftest import House


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("taro@example.jp", True),
        ("TARO@Example.JP", True),
        ("taro+lists@example.jp", True),
        ("tarou@example.jp", True),
        ("hanako@example.jp", True),
        ("jiro@example.jp", False),
        ("anything@firm.example", False),
        ("taro@firm.example", False),
        ("+@example.jp", False),
        ("@firm.example", False),
        ("taro", False),
    ],
)
def test_names_and_whole_senders(house: House, address: str, expected: bool) -> None:
    secret = house.hasher.make("secret")
    taro = New("taro@example.jp", secret, frozenset({"tarou@example.jp", "@firm.example"}))
    house.accounts.add([taro, New("hanako", secret, frozenset({"hanako@example.jp"}))], house.by())
    assert Addressees(house.store).exists(address) is expected
