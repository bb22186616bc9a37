"""Pages live under /ja/ and /en/; what is asked for without a language goes to the one that the browser prefers."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request

from op25b.answers.speech import LANGUAGES, Language

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$")
_MOST_RANGES = 20


class _InPath(StringConvertor):
    """`/{language:language}/...` in a route: any other language is no such page."""

    regex = "|".join(LANGUAGES)


register_url_convertor("language", _InPath())


def preferred(accept: str) -> Language:
    """By an Accept-Language field (RFC 9110, 12.5.4); Japanese if it names neither, or cannot be read."""
    qualities: dict[str, float] = {}
    for part in accept.split(",")[:_MOST_RANGES]:
        if found := _RANGE.match(part):
            tag = found[1].lower()
            qualities[tag] = max(qualities.get(tag, 0.0), float(found[2] or 1))
    rest = qualities.get("*", 0.0)
    return max(LANGUAGES, key=lambda language: qualities.get(language, rest))


def of(request: Request) -> Language:
    """The language to answer in: the path's, else the browser's."""
    first = request.scope["path"].partition("/")[2].partition("/")[0]
    found = next((language for language in LANGUAGES if language == first), None)
    return found or preferred(request.headers.get("accept-language", ""))


def turned(request: Request) -> dict[Language, str]:
    """Where this same page is in each language; for an answer to a form, and for no page, the first page."""
    _, first, *rest = request.scope["path"].split("/", 2)
    if first not in LANGUAGES or request.method != "GET":
        return {language: f"/{language}/" for language in LANGUAGES}
    query = request.scope["query_string"].decode("ascii", "ignore")
    tail = quote("".join(rest)) + (f"?{query}" if query else "")
    return {language: f"/{language}/{tail}" for language in LANGUAGES}
