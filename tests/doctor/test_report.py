"""What is said, in both languages, as it was read and found good: tests/golden/doctor."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from op25b.doctor import download
from op25b.doctor.probe.causes import Why
from op25b.doctor.probe.findings import Summary, summary
from op25b.doctor.probe.outcomes import Login, Outcome, Provider, Role, Server, Target, Try
from op25b.doctor.probe.report import Report
from op25b.doctor.probe.words import Say
from op25b.locale import speakers

GOLDEN = Path(__file__).parents[1] / "golden" / "doctor"
WORDS = download.translated(speakers(ZoneInfo("UTC"))["ja"].translations.gettext)
PROVIDER = Provider(
    {"ja": "例ネット", "en": "Toy"},
    (Server("mail.isp.example", (25, 587, 465)),),
    (Server("mx.foreign.example", (25, 587)),),
    networks=("198.51.100.0/24",),
    contacts=("050-0000-0100", "support@isp.example"),
    pop_minutes=10,
)
HOME, AWAY = "198.51.100.7", "203.0.113.7"
WORKS = Outcome.WORKS


def own(port: int, *outcomes: Outcome, **more: str) -> list[Try]:
    return _tries(Target(Role.OWN, "mail.isp.example", port), outcomes, **more)


def other(port: int, *outcomes: Outcome, **more: str) -> list[Try]:
    return _tries(Target(Role.OTHER, "mx.foreign.example", port), outcomes, **more)


def _tries(target: Target, outcomes: tuple[Outcome, ...], **more: str) -> list[Try]:
    if outcomes[0] >= Outcome.FAILING:  # somebody was met
        more = {"source": HOME, "name": target.host} | more
    return [
        Try(target, family, "192.0.2.1", outcome, 12.3, **more)  # type: ignore[arg-type]
        for family, outcome in zip((4, 6), outcomes, strict=False)
    ]


def report(*tries: list[Try], login: Login = Login.UNTRIED, setting: Target | None = None) -> Report:
    made = [each for some in tries for each in some]
    return Report(PROVIDER, tuple(made), summary(made, PROVIDER, login, setting), setting)


UP = [*own(587, WORKS, WORKS), *own(465, WORKS, WORKS)]
SITUATIONS = {
    "works": report(own(25, WORKS, WORKS), UP, other(25, WORKS, WORKS), login=Login.ACCEPTED),
    "our-block": report(own(25, WORKS, WORKS), UP, other(25, Outcome.PROHIBITED, Outcome.REFUSED)),
    "their-block": report(own(25, Outcome.DROPPED), own(587, WORKS, source=AWAY), other(25, Outcome.DROPPED)),
    "outside": report(own(25, Outcome.DENIED, source=AWAY), own(587, WORKS, source=AWAY)),
    "wrong-password": report(UP, other(25, WORKS), login=Login.WRONG),
    "wrong-port": report(
        UP,
        _tries(Target(Role.SETTING, "mail.isp.example", 2525), (Outcome.REFUSED,)),
        setting=Target(Role.SETTING, "mail.isp.example", 2525),
    ),
    "outage": report(own(587, Outcome.REFUSED), own(465, Outcome.DROPPED), other(25, WORKS), other(587, WORKS)),
    "redirected": report(
        own(25, Outcome.REDIRECTED, name="proxy.hotel.example", source=AWAY), own(587, WORKS, source=AWAY)
    ),
    "intercepted": report(own(587, Outcome.INTERCEPTED, WORKS)),
    "no-name": report(own(587, Outcome.UNRESOLVED)),
}


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_said(name: str, language: str) -> None:
    said = "\n".join(SITUATIONS[name].lines(Say(language, WORDS))) + "\n"
    assert said == (GOLDEN / f"{name}.{language}.txt").read_text("utf-8")


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("why", Why)
def test_everything_can_be_said(why: Why, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message has the values that it names, also where nothing is known of the provider."""
    monkeypatch.setattr("op25b.doctor.probe.report.causes", lambda _: [why])
    for provider, tries in ((PROVIDER, SITUATIONS["redirected"].tries), (Provider({}, ()), ())):
        made = Report(provider, tries, Summary((Outcome.UNTRIED,) * 14))
        said = "\n".join(made.lines(Say(language, WORDS)))
        assert "{" not in said


def test_json_is_as_documented() -> None:
    found = SITUATIONS["their-block"].as_json()
    assert list(found) == ["place", "tries", "login", "causes", "code"]
    assert found["place"] == "other"
    assert found["causes"] == [{"cause": 2, "why": "blocked"}]
    assert found["tries"][0] == {
        "server": "own",
        "host": "mail.isp.example",
        "port": 25,
        "family": 4,
        "address": "192.0.2.1",
        "outcome": "dropped",
        "milliseconds": 12.3,
        "name": None,
        "seen": None,
        "detail": None,
    }
