"""`check`: every fault of every file, and the limits of the filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from op25b.policy.model import Filter
from op25b.ruleset.limits import limits
from tests.cli.conftest import EXAMPLES, Op25b
from tests.support.examples import POLICIES

REFUSED = sorted((Path(__file__).parents[1] / "refused").glob("*.toml"))


def test_examples_are_sound(op25b: Op25b) -> None:
    result = op25b("check", *POLICIES)
    assert (result.status, result.out, result.err) == (0, "", "8 files, 0 errors, 0 warnings\n")


def test_all_faults_of_all_files(op25b: Op25b, tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    result = op25b("check", *REFUSED, missing, tmp_path)
    assert result.status == 2
    lines = result.out.splitlines()
    for path in (*REFUSED, missing, tmp_path):
        assert any(line.startswith(f"{path}:") for line in lines), path
    assert f"{missing}:1:1: the file cannot be read (No such file or directory); give" in result.out
    assert result.err.startswith(f"{len(REFUSED) + 2} files, ")


def test_json_has_the_same_faults(op25b: Op25b) -> None:
    lines = op25b("check", *REFUSED).out.splitlines()
    result = op25b("check", "--json", *REFUSED)
    assert result.status == 2
    assert len(result.data) == len(lines)
    for line, fault in zip(lines, result.data, strict=True):
        assert set(fault) == {"path", "line", "column", "severity", "what", "mend"}
        mark = "warning: " if fault["severity"] == "warning" else ""
        assert line == "{path}:{line}:{column}: {mark}{what}; {mend}".format(mark=mark, **fault)


def test_warnings_alone_are_no_failure(op25b: Op25b, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    text = (EXAMPLES / "netlaputa.toml").read_text("utf-8")
    path.write_text(text + '\n[[exemptions]]\nname = "for-ever"\nprefixes = ["198.18.0.1/32"]\nreason = "asked for"\n')
    result = op25b("check", path)
    assert result.status == 0
    assert ": warning: " in result.out
    assert result.err == "1 file, 0 errors, 1 warning\n"


def test_limits_follow_the_settings() -> None:
    def closed(**settings: Any) -> list[str]:
        return [limit.way for limit in limits(Filter.model_validate(settings)) if limit.closed]

    assert len(closed()) == 2
    assert [way.split()[0] for way in closed(fragments="leave")] == ["plain"]
    assert [way.split()[0] for way in closed(tunnels="leave")] == ["IPv6"]
    assert closed(tunnels="leave", fragments="leave") == []


@pytest.mark.parametrize("word", ["Teredo", "IPsec", "SSH", "QinQ", "PPPoE", "forward hook", "GRE"])
def test_limits_are_named(op25b: Op25b, example: Any, word: str) -> None:
    result = op25b("check", "--explain-limits", example("netlaputa"))
    assert result.status == 0
    open_ways, closed = result.out.split(": closed by this policy:")
    assert word in (closed if word == "GRE" else open_ways)


def test_limits_as_json(op25b: Op25b, example: Any) -> None:
    data = op25b("check", "--explain-limits", "--json", example("netlaputa")).data
    assert set(data) == {"faults", "limits"}
    assert {key for limit in data["limits"] for key in limit} == {"path", "way", "closed", "what", "mend"}
    assert all(limit["mend"] for limit in data["limits"] if not limit["closed"])
