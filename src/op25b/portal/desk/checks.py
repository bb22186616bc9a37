"""What the check on a customer's machine found (`op25b doctor`), from the code that the customer reads out."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import BaseModel

from op25b import locale
from op25b.answers.speech import Language
from op25b.doctor import codes
from op25b.doctor.probe.words import CAUSES
from op25b.policy.model import Policy


class Tried(BaseModel):
    """One connection. `port` None: that of the mail program; `family`: 4 or 6."""

    server: str
    port: int | None
    family: int
    outcome: str


class Checked(BaseModel):
    """What a code says. `causes`: the main one first, in both languages."""

    place: str
    login: str
    tries: list[Tried]
    causes: list[dict[Language, str]]


def checked(policy: Policy, text: str) -> Checked | None:
    """What a text says that may be such a code; None for one that is none."""
    try:
        seen = codes.findings(codes.read(text))
    except ValueError:
        return None
    speakers = locale.speakers(ZoneInfo(policy.provider.time_zone))
    titles = [CAUSES[each["cause"]] for each in seen["causes"]]
    causes = [
        {language: say(title, provider=say.pick(policy.provider.display)) for language, say in speakers.items()}
        for title in titles
    ]
    return Checked(place=seen["place"], login=seen["login"], tries=seen["tries"], causes=causes)
