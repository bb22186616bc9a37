"""The troubleshooter step by step: a cause is passed over when it cannot hold, and they come in their order."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address

import pytest

from op25b.answers.causes import Cause
from op25b.answers.pages import Bulletin, Subject
from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.answers.trouble import ELSEWHERE, Step, step
from op25b.policy.load import load
from op25b.policy.table import Words
from op25b.policy.verdict import Judge
from tests.support.examples import FOLDER
from tests.support.wording import faults, said

AT = datetime.fromisoformat("2010-12-01T12:00:00+09:00")
SUDDENLY = "suddenly-cannot-send"


def subject(name: str, say: Speaker, bulletins: tuple[Bulletin, ...] = ()) -> Subject:
    policy = load((FOLDER / f"{name}.toml").read_text("utf-8")).policy
    assert policy is not None
    return Subject(Judge(policy), AT, say, bulletins)


def answers(line: str, uses: str = "mail-program", server: str = "other", port: str = "25") -> dict[str, str]:
    return {"symptom": SUDDENLY, "line": line, "uses": uses, "server": server, "port": port}


def walked(about: Subject, given: dict[str, str]) -> list[Cause | None]:
    """The causes that are shown to somebody whom none of them helps."""
    found, given = [], dict(given)
    while True:
        now = step(about, given)
        found.append(now.cause)
        if now.ask is None:
            return found
        given[now.ask.key] = "on"


def test_questions_in_order(speakers: dict[Language, Speaker]) -> None:
    about, given, asked = subject("sonet", speakers["en"]), {}, []
    chosen = answers("flets-east")
    while (now := step(about, given)).cause is None:
        assert now.ask is not None
        asked.append(now.ask.key)
        assert chosen[now.ask.key] in [choice.value for choice in now.ask.choices]
        given[now.ask.key] = chosen[now.ask.key]
    assert asked == ["symptom", "line", "uses", "server", "port"]
    assert now.cause is Cause.OWN_BLOCK


@pytest.mark.parametrize(
    ("name", "given", "causes"),
    [
        ("sonet", answers("flets-east"), [1, 4, 5]),
        ("sonet", answers("mobile"), [4, 5]),
        ("sonet", answers("flets-east", server="own"), [4, 5]),
        ("sonet", answers(ELSEWHERE, server="own"), [2, 3, 4, 5]),
        ("sonet", answers(ELSEWHERE, server="own", port="587"), [4, 5]),
        ("sonet", answers(ELSEWHERE), [2, 4, 5]),
        ("infonia", answers(ELSEWHERE, server="own", port="587"), [3, 4, 5]),
        ("infonia", answers("dynamic", server="own"), [1, 4, 5]),
        ("infonia", answers("dynamic", server="own", port="587"), [4, 5]),
        ("netlaputa", answers("b-flets", uses="webmail"), [5]),
        ("netlaputa", answers("b-flets", uses="home-server"), [1, 4, 5]),
        ("netlaputa", answers("b-flets") | {"symptom": "neither"}, [4, 5]),
        ("fitweb", answers("unknown"), [1, 4, 5]),
    ],
)
def test_causes(speakers: dict[Language, Speaker], name: str, given: dict[str, str], causes: list[int]) -> None:
    """Claim S3: four when one to three are ruled out, five when one to four are."""
    assert walked(subject(name, speakers["en"]), given) == causes


def test_what_is_ruled_out_is_said(speakers: dict[Language, Speaker]) -> None:
    now = step(subject("sonet", speakers["en"]), answers("flets-east") | {"cause-1": "on", "cause-4": "on"})
    assert now.cause is Cause.OUTAGE
    assert [each.partition(":")[0] for each in now.ruled_out] == ["Cause 1", "Cause 2", "Cause 3", "Cause 4"]


def test_solved(speakers: dict[Language, Speaker]) -> None:
    now = step(subject("sonet", speakers["en"]), answers("flets-east") | {"cause-1": "solved"})
    assert now == Step(None, title="We are glad that you can send mail again.")


def test_outages_come_with_the_fifth(speakers: dict[Language, Speaker]) -> None:
    outage = Bulletin("outage", Words(ja="障害です。", en="Mail is down."), AT)
    about = subject("sonet", speakers["en"], (outage,))
    now = step(about, answers("mobile") | {"cause-4": "on"})
    assert "Mail is down." in said(now.sections)


def test_the_visitors_own_address_answers_for_the_line(speakers: dict[Language, Speaker]) -> None:
    about = subject("netlaputa", speakers["en"])
    given = {"symptom": SUDDENLY, "uses": "mail-program", "server": "other", "port": "25"}
    assert step(about, given, ip_address("198.18.8.1")).cause is Cause.OWN_BLOCK
    assert step(about, given, ip_address("198.18.32.1")).cause is Cause.WRONG_SETTING
    assert step(about, given, ip_address("203.0.113.1")).cause is Cause.OTHER_BLOCK


def test_a_firewall_comes_before_settings(speakers: dict[Language, Speaker]) -> None:
    """Claim I11."""
    given = answers("dynamic", server="own", port="587") | {"symptom": "cannot-connect-to-587"}
    now = step(subject("infonia", speakers["en"]), given)
    assert now.cause is Cause.WRONG_SETTING
    assert said(now.sections).index("administrator of that network") < said(now.sections).index("Sending server")


def test_nonsense_counts_as_not_given(speakers: dict[Language, Speaker]) -> None:
    about = subject("sonet", speakers["en"])
    for given in ({}, {"symptom": "<script>"}, {"symptom": SUDDENLY, "line": "no-such"}):
        now = step(about, given)
        assert now.ask is not None
        assert now.ask.key == ("line" if given.get("symptom") == SUDDENLY else "symptom")
    unknown = answers("flets-east") | {"cause-1": "?"}
    assert step(about, unknown).cause is Cause.OWN_BLOCK


@pytest.mark.parametrize("language", LANGUAGES)
def test_well_said(speakers: dict[Language, Speaker], language: Language) -> None:
    for name in ("sonet", "infonia", "nmtnet", "campus"):
        about = subject(name, speakers[language])
        for line in (about.policy.pools[0].name, ELSEWHERE, "unknown"):
            given = answers(line, server="own")
            while True:
                now = step(about, given)
                assert faults(said(now.sections) + now.title + "\n".join(now.ruled_out), language) == []
                if now.ask is None:
                    break
                given[now.ask.key] = "on"
