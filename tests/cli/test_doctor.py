"""`doctor`: what it hands out and reads; what it finds is tried in the lab (tests/lab/test_doctor.py)."""

from __future__ import annotations

from typing import Any

import pytest

from op25b.doctor.probe.coding import code
from op25b.doctor.probe.findings import CELLS, Summary
from op25b.doctor.probe.outcomes import Outcome, Place, Role
from tests.cli.conftest import Op25b

BLOCKED = Summary(
    tuple(Outcome.REFUSED if cell[:2] == (Role.OTHER, 25) else Outcome.WORKS for cell in CELLS),
    Place.OWN,
)
FINE = Summary((Outcome.WORKS,) * len(CELLS))


def test_a_code_is_read(op25b: Op25b, example: Any) -> None:
    text = op25b("doctor", "--code", code(BLOCKED), "--policy", example("sonet"), "--language", "ja")
    assert text.status == 1
    assert "原因1" in text.out
    data = op25b("doctor", "--code", code(BLOCKED).lower(), "--json")
    assert data.status == 1
    assert data.data["causes"] == [{"cause": 1, "why": "blocked"}]
    assert {"server": "other", "port": 25, "family": 6, "outcome": "refused"} in data.data["tries"]
    assert op25b("doctor", "--code", code(FINE)).status == 0


def test_a_mistyped_code_is_bad_input(op25b: Op25b) -> None:
    wrong = op25b("doctor", "--code", code(FINE)[:-1] + "Z")
    assert (wrong.status, wrong.out) == (2, "")
    assert "mistyped" in wrong.err


def test_the_file_for_customers(op25b: Op25b, example: Any) -> None:
    script = op25b("doctor", "--script", "--policy", example("sonet")).out
    assert script.startswith("#!/usr/bin/env python3\n")
    assert "mail.{subdomain}.sonet.example" in script
    assert "op25b." not in script.replace("op25b_doctor.py", "")
    compile(script, "op25b_doctor.py", "exec")


@pytest.mark.parametrize(
    "arguments",
    [(), ("--script",), ("--server", "a b"), ("--port", "0"), ("--code", "x"), ("--server", "a", "--other", ":")],
)
def test_bad_usage(op25b: Op25b, arguments: tuple[str, ...]) -> None:
    result = op25b("doctor", *arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err


def test_nothing_there(op25b: Op25b) -> None:
    result = op25b("doctor", "--server", "nowhere.invalid", "--language", "en")
    assert result.status == 1
    assert "Cause 5" in result.out
