"""`pools`, `servers`, `compile`, and the frame around all commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import op25b as package
from op25b import locale
from op25b.policy.load import load
from tests.cli.conftest import EXAMPLES, Op25b
from tests.support.examples import POLICIES

NAMES = sorted(path.stem for path in POLICIES)


@pytest.mark.parametrize("name", NAMES)
def test_pools(op25b: Op25b, example: Any, name: str) -> None:
    policy = load(example(name).read_text("utf-8")).policy
    assert policy is not None
    data = op25b("pools", example(name), "--json").data
    assert [pool["name"] for pool in data] == [pool.name for pool in policy.pools]
    for shown, pool in zip(data, policy.pools, strict=True):
        assert set(shown) == {"name", "prefixes", "line", "region", "assignment", "contract"}
        assert shown["prefixes"] == [str(prefix) for prefix in pool.prefixes]
        assert (shown["line"], shown["contract"]) == (pool.line, pool.contract)
    lines = op25b("pools", example(name)).out.splitlines()
    assert len(lines) == len(data) + 1
    for line, pool in zip(lines[1:], data, strict=True):
        assert line.split()[0] == pool["name"]
        assert line.endswith(pool["prefixes"][-1])
        assert line.isascii()


@pytest.mark.parametrize("name", NAMES)
def test_servers(op25b: Op25b, example: Any, name: str) -> None:
    data = op25b("servers", example(name), "--json").data
    assert data
    assert all(set(server) == {"host", "addresses", "ports"} for server in data)
    lines = op25b("servers", example(name)).out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [server["host"] for server in data]


def test_compile_depends_on_policy_and_instant_alone(op25b: Op25b, example: Any) -> None:
    ask = ("compile", example("infonia"), "--to", "nftables", "--at")
    before, after = (op25b(*ask, at).out for at in ("2008-03-31T23:59:59+09:00", "2008-04-01T00:00:00+09:00"))
    assert after == op25b(*ask, "2008-04-01T00:00:00+09:00").out
    assert "reject" in after
    assert "reject" not in before
    assert "phase/everyone-but-corporate" in after


@pytest.mark.parametrize("command", [("pools",), ("servers",), ("compile", "--to", "nftables")])
def test_a_bad_policy_is_refused_with_its_faults(op25b: Op25b, tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("a = 1\nb = 2\n")
    result = op25b(*command, path)
    assert (result.status, result.out) == (2, "")
    assert f"{path}:1:1: " in result.err
    assert f"{path}:2:1: " in result.err


@pytest.mark.parametrize(
    "command", [("nonsense",), ("pools",), ("compile", EXAMPLES / "sonet.toml", "--to", "ios"), ("pools", "--what")]
)
def test_bad_usage(op25b: Op25b, command: tuple[object, ...]) -> None:
    result = op25b(*command)
    assert (result.status, result.out) == (2, "")
    assert result.err.isascii()


def test_version(op25b: Op25b) -> None:
    assert op25b("--version").out == f"op25b {package.__version__}\n"


def op25b_process(*arguments: object, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "op25b", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment})


def test_a_closed_pipe_is_quiet(example: Any) -> None:
    with op25b_process("compile", example("sonet"), "--to", "nftables") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=60)
    assert err == b""


def test_a_terminal_without_japanese(example: Any) -> None:
    ask = ("explain", example("sonet"), "--from", "198.19.0.1", "--to", "203.0.113.9", "--json")
    with op25b_process(*ask, PYTHONIOENCODING="ascii") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert b"\\u30" in out


def test_a_catalogue_that_is_not_compiled(
    op25b: Op25b, example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locale.resources, "files", lambda package: tmp_path)
    result = op25b("explain", example("sonet"), "--from", "198.19.0.1", "--to", "203.0.113.9")
    assert (result.status, result.out) == (3, "")
    assert result.err.endswith("to get it: make setup\n")
