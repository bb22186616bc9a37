"""What the commands that work on a store share: where it is, who is at work, and a line of the audit trail in words."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from op25b.store import Store, schema
from op25b.store.audit import By, Entry


@contextmanager
def opened(url: str, create: bool = False) -> Iterator[Store]:
    """The store of a URL, of this version; with `create` an empty one is made. Raises UserError."""
    store = Store(url)
    try:
        if create and ((store.file is not None and not store.file.exists()) or schema.is_empty(store)):
            # an empty store has nothing that other hosts rely on; an earlier one is upgraded on request only
            schema.upgrade(url)
        schema.require_current(store)
        yield store
    finally:
        store.close()


def by(who: str | None, why: str) -> By:
    """Who makes a change, now."""
    return By(who or _user(), datetime.now(UTC), why)


def _user() -> str:
    """Who is at work: behind sudo the one who called it."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def cell(value: Any) -> str:
    """A value in a column."""
    match value:
        case None:
            return ""
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key}={number}" for key, number in value.items())
    return str(value)


def line(entry: Entry) -> tuple[str, str, str, str]:
    """When, who, what, and why with what is different."""
    before, after = entry.before or {}, entry.after or {}
    changes = [
        f"{key} {cell(before[key]) or '-'} -> {cell(after.get(key)) or '-'}"
        for key in before
        if before[key] != after.get(key)
    ]
    why = "; ".join([*filter(None, [entry.why]), *changes])
    return entry.at.isoformat(timespec="seconds"), entry.who, entry.what, why
