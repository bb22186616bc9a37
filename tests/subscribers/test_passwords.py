"""Own hashes: their parameters, what counts as the same password, and what is outdated."""

from __future__ import annotations

import os

import argon2
import pytest

from op25b.subscribers import passwords
from op25b.subscribers.passwords import Hasher, Secret
from tests.subscribers.conftest import CHEAP


def test_the_stated_parameters() -> None:
    made = Hasher(os.urandom).make("x")
    assert made.hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert made.keys is not None
    assert made.keys.iterations == 65_536  # Cyrus SASL's clients compute no more


def test_equal_passwords_have_different_hashes(hasher: Hasher) -> None:
    first, second = hasher.make("same"), hasher.make("same")
    assert first.hash != second.hash
    assert first.keys is not None
    assert second.keys is not None
    assert first.keys.salt != second.keys.salt


def test_the_password_as_people_type_it(hasher: Hasher) -> None:
    stored = hasher.make("caf\u00e9 IX").hash
    assert hasher.check(stored, "cafe\u0301 \u2168")
    assert not hasher.check(stored, "Caf\u00e9 IX")
    assert not hasher.check(stored, "caf\u00e9 IX\0")
    assert not hasher.check(stored, "")


@pytest.mark.parametrize("password", ["", "\u00ad", "a\0b", "a\nb", "x" * 1025, "あ" * 342])
def test_a_password_that_nobody_could_send_is_refused(hasher: Hasher, password: str) -> None:
    with pytest.raises(ValueError, match=r"empty|not allowed|octets"):
        hasher.make(password)


def test_a_long_one_counts_to_its_end(hasher: Hasher) -> None:
    stored = hasher.make("x" * 1024).hash
    assert hasher.check(stored, "x" * 1024)
    assert not hasher.check(stored, "x" * 1023 + "y")


def test_what_is_outdated(hasher: Hasher) -> None:
    new = hasher.make("x")
    assert not hasher.is_outdated(new)
    assert hasher.is_outdated(Secret(new.hash, None))
    assert not Hasher(os.urandom, CHEAP, scram_iterations=None).is_outdated(Secret(new.hash, None))
    assert Hasher(os.urandom, CHEAP, scram_iterations=5000).is_outdated(new)
    assert Hasher(os.urandom, argon2.profiles.PRE_21_2, scram_iterations=4096).is_outdated(new)
    for taken_over in ("{SSHA}uofoWDOuI8MN4W2VTeeDoG0oG4rg3zF5", "{ARGON2ID}" + new.hash):
        assert hasher.is_outdated(Secret(taken_over, new.keys))


def test_no_secret_is_shown(hasher: Hasher) -> None:
    secret = hasher.make("x")
    shown = repr(secret.keys)
    assert secret.keys is not None
    assert repr(secret.keys.stored_key) not in shown
    assert repr(secret.keys.server_key) not in shown
    assert passwords.scheme_name(secret.hash) == "ARGON2ID"
