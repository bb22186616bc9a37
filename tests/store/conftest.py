"""Stores on both databases."""

from __future__ import annotations

from tests.support.databases import postgresql, url

__all__ = ["postgresql", "url"]
