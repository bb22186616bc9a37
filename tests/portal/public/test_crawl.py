"""All pages of every provider: each link leads somewhere, each id is there once, each page is in its language."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest

from op25b.store import Store
from tests.portal.public.conftest import PROVIDERS, example, serving


@dataclass
class Read(HTMLParser):
    """What a page holds."""

    language: str = ""
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = given["lang"]
        if tag in ("h1", "main"):
            self.headings.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.links += [given[name] for name in ("href", "src", "action", "hx-get", "hx-post") if given.get(name)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_page(provider: str, store: Store) -> None:
    pages: dict[str, Read] = {}
    wanted: dict[str, set[str]] = {"/": {"start"}}
    policy = example(provider)
    visitor = str(policy.pools[0].prefixes[0][0])
    with serving(policy, store) as portal, portal.client(visitor) as client:
        while left := [path for path in wanted if path not in pages]:
            path = left[0]
            answer = client.get(path, follow_redirects=True)
            # the form of a step without an answer leads back to it
            assert answer.status_code == 200, (path, wanted[path], answer.status_code)
            pages[path] = read = Read()
            if not answer.headers["content-type"].startswith("text/html"):
                continue
            read.feed(answer.text)
            here = str(answer.url.raw_path.decode())
            for link in read.links:
                target, _ = urldefrag(urljoin(here, link))
                if urlsplit(link).scheme in ("", "http") and target.startswith("/"):
                    wanted.setdefault(target, set()).add(path)
        _check(pages)
        assert [each for each in portal.logged if each["level"] != "info"] == []
    assert len(pages) > 30


def _check(pages: dict[str, Read]) -> None:
    for path, read in pages.items():
        if not read.headings:
            continue
        assert sorted(read.headings) == ["h1", "main"], path
        assert len(read.ids) == len(set(read.ids)), (path, sorted(read.ids))
        assert read.inline == [], path
        if path[:4] in ("/ja/", "/en/"):
            assert read.language == path[1:3], path
        for link in read.links:
            target, fragment = urldefrag(urljoin(path, link))
            if fragment and target in pages:
                assert fragment in pages[target].ids, (path, link)
