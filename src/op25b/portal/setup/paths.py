"""Paths that mail programs ask for, whose letters each writes as it likes."""

from __future__ import annotations

from starlette.convertors import StringConvertor, register_url_convertor


class _Autodiscover(StringConvertor):
    regex = "(?i:autodiscover)"


class _Xml(StringConvertor):
    regex = r"(?i:autodiscover\.xml)"


class _Json(StringConvertor):
    regex = r"(?i:autodiscover\.json)"


register_url_convertor("autodiscover", _Autodiscover())
register_url_convertor("autodiscover_xml", _Xml())
register_url_convertor("autodiscover_json", _Json())

AUTODISCOVER = "/{folder:autodiscover}/{file:autodiscover_xml}"
_POINTER = "/{folder:autodiscover}/{file:autodiscover_json}"
POINTERS = (_POINTER, f"{_POINTER}/v1.0/{{given}}")
