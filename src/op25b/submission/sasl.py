"""SASL for a server (RFC 4422): PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as state machines. Pure.

An exchange takes the client's messages (octets, base64 undone) and says what to do next:

    exchange = begin("SCRAM-SHA-256-PLUS", channel, nonce)
    step = exchange.start(initial_response)      # None if AUTH came without one
    while True:
        match step:
            case Challenge(octets):              step = exchange.respond(<what the client answers>)
            case Verify(name, password):         step = exchange.decide(<is it right?>)
            case Lookup(name):                   step = exchange.supply(<the keys of that name, or made up ones>)
            case Proved(name, proved):           step = exchange.decide(<is it let in?>)
            case Success() | Failure(): break

A client that gives up (`*`) is the caller's business: it drops the exchange. Whatever went wrong, the client hears one
and the same reply; `Failure.reason` is for the log and never holds a secret.
"""

from __future__ import annotations

from op25b.submission.sasl_steps import (
    Challenge,
    Failure,
    Lookup,
    Malformed,
    Proved,
    Step,
    Steps,
    Success,
    Verify,
    bounded,
    require_same,
)
from op25b.submission.scram import Channel, Scram
from op25b.subscribers.names import NAME_OCTETS, PASSWORD_OCTETS

__all__ = ["MECHANISMS", "Challenge", "Channel", "Failure", "Lookup", "Proved", "Success", "Verify", "begin"]

MECHANISMS = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
"""All that there are, strongest first. The first needs a channel with bindings."""


def begin(mechanism: str, channel: Channel, nonce: bytes) -> Steps:
    """A new exchange of one of MECHANISMS (KeyError for another). `nonce` is used by SCRAM; see `Scram`."""
    if mechanism in _SIMPLE:
        return _SIMPLE[mechanism]()
    return Scram(_SCRAM[mechanism], channel, nonce)


class Plain(Steps):
    """RFC 4616: `[authzid] NUL authcid NUL passwd`. Nobody acts for somebody else: authzid is empty, or is authcid."""

    def _message(self, octets: bytes) -> Step:
        parts = octets.split(b"\0")
        if len(parts) != 3:
            raise Malformed("not three parts with NUL between them")
        acts_as, name = (bounded(part, NAME_OCTETS, "name") for part in parts[:2])
        password = bounded(parts[2], PASSWORD_OCTETS, "password")
        require_same(acts_as, name)
        if not name or not password:
            raise Malformed("an empty name or password")
        return self._verify(name, password)


class Login(Steps):
    """The LOGIN of old clients (draft-murchison-sasl-login): a name, then a password, each asked for."""

    _greeting = b"Username:"

    def _message(self, octets: bytes) -> Step:
        if b"\0" in octets:
            raise Malformed("a NUL")
        if not self._name:
            self._name = bounded(octets, NAME_OCTETS, "name")
            if not self._name:
                raise Malformed("an empty name")
            return self._challenge(b"Password:")
        password = bounded(octets, PASSWORD_OCTETS, "password")
        if not password:
            raise Malformed("an empty password")
        return self._verify(self._name, password)


_SIMPLE: dict[str, type[Steps]] = {"PLAIN": Plain, "LOGIN": Login}
_SCRAM = {"SCRAM-SHA-256": False, "SCRAM-SHA-256-PLUS": True}
"""To whether the channel is bound."""
