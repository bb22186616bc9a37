"""What is said, with the real catalogues, and the policies of the five providers."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.policy import load
from op25b.policy.model import Policy
from op25b.portal.setup.programs import menus
from op25b.rollout import stages
from op25b.rollout.content import Subject
from op25b.rollout.texts import Texts
from tests.answers.conftest import compiled
from tests.support.databases import postgresql, url
from tests.support.examples import FOLDER

__all__ = ["postgresql", "url"]

PORTAL = "https://portal.provider.example"


def fixed(text: str) -> str:
    """NMTnet's policy once the date is fixed, as its own comment says how."""
    text = text.replace("tentative = true\n", "from = 2011-01-20T00:00:00+09:00\n")
    return "\n".join(line for line in text.splitlines() if not line.startswith("expected ="))


def example(name: str) -> Policy:
    """A provider's policy; `nmtnet-fixed` is NMTnet's later one."""
    text = (FOLDER / f"{name.removesuffix('-fixed')}.toml").read_text()
    policy = load.load(fixed(text) if name.endswith("-fixed") else text).policy
    assert policy is not None
    return policy


@pytest.fixture(scope="session")
def speakers() -> dict[Language, Speaker]:
    return {language: Speaker(language, compiled(language), ZoneInfo("Asia/Tokyo")) for language in LANGUAGES}


def texts(name: str, phase: str, at: str, speakers: dict[Language, Speaker]) -> Texts:
    """The notice that is due."""
    policy, when = example(name), datetime.fromisoformat(at)
    wanted = next(each for each in policy.phases if each.name == phase)
    notice = stages.due(wanted, when)
    assert notice is not None
    return Texts(Subject(policy, wanted, notice, when, menus()), speakers, PORTAL)
