"""Making and checking hashes of passwords.

New hashes are argon2id with 19 MiB, two passes and one lane, OWASP's first choice (Password Storage Cheat Sheet),
with the salt and tag lengths of RFC 9106 section 4. Its second recommended option (64 MiB, three passes, four lanes)
costs nine times as much: see docs/decisions/0005 for the figures and what follows from them at a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import argon2

from op25b.subscribers import schemes
from op25b.subscribers.names import PASSWORD_OCTETS, saslprep
from op25b.subscribers.scram import Keys, derive

SALT_OCTETS = 16

ARGON2 = argon2.Parameters(
    type=argon2.Type.ID, version=19, salt_len=SALT_OCTETS, hash_len=32, time_cost=2, memory_cost=19456, parallelism=1
)
SCRAM_ITERATIONS = 65_536
"""Each client computes these at each log-in; RFC 7677 section 4 asks for 4,096 at least. Cyrus SASL's clients, Postfix
among them, refuse more than these."""

Random = Callable[[int], bytes]
"""So many octets that nobody can foretell (`os.urandom`)."""


@dataclass(frozen=True)
class Secret:
    """What the store keeps of a password: the hash, and the keys for SCRAM where they are known."""

    hash: str
    keys: Keys | None


class Hasher:
    """Makes hashes with one set of parameters and checks those of every scheme. Safe to share between threads."""

    def __init__(
        self, random: Random, argon2id: argon2.Parameters = ARGON2, scram_iterations: int | None = SCRAM_ITERATIONS
    ) -> None:
        self._random = random
        self._salt_octets = argon2id.salt_len
        self._argon2 = argon2.PasswordHasher.from_parameters(argon2id)
        self._iterations = scram_iterations
        self._nobody = self._hash(random(SALT_OCTETS).hex())

    def make(self, password: str) -> Secret:
        """The secret of a new password, with keys for SCRAM. Raises ValueError for one that nobody could send."""
        prepared = prepare(password)
        return Secret(self._hash(prepared), self._keys(prepared))

    def check(self, stored: str, password: str) -> bool:
        """True if `password`, as it was typed, is the one of which `stored` was made.

        A taken over hash is compared with what was typed, an own one with what RFC 4013 makes of it.
        """
        if not stored.startswith("$argon2id$"):
            return schemes.stored(stored).check(password)
        try:
            return self._argon2.verify(stored, prepare(password))
        except (ValueError, argon2.exceptions.VerificationError):
            return False

    def check_nobody(self, password: str) -> None:
        """As much work as `check` takes for an own hash, for a name that has none."""
        self.check(self._nobody, password)

    def is_outdated(self, secret: Secret) -> bool:
        """True if the hash is a taken over one or of other parameters, or its keys for SCRAM are missing or weaker."""
        if not secret.hash.startswith("$argon2id$") or self._argon2.check_needs_rehash(secret.hash):
            return True
        wanted = self._iterations
        return wanted is not None and (secret.keys is None or secret.keys.iterations < wanted)

    def keys_of_nobody(self, salt: bytes, iterations: int) -> Keys:
        """Keys that no proof fits: what is compared with for a name that has none."""
        return Keys(iterations, salt, self._random(32), self._random(32))

    def _hash(self, prepared: str) -> str:
        return self._argon2.hash(prepared, salt=self._random(self._salt_octets))

    def _keys(self, prepared: str) -> Keys | None:
        return None if self._iterations is None else derive(prepared, self._random(SALT_OCTETS), self._iterations)


def prepare(password: str) -> str:
    """A password as it is hashed (RFC 4616 section 2: SASLprep). Raises ValueError for one that nobody could send."""
    prepared = saslprep(password)
    if not prepared:
        raise ValueError("is empty")
    if len(prepared.encode()) > PASSWORD_OCTETS:
        raise ValueError(f"has more than {PASSWORD_OCTETS} octets")
    return prepared


def take_over(text: str) -> Secret | None:
    """The secret of a foreign hash in Dovecot's notation; None if it is a password in the clear, to be hashed first.

    Raises ValueError, with the reason, for one that cannot be taken over.
    """
    name, _ = schemes.scheme_of(text)
    if name in schemes.PLAIN:
        return None
    scheme = schemes.read(text)
    return Secret(scheme.text, scheme.keys)


def scheme_name(stored: str) -> str:
    """The scheme of a hash, to be shown."""
    return schemes.scheme_of(stored)[0]
