"""What all SASL mechanisms share (RFC 4422): what may come next, sizes, the order of calls, one way to fail. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from op25b.subscribers.names import account_name
from op25b.subscribers.scram import Keys

MESSAGE_OCTETS = 4096
"""Longest message of a client; a longer one fails. Three times what PLAIN's longest fields need."""


@dataclass(frozen=True)
class Challenge:
    """Send this and wait for the client's answer."""

    octets: bytes


@dataclass(frozen=True)
class Verify:
    """Is this the password of that account? `name` is as the client sent it."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Lookup:
    """What are the keys of that account? For a name that has none, supply made up ones."""

    name: str


@dataclass(frozen=True)
class Proved:
    """The client has proved that it knows the password, or has not (the keys are made up, or the password is wrong)."""

    name: str
    proved: bool


@dataclass(frozen=True)
class Success:
    """The client is `name`, as it sent it."""

    name: str


@dataclass(frozen=True)
class Failure:
    """The exchange failed."""

    reason: str


Step = Challenge | Verify | Lookup | Proved | Success | Failure


class Malformed(Exception):
    """A message that is not one of the mechanism's."""


class Steps:
    """What the mechanisms share: sizes, the order of calls, and one way to fail."""

    _expects = "start"
    _name = ""

    def start(self, initial: bytes | None) -> Step:
        """Begin; `initial` is the initial response, empty for `=` (RFC 4954 section 4)."""
        self._take("start")
        if initial is None:
            return self._challenge(self._greeting)
        return self._read(initial)

    def respond(self, octets: bytes) -> Step:
        """The client's answer to a challenge."""
        self._take("respond")
        return self._read(octets)

    def decide(self, yes: bool) -> Step:
        """The answer to Verify or Proved."""
        self._take("decide")
        return self._decided(yes)

    def supply(self, keys: Keys) -> Step:
        """The answer to Lookup."""
        self._take("supply")
        return self._supplied(keys)

    _greeting = b""

    def _message(self, octets: bytes) -> Step:
        raise NotImplementedError

    def _decided(self, yes: bool) -> Step:
        return self._end() if yes else self._fail("refused")

    def _supplied(self, keys: Keys) -> Step:
        raise NotImplementedError

    def _end(self) -> Step:
        self._expects = "nothing"
        return Success(self._name)

    def _read(self, octets: bytes) -> Step:
        if len(octets) > MESSAGE_OCTETS:
            return self._fail(f"a message of {len(octets)} octets")
        try:
            return self._message(octets)
        except UnicodeDecodeError:
            return self._fail("not UTF-8")
        except Malformed as fault:
            return self._fail(str(fault))

    def _take(self, call: str) -> None:
        if self._expects != call:
            raise RuntimeError(f"{call}() where {self._expects} is expected")

    def _challenge(self, octets: bytes) -> Challenge:
        self._expects = "respond"
        return Challenge(octets)

    def _verify(self, name: str, password: str) -> Verify:
        self._expects, self._name = "decide", name
        return Verify(name, password)

    def _fail(self, reason: str) -> Failure:
        self._expects = "nothing"
        return Failure(reason)


def bounded(octets: bytes, most: int, what: str) -> str:
    """A field as text. Raises Malformed if it is too long, UnicodeDecodeError if it is not UTF-8."""
    if len(octets) > most:
        raise Malformed(f"a {what} of {len(octets)} octets")
    return octets.decode()


def require_same(acts_as: str, name: str) -> None:
    """Raises Malformed if a client wants to act as somebody else than `name`."""
    if not acts_as:
        return
    try:
        same = account_name(acts_as) == account_name(name)
    except ValueError:
        same = False
    if not same:
        raise Malformed("wants to act as somebody else")
