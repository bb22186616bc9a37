"""What one does in a mail program's dialogs, and how it is said. Pure.

A program's guide is a list of actions (`op25b.portal.setup.programs`); the sentences are the same for all programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from op25b.answers.speech import Speaker, mark
from op25b.policy.table import Words


class Verb(Enum):
    """What is done to the thing with a label."""

    OPEN = mark("Open “{label}”.")
    TAB = mark("Open the tab “{label}”.")
    PRESS = mark("Press “{label}”.")
    ACCOUNT = mark("Choose your account for @{domain} and press “{label}”.")
    RIGHT_CLICK = mark("Right-click your account for @{domain} and choose “{label}”.")
    TAP_ACCOUNT = mark("Tap your account for @{domain}.")
    TICK = mark("Tick “{label}”.")
    UNTICK = mark("Remove the tick at “{label}”.")
    ON = mark("Turn on “{label}”.")
    CHOOSE = mark("Choose “{label}”.")
    SELECT = mark("At “{label}”, select “{value}”.")
    WRITE = mark("At “{label}”, write “{value}”.")
    FILL = mark("At “{label}”, write {value}.")


class Value(Enum):
    """What goes into a field, from the profile and the policy."""

    HOST = "host"
    PORT = "port"
    HOST_AND_PORT = "host-and-port"
    SECURITY = "security"
    ADDRESS = "address"
    USER = "user"
    PASSWORD = "password"


_PHRASES = (Value.ADDRESS, Value.USER, Value.PASSWORD)
"""Values that are told about, not spelt."""


@dataclass(frozen=True)
class Action:
    """One thing to do. `label`: what the program calls the thing; `value`: what goes in, or what is chosen there."""

    verb: Verb
    label: Words
    value: Value | Words | None = None

    def sentence(self, say: Speaker, domain: str, values: dict[Value, str]) -> str:
        """The action in words, with the values of the visitor's profile."""
        match self.value:
            case None:
                value = ""
            case Words():
                value = say.pick(self.value)
            case Value():
                value = values[self.value]
        return say(self.verb.value, label=say.pick(self.label), value=value, domain=domain)


def put(value: Value, ja: str, en: str) -> Action:
    """Writing a value of the profile into a field."""
    return Action(Verb.FILL if value in _PHRASES else Verb.WRITE, Words(ja=ja, en=en), value)


def do(verb: Verb, ja: str = "", en: str = "") -> Action:
    return Action(verb, Words(ja=ja, en=en))


def select(ja: str, en: str, value: Value | Words) -> Action:
    return Action(Verb.SELECT, Words(ja=ja, en=en), value)
