"""Hashes of passwords as other programs keep them, in Dovecot's notation: `{SCHEME}hash`.

A hash is read once, when it is taken over, so that one that cannot be checked, or that would take minutes to check,
is found then and not at a customer's log-in. See https://doc.dovecot.org/2.3/configuration_manual/authentication/password_schemes/.
"""

from __future__ import annotations

import base64
import binascii
import ctypes
import functools
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

import argon2

from op25b.errors import Missing
from op25b.subscribers.scram import Keys

Check = Callable[[str], bool]
"""Says whether a password, as it was typed, is the one that was hashed."""

CRYPT_OCTETS = 512
"""Longest password that libcrypt takes (CRYPT_MAX_PASSPHRASE_SIZE)."""
COSTLIEST = {
    "rounds": 1_000_000,
    "bcrypt": 15,
    "yescrypt": 18,
    "argon2_kib": 1 << 20,
    "argon2_passes": 20,
    "scram": 1_000_000,
}
"""Hashes that cost more to check than this are refused: each log-in would hold a processor for seconds.

bcrypt's and yescrypt's are powers of two; 18 is 1 GiB of memory (Debian's default is 12).
"""

_ARGON2_FORM = re.compile(
    r"\$(?P<kind>argon2id?)\$v=19\$m=[0-9]{1,9},t=[0-9]{1,9},p=[0-9]{1,3}"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<tag>[A-Za-z0-9+/]{22,86})"
)
"""Of a cut off hash argon2's own reader says nothing before the first check."""
_CRYPT_DATA = 1 << 18
"""Room for `struct crypt_data`: 32 KiB in libxcrypt, 128 KiB in old glibc."""
_FIELD = r"[./0-9A-Za-z]"
_CRYPT_FORMS = {
    "MD5-CRYPT": re.compile(rf"\$1\$[^$:\n]{{0,8}}\${_FIELD}{{22}}"),
    "BLF-CRYPT": re.compile(rf"\$2[abxy]\$(?P<bcrypt>[0-9]{{2}})\${_FIELD}{{53}}"),
    "SHA256-CRYPT": re.compile(rf"\$5\$(rounds=(?P<rounds>[0-9]{{1,9}})\$)?[^$:\n]{{0,16}}\${_FIELD}{{43}}"),
    "SHA512-CRYPT": re.compile(rf"\$6\$(rounds=(?P<rounds>[0-9]{{1,9}})\$)?[^$:\n]{{0,16}}\${_FIELD}{{86}}"),
    "YESCRYPT": re.compile(rf"\$y\$j{_FIELD}{{2}}\${_FIELD}{{0,86}}\${_FIELD}{{43}}"),
    "DES-CRYPT": re.compile(rf"{_FIELD}{{13}}"),
}
_SALTED = {"SSHA": "sha1", "SSHA256": "sha256", "SSHA512": "sha512"}
_DIGESTS = {"SHA": "sha1", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"} | _SALTED
PLAIN = frozenset({"PLAIN", "CLEAR", "CLEARTEXT"})


@dataclass(frozen=True)
class Scheme:
    """A hash that was read: `text` is what to store, `check` compares, `keys` are there for SCRAM only."""

    name: str
    text: str
    check: Check
    keys: Keys | None = None


def scheme_of(text: str) -> tuple[str, str]:
    """The scheme's name, in capitals, and the rest. Without a name it is CRYPT, Dovecot's default, or argon2's own."""
    if found := re.match(r"\{([^{}]*)\}", text):
        return found[1].upper(), text[found.end() :]
    return ("ARGON2ID" if text.startswith("$argon2id$") else "CRYPT"), text


def read(text: str) -> Scheme:
    """Read `{SCHEME}hash`. Raises ValueError for a hash that cannot be taken over; the reason never quotes it."""
    full, value = scheme_of(text)
    name, _, encoding = full.partition(".")
    if name in ("CRYPT", "DES-CRYPT") or name in _CRYPT_FORMS:
        return _crypt(name, value)
    if name in ("ARGON2ID", "ARGON2I"):
        return _argon2(name, value)
    if name == "SCRAM-SHA-256":
        keys = scram_keys(value)
        return Scheme(name, f"{{{name}}}{value}", keys.is_of, keys)
    if name in _DIGESTS:
        check = _digest(name, _decoded(value, encoding))
        return Scheme(name, f"{{{full}}}{value}", check)
    known = sorted({*_CRYPT_FORMS, *_DIGESTS, *PLAIN, "CRYPT", "ARGON2ID", "ARGON2I", "SCRAM-SHA-256"})
    raise ValueError(f"the scheme {{{full}}} is not known; known are {', '.join(known)}")


@functools.lru_cache(maxsize=4096)
def stored(text: str) -> Scheme:
    """As `read`, for a hash that was read before and comes from the store."""
    return read(text)


def scram_keys(value: str) -> Keys:
    """Dovecot's `iterations,salt,stored key,server key`, the last three in base64. Raises ValueError if it is not."""
    parts = value.split(",")
    if len(parts) != 4 or not re.fullmatch("[0-9]{1,9}", parts[0]):
        raise ValueError("a SCRAM-SHA-256 hash is `iterations,salt,stored-key,server-key`")
    iterations = int(parts[0])
    salt, stored_key, server_key = (_decoded(part, "B64") for part in parts[1:])
    if not salt or len(stored_key) != 32 or len(server_key) != 32:
        raise ValueError("the salt of a SCRAM-SHA-256 hash is empty, or its keys do not have 32 octets")
    if not 4096 <= iterations <= COSTLIEST["scram"]:
        raise ValueError(f"a SCRAM-SHA-256 hash has 4096 to {COSTLIEST['scram']} iterations, not {iterations}")
    return Keys(iterations, salt, stored_key, server_key)


def _crypt(name: str, value: str) -> Scheme:
    for form, pattern in _CRYPT_FORMS.items():
        if (found := pattern.fullmatch(value)) and name in ("CRYPT", form):
            break
    else:
        what = "that crypt(3) makes" if name == "CRYPT" else f"of {name}"
        raise ValueError(f"the hash is cut off, or is not one {what}")
    costs = {key: int(cost) for key, cost in found.groupdict().items() if cost is not None}
    if form == "YESCRYPT":
        costs["yescrypt"] = _yescrypt_n(value)
    if any(cost > COSTLIEST[key] for key, cost in costs.items()):
        raise ValueError("the hash would take too long to check at each log-in; set a new password")
    return Scheme(form, f"{{{name}}}{value}", functools.partial(_crypt_matches, value))


def _yescrypt_n(value: str) -> int:
    # $y$, flags, N, r, one digit of crypt's alphabet each; N is a power of two, counted from 1
    digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return digits.index(value[4]) + 1


def _crypt_matches(hashed: str, password: str) -> bool:
    """crypt(3). bcrypt looks at 72 octets only, DES at 8, there as here; the hash is replaced at the first log-in."""
    word = password.encode()
    if b"\0" in word or len(word) > CRYPT_OCTETS:
        return False
    setting = hashed.encode()
    made: bytes | None = _libcrypt().crypt_r(word, setting, ctypes.create_string_buffer(_CRYPT_DATA))
    return made is not None and hmac.compare_digest(made, setting)


@functools.cache
def _libcrypt() -> ctypes.CDLL:
    # by ctypes, which lets other threads run meanwhile; Python's own crypt module, and its successor, do not
    for name in ("libcrypt.so.1", "libcrypt.so.2"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.crypt_r.restype = ctypes.c_char_p
        library.crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
        return library
    raise Missing("libcrypt is needed to check taken over passwords; to get it: sudo apt-get install libcrypt1")


def _argon2(name: str, value: str) -> Scheme:
    found = _ARGON2_FORM.fullmatch(value)
    if found is None or found["kind"].upper() != name or any(len(found[part]) % 4 == 1 for part in ("salt", "tag")):
        raise ValueError(f"the hash is cut off, or is not one of {name}")
    parameters = argon2.extract_parameters(value)
    if parameters.memory_cost > COSTLIEST["argon2_kib"] or parameters.time_cost > COSTLIEST["argon2_passes"]:
        raise ValueError("the hash would take too long to check at each log-in; set a new password")
    hasher = argon2.PasswordHasher.from_parameters(parameters)

    def check(password: str) -> bool:
        try:
            return hasher.verify(value, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    return Scheme(name, f"{{{name}}}{value}", check)


def _digest(name: str, blob: bytes) -> Check:
    digest = _DIGESTS[name]
    size = hashlib.new(digest).digest_size
    hashed, salt = blob[:size], blob[size:]
    salted = name in _SALTED
    if len(hashed) != size or bool(salt) != salted:
        raise ValueError(f"a hash of {name} has {size} octets{' and a salt' if salted else ''}, in base64")
    return lambda password: hmac.compare_digest(hashlib.new(digest, password.encode() + salt).digest(), hashed)


def _decoded(value: str, encoding: str) -> bytes:
    """Raises ValueError if `value` is not what the suffix of its scheme says; base64 is what Dovecot writes."""
    try:
        if encoding == "HEX":
            return bytes.fromhex(value)
        if encoding in ("", "B64", "BASE64"):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the hash is cut off, or is not in the encoding that its scheme says") from None
    raise ValueError(f"the encoding .{encoding} is not known; known are .B64 and .HEX")
