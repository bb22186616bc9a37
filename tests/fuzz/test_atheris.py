"""Runs atheris's targets for a while, from the dialogues as seeds; skipped where atheris is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.target_protocol import one_input
from tests.submission.protocol.test_dialogues import DIALOGUES, read

ROOT = Path(__file__).parents[2]
SECONDS = 120


def seed(path: Path) -> bytes:
    """A dialogue's client as input for the target."""
    return b"\0\5" + b"\xfe".join(sent for sent, _ in read(path).groups)


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_the_target_takes_every_seed(path: Path) -> None:
    one_input(seed(path))


@pytest.mark.long
def test_atheris_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    for path in DIALOGUES:
        (tmp_path / path.stem).write_bytes(seed(path))
    command = [sys.executable, "-m", "tests.fuzz.target_protocol", f"-max_total_time={SECONDS}", "-timeout=10"]
    result = subprocess.run([*command, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
