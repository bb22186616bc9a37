"""passwd-files: every bad line is named with its mend, and none is half understood."""

from __future__ import annotations

import re
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.subscribers.importing import parse
from tests.subscribers.test_schemes import HASHES

SSHA = "{SSHA}uofoWDOuI8MN4W2VTeeDoG0oG4rg3zF5"


def read(text: str, domain: str | None = "example.jp", taken: frozenset[str] = frozenset()) -> tuple[list, list]:  # type: ignore[type-arg]
    return parse(text.encode(), domain, taken.__contains__)


def test_every_form_of_line() -> None:
    lines, faults = read(
        "# a comment\n"
        "\n"
        f"taro:{SSHA}\n"
        f"Hanako@Example.COM:{SSHA}:1000:1000:Hanako,,,:/home/hanako:/bin/false:userdb_quota_rule=*:bytes=100M\n"
        f"jiro:{SSHA}::::::nologin\n"
        f"saburo:{SSHA}::::::nologin=no userdb_mail=maildir:~/Maildir\r\n"
        "shiro:{PLAIN}correct horse ß:1000\n"
        "goro:$6$saltsalt$" + "a" * 86 + ":19000:0:99999:7:::\n"
        "花子:{CLEARTEXT}x"
    )
    assert faults == []
    assert [(line.number, line.name) for line in lines] == [
        (3, "taro"),
        (4, "hanako@example.com"),
        (5, "jiro"),
        (6, "saburo"),
        (7, "shiro"),
        (8, "goro"),
        (9, "花子"),
    ]
    assert [line.senders for line in lines[:2]] == [{"taro@example.jp"}, {"hanako@example.com"}]
    assert [line.name for line in lines if line.suspended] == ["jiro"]
    assert [line.password for line in lines if line.secret is None] == ["correct horse ß", "x"]


@pytest.mark.parametrize("text", list(HASHES), ids=lambda text: text[:16])
def test_every_scheme(text: str) -> None:
    lines, faults = read(f"taro:{text}:::::")
    assert faults == []
    assert lines[0].secret is not None
    assert (lines[0].secret.keys is not None) == ("SCRAM" in text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("taro", "no colon"),
        (f":{SSHA}", "the name is empty"),
        (f"a b:{SSHA}", "the name holds a space"),
        ("taro:", "empty password"),
        ("taro:!:19000", "no password"),
        ("taro:*", "no password"),
        ("taro:hunter22", "cut off, or is not one that crypt(3) makes"),
        ("taro:{SSHA}hunter22", "a hash of SSHA has 20 octets"),
        ("taro:{MD5}hunter22", "the scheme {MD5} is not known"),
        ("taro:{PLAIN}", "the password is empty"),
        ("taro:{PLAIN}a\u0007", "not allowed; set a new one"),
        (f"taro:{SSHA}::::::allow_nets=192.0.2.0/24", "the extra field allow_nets"),
        ("taro:{PLAIN}x::::::nopassword=y", "lets everybody in"),
        (f"taro:{SSHA}::::::user=jiro", "renames the account"),
        (f"taken:{SSHA}", "the account taken exists; --skip-existing"),
        (f"FIRST:{SSHA}", "first was on line 1 already"),
    ],
)
def test_bad_lines(line: str, words: str) -> None:
    lines, faults = read(f"first:{SSHA}\n{line}\nlast:{SSHA}", taken=frozenset({"taken"}))
    assert [good.name for good in lines] == ["first", "last"]
    assert [fault.number for fault in faults] == [2]
    assert words in faults[0].text
    assert "hunter22" not in faults[0].text


def test_all_faults_at_once() -> None:
    _, faults = parse(b"taro\n\xff:x\nok:" + SSHA.encode() + b"\njiro:\n", None, lambda name: False)
    assert [fault.number for fault in faults] == [1, 2, 3, 4]
    assert "iconv" in faults[1].text
    assert "--domain" in faults[2].text


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([*HASHES, "taro", ":", "\n", "\r", "#", "{", "}", "{PLAIN}", "@", " "])).map(
        lambda parts: "".join(parts).encode()
    )
)
def test_every_line_is_taken_or_named(octets: bytes) -> None:
    try:
        lines, faults = parse(octets, "example.jp", lambda name: False)
    except Exception:
        pytest.fail(traceback.format_exc())
    said = [
        number
        for number, text in enumerate(octets.split(b"\n"), 1)
        if text.removesuffix(b"\r").strip() and not text.startswith(b"#")
    ]
    assert sorted([line.number for line in lines] + [fault.number for fault in faults]) == said
    assert all(re.search(r"\w", fault.text) for fault in faults)
