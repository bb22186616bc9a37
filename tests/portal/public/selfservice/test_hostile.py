"""A crawler that wishes us ill: every page that links lead to, and every form with everything that may hurt."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin

import pytest

from op25b.subscribers.exemptions import listing
from tests.portal.public.selfservice.conftest import SelfService, Visitor

HOSTILE = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{ 7 * 7 }}", "{% raw %}", "{0.__class__}", "%s%n",
    "' OR 1=1 --", "x\r\nBcc: all@example.com\r\n\r\nbody", "\x00", "../../../etc/passwd", "\u202emoc.elpmaxe", "=1+1",
    "🍣" * 200, "x" * 15_000, "taro@imart.example\nRCPT TO:<x@example.com>",
    "＠", "@", "a@b", "\ud7ff", "１９２．０．２．１",
)  # fmt: skip
START = ("/ja/credentials", "/en/credentials", "/ja/exemptions", "/en/exemptions")


def crawled(visitor: Visitor) -> dict[str, str]:
    """Every page of self-service that links lead to, by path."""
    found: dict[str, str] = {}
    waiting = list(START)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = visitor.open(path)
        links = (urljoin(path, unescape(link)) for link in re.findall(r'<a [^>]*href="([^"#]*)', found[path]))
        waiting += [link for link in links if re.match("/(ja|en)/(credentials|exemptions)", link)]
    return found


def test_every_form_takes_everything_and_does_nothing_with_it(pages: SelfService) -> None:
    crawler = pages.visitor()
    forms = {path: page for path, page in crawled(crawler).items() if "<form" in page}
    assert len(forms) == 2 * (2 * 3 + 3)
    for number, (path, page) in enumerate(forms.items()):
        # each from another place: limits on tries have tests of their own
        visitor = pages.visitor(f"203.0.113.{number}")
        # what a form does is the same in both languages
        hostile = HOSTILE if path.startswith("/ja/") else HOSTILE[:3]
        names = re.findall(r'<(?:input|textarea) id="(\w+)"', page)
        for text in hostile:
            answer = visitor.send(path, **dict.fromkeys(names, text))
            assert answer.status_code in (400, 413, 422, 429), (path, text, answer.status_code)
            shown = re.sub("<(script src|meta|link|svg)[^>]*>", "", answer.text)
            assert not re.search('<(script|img)(?! src="/static)', shown), (path, text)
            assert "49" not in re.findall(r'value="([^"]*)"', answer.text)
            assert "\r" not in repr(answer.headers)
        visitor.client.close()
    with pages.store.read() as connection:
        assert listing.listed(connection, pages.now) == []
    assert [each for each in pages.logged if each["level"] == "error"] == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b'{"address": 1}', 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"&".join(b"a%d=" % n for n in range(60)), 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"address=a&address=b", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"address=%ff", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"address=" + b"x" * 20_000, 413),
        ({"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"}, b"address=a", 403),
        ({"Content-Type": "application/x-www-form-urlencoded", "Origin": "null"}, b"address=a", 403),
    ],
)
def test_what_no_form_of_ours_sends(
    pages: SelfService, taro: Visitor, headers: dict[str, str], body: bytes, status: int
) -> None:
    taro.open("/en/credentials/imart")
    assert taro.client.post("/en/credentials/imart", content=body, headers=headers).status_code == status
    assert pages.mailboxes.asked == 0


def test_a_right_token_from_another_site_is_not_enough(pages: SelfService, taro: Visitor) -> None:
    taro.client.headers["Origin"] = "https://evil.example"
    assert taro.apply().status_code == 403
    assert pages.mailboxes.asked == 0


@pytest.mark.parametrize(
    "path", ["/en/credentials/..%2f..", "/en/credentials/<x>", "/ja/exemptions/PREFIX", "/en/credentials/" + "x" * 3000]
)
def test_paths_that_lead_nowhere(taro: Visitor, path: str) -> None:
    assert taro.client.get(path).status_code == 404
    assert taro.client.post(path, data={"a": "b"}).status_code in (403, 404, 405)
