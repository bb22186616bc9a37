"""Bearer tokens (RFC 6750) in a file: each line a name, its roles and the token's SHA-256, never the token itself.

A token is 256 random bits, so that a plain hash keeps it: there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from op25b.errors import UserError
from op25b.policy.fields import slug
from op25b.portal.staff.roles import Person, Role

PREFIX = "op25b_"
"""So that scanners for leaked secrets know what they have found."""
_TOKEN_OCTETS = 32


def read(path: Path) -> dict[bytes, Person]:
    """Holders by the hash of their token. Raises UserError for a file that cannot be used, with the line."""
    try:
        text = path.read_text("utf-8")
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UserError(f"{path}: cannot be read ({why}); `op25b api token add NAME` makes it") from None
    if mode & 0o022:
        raise UserError(f"{path}: others than its owner can write it; `chmod 640`, with the service's group")
    found: dict[bytes, Person] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            digest, holder = _line(line, f"{path}:{number}")
            found[digest] = holder
    return found


def _line(line: str, place: str) -> tuple[bytes, Person]:
    try:
        name, roles, digest = line.split()
        return bytes.fromhex(digest), Person(slug(name), frozenset(map(Role, roles.split(","))))
    except ValueError:
        mend = "take it out, and make a new one with `op25b api token add`"
        raise UserError(f"{place}: not a name, roles and a hash; {mend}") from None


def add(path: Path, name: str, roles: Collection[Role], random: Callable[[int], bytes]) -> str:
    """A new token, which is nowhere but in what is returned. Raises UserError if the name is taken or is none."""
    try:
        slug(name)
    except ValueError as fault:
        raise UserError(f"the name {fault}") from None
    holders = read(path) if path.exists() else {}
    if any(holder.name == name for holder in holders.values()):
        raise UserError(f"{name} has a token; `op25b api token remove {name}` ends that one first")
    token = PREFIX + random(_TOKEN_OCTETS).hex()
    _write(path, {**holders, _digest(token): Person(name, frozenset(roles))})
    return token


def remove(path: Path, name: str) -> None:
    """End the token of that name. Raises UserError if there is none."""
    holders = read(path)
    left = {digest: holder for digest, holder in holders.items() if holder.name != name}
    if left == holders:
        raise UserError(f"{name} has no token; `op25b api token list` shows all")
    _write(path, left)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _write(path: Path, holders: dict[bytes, Person]) -> None:
    """In one step, so that no reader meets half a file; owner and mode stay as they are."""
    lines = [f"{holder.name} {','.join(sorted(holder.roles))} {digest.hex()}\n" for digest, holder in holders.items()]
    try:
        descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UserError(f"{path.parent}: {error.strerror}; make the folder, writable by this user") from None
    try:
        with os.fdopen(descriptor, "w") as file:
            if path.exists():
                before = path.stat()
                os.fchmod(file.fileno(), before.st_mode & 0o777)
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        os.unlink(new)
        raise


class Tokens:
    """The tokens of a file as it is now."""

    def __init__(self, path: Path) -> None:
        """Raises as `read`."""
        self._path = path
        self._state = self._look()
        self._holders = read(path)

    def holder(self, token: str) -> Person | None:
        """Whose token it is. Raises UserError if the file has become unusable: nobody is let in by an old one."""
        if (state := self._look()) != self._state:
            self._holders = read(self._path)
            self._state = state
        wanted, found = _digest(token), None
        for digest, holder in self._holders.items():
            if hmac.compare_digest(digest, wanted):
                found = holder
        return found

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
