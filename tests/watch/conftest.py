"""Stores on both databases, and commands."""

from __future__ import annotations

from tests.cli.conftest import example, op25b
from tests.enforcement.conftest import netns
from tests.support.databases import postgresql, url

__all__ = ["example", "netns", "op25b", "postgresql", "url"]
