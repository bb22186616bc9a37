"""What the tests of the spool share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.submission.spool import Envelope, Origin, Recipient

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def envelope() -> Callable[..., Envelope]:
    def make(*recipients: str, held: str | None = None) -> Envelope:
        return Envelope(
            sender="a@example.net",
            recipients=tuple(Recipient(address) for address in recipients or ("b@example.org",)),
            arrived=NOW,
            origin=Origin("192.0.2.1", "ESMTPSA", account="a"),
            held=held,
        )

    return make
