"""How names, passwords and addresses are prepared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.subscribers.names import account_name, covers, saslprep, sender


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        # RFC 4013 section 3
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        # a space that is not ASCII's, and a letter in two ways
        ("a\u00a0b", "a b"),
        ("e\u0301", "\u00e9"),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_saslprep(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "a\u0627\u0031", "\u0627\u0031", "a\0b", "a\u200eb", "\ud800"])
def test_saslprep_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"not allowed|directions"):
        saslprep(text)


@pytest.mark.parametrize("names", [("Taro", "taro", "TARO", "ｔａｒｏ"), ("ÉMILE", "émile", "e\u0301mile")])
def test_one_account_however_it_is_written(names: tuple[str, ...]) -> None:
    assert len({account_name(name) for name in names}) == 1


@pytest.mark.parametrize("name", ["", "a b", "a\0", "a\n", "\u00ad", "x" * 256, "あ" * 86])
def test_names_that_no_account_can_have(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        account_name(name)


@given(st.text(max_size=40))
def test_preparing_twice_changes_nothing(text: str) -> None:
    try:
        once = account_name(text)
    except ValueError:
        return
    assert account_name(once) == once


@pytest.mark.parametrize(
    ("senders", "address", "allowed"),
    [
        (["taro@example.jp"], "taro@example.jp", True),
        (["taro@example.jp"], "TARO@Example.JP", True),
        (["taro@example.jp"], "taro@example.jp.", True),
        (["taro@example.jp"], "hanako@example.jp", False),
        (["taro@example.jp"], "taro@sub.example.jp", False),
        (["taro@example.jp"], "taro", False),
        (["taro@example.jp"], "", False),
        (["@example.jp"], "anyone@example.jp", True),
        (["@example.jp"], "anyone@notexample.jp", False),
        (["@example.jp"], "anyone@a.example.jp", False),
        (["@example.jp"], "@example.jp", False),
        (["@example.jp"], "x@evil.example@example.jp", True),
        (["@example.jp"], "x@example.jp@evil.example", False),
        (["taro@日本.jp"], "taro@xn--wgv71a.jp", True),
        (["taro@xn--wgv71a.jp"], "taro@日本.JP", True),
        (["taro@example.jp"], "taro@example.jp\r\nBcc: x", False),
    ],
)
def test_whose_address_it_is(senders: list[str], address: str, allowed: bool) -> None:
    assert covers(frozenset(map(sender, senders)), address) is allowed


@pytest.mark.parametrize("text", ["", "taro", "taro@", "@", "a b@example.jp", "<a@example.jp>", "a@ex..jp", "a@\0.jp"])
def test_what_is_no_sender(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        sender(text)


@given(st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    assert covers(frozenset({"taro@example.jp"}), text) in (True, False)
