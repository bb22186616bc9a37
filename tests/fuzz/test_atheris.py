"""Runs atheris's targets for a while, from the dialogues as seeds; skipped where atheris is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import target_accounting
from tests.fuzz.target_protocol import one_input
from tests.submission.protocol.test_dialogues import DIALOGUES, read
from tests.subscribers.accounting.test_packets import goldens
from tests.subscribers.accounting.test_rest import FREERADIUS

ROOT = Path(__file__).parents[2]
SECONDS = 120


def seed(path: Path) -> bytes:
    """A dialogue's client as input for the target."""
    return b"\0\5" + b"\xfe".join(sent for sent, _ in read(path).groups)


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_the_target_takes_every_seed(path: Path) -> None:
    one_input(seed(path))


def accounting_seeds() -> list[bytes]:
    """Packets by octets and by attributes, and what FreeRADIUS posts."""
    packets = [golden.octets for golden in goldens()]
    return [b"j" + FREERADIUS.encode(), *(b"p" + each for each in packets), *(b"a" + each[20:] for each in packets)]


def test_the_target_takes_every_report() -> None:
    for each in accounting_seeds():
        target_accounting.one_input(each)


@pytest.mark.long
@pytest.mark.parametrize("target", ["protocol", "accounting"])
def test_atheris_finds_nothing(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    seeds = [seed(path) for path in DIALOGUES] if target == "protocol" else accounting_seeds()
    for number, each in enumerate(seeds):
        (tmp_path / str(number)).write_bytes(each)
    command = [sys.executable, "-m", f"tests.fuzz.target_{target}", f"-max_total_time={SECONDS}", "-timeout=10"]
    result = subprocess.run([*command, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
