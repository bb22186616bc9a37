"""Web pages as their readers have them before them."""

from __future__ import annotations

import pytest

from op25b.lab.claims import Visit
from op25b.lab.reading import Form, missing, read
from op25b.lab.visits import missing as lacking

PAGE = """<!doctype html><html lang="ja"><head><title>the title</title><style>b { content: "style" }</style></head>
<body><h1>Port&nbsp;25</h1><p>送信は<b>587番</b>へ。</p><script>let words = "script"</script>
<img src="x.svg" alt="a picture"><svg><title>another</title></svg>
<a href="/ja/avoid">avoid</a><a href="https://elsewhere.example/">elsewhere</a>
<form method="POST" action="/ja/send"><input type="hidden" name="token" value="t&amp;1"><input name="mail">
<input type="checkbox" name="on" checked value="1"><input type="checkbox" name="off" value="1">
<select name="line"><option value="a">A<option value="b" selected>B</select><textarea name="why"></textarea>
<button name="do">go</button></form></body></html>"""


def test_words_in_their_order() -> None:
    page = read(PAGE)
    assert page.text == "Port 25 送信は587番へ。 a picture another avoidelsewhere A B go"
    assert missing(page.text, ["Port 25", "587番", "a  picture", "B"]) is None
    assert missing(page.text, ["a picture", "Port 25"]) == "Port 25"
    assert missing(page.text, ["script"]) == "script"


def test_links_and_forms() -> None:
    page = read(PAGE)
    assert page.links == ("/ja/avoid", "https://elsewhere.example/")
    assert page.forms == (Form("/ja/send", "post", {"token": "t&1", "mail": "", "on": "1", "line": "b", "why": ""}),)


@pytest.mark.parametrize(
    ("links", "lacks"),
    [(["avoid"], None), (["avoid", "affected"], "affected"), (["elsewhere.example"], "elsewhere.example")],
)
def test_a_visit_wants_links_in_its_own_language(links: list[str], lacks: str | None) -> None:
    visit = Visit.model_validate({"page": "p", "ja": ["送信"], "en": ["send"], "links": links})
    assert lacking(read(PAGE), visit, "ja") == lacks
    assert lacking(read(PAGE), visit, "en") == "send"
