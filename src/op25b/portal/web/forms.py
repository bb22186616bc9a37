"""What a visitor writes into forms: text of one line or of several, never control characters."""

from __future__ import annotations

import unicodedata
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

_MOST_FIELDS = 50
_LONGEST_QUERY = 4096
_FORM = "application/x-www-form-urlencoded"

Fields = dict[str, str]


async def _posted(request: Request) -> Fields:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415)
    return _fields(await request.body())


async def _asked(request: Request) -> Fields:
    query: bytes = request.scope["query_string"]
    if len(query) > _LONGEST_QUERY:
        raise HTTPException(414)
    return _fields(query)


Posted = Annotated[Fields, Depends(_posted)]
"""The fields of a form that was sent by POST. HTTPException 400 or 415 for what no form of ours sends."""

Asked = Annotated[Fields, Depends(_asked)]
"""The same for a form that was sent by GET. HTTPException 400 or 414."""


def _fields(encoded: bytes) -> Fields:
    try:
        pairs = parse_qsl(encoded.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(400) from None
    found: Fields = {}
    for name, value in pairs:
        text = unicodedata.normalize("NFC", value.replace("\r\n", "\n"))
        if name in found or any(unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t" for each in text):
            raise HTTPException(400)
        found[name] = text.strip()
    return found


def narrow(text: str) -> str:
    """What is to be read by a machine, with full-width letters, digits and points made plain, on one line."""
    return "".join(unicodedata.normalize("NFKC", text).replace("。", ".").split())
