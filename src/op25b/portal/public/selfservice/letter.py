"""The letter with a new password (claim I16): the only place where that password is."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from op25b.answers.contacts import contacts
from op25b.answers.speech import Language
from op25b.locale import speakers
from op25b.policy.model import Policy
from op25b.portal.public.selfservice.servers import servers
from op25b.subscribers.credentials.issuing import Issued
from op25b.subscribers.credentials.reissues import Reissue

TEMPLATES = Path(__file__).parent / "templates"


def html(policy: Policy, reissue: Reissue, issued: Issued) -> str:
    """The letter, in the language in which it was asked for, to be printed on A4."""
    zone = ZoneInfo(policy.provider.time_zone)
    language: Language = "en" if reissue.wanted.language == "en" else "ja"
    say = speakers(zone)[language]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    brand = next((brand for brand in policy.provider.brands if brand.name == reissue.wanted.brand), policy.provider)
    return environment.get_template("letter.html").render(
        say=say, wanted=reissue.wanted, number=reissue.id, fee=reissue.fee, issued=issued, servers=servers(policy),
        contacts=contacts(policy.provider, reissue.changed_at, say),
        day=reissue.changed_at.astimezone(zone).date(), provider=say.pick(brand.display),
    )  # fmt: skip
