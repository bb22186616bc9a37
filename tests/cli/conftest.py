"""Commands run as the console entry runs them, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from op25b.cli.main import run

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class Op25b(Protocol):
    def __call__(self, *arguments: object) -> Result: ...


@pytest.fixture
def op25b(capfd: pytest.CaptureFixture[str]) -> Op25b:
    def call(*arguments: object) -> Result:
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        return Result(status, *capfd.readouterr())

    return call


@pytest.fixture
def example() -> Any:
    """The path of an example, by name."""
    return lambda name: EXAMPLES / f"{name}.toml"
