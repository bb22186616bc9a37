"""The house rules, held over every source file; and that each rule can fail."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "op25b"
PURE = [
    name.removeprefix("op25b.").replace(".", "/")
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    for name in contract.get("source_modules", ())
]
PURE_ROOMS = tuple(f"{name}/" for name in PURE if (SOURCE / name).is_dir())
PURE_FILES = tuple(f"{name}.py" for name in PURE if not (SOURCE / name).is_dir())
FILE_LINES = 350
FUNCTION_LINES = 60

FORBIDDEN_NAMES = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}
FORBIDDEN_METHODS = {"now", "utcnow", "today", "open", "read_text", "read_bytes", "write_text", "write_bytes"}

MODULES = sorted(SOURCE.rglob("*.py"))
PURE_MODULES = [path for path in MODULES if path.relative_to(SOURCE).as_posix().startswith((*PURE_ROOMS, *PURE_FILES))]


def impure_calls(text: str) -> Iterator[str]:
    """Calls that read a clock, draw random numbers or do I/O; imports are import-linter's business."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_NAMES:
                yield f"line {node.lineno}: {name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in FORBIDDEN_METHODS:
                yield f"line {node.lineno}: .{name}()"
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
                yield f"line {node.lineno}: numpy.random"


def oversized(text: str) -> Iterator[str]:
    """The file, if it is longer than FILE_LINES, and its functions longer than FUNCTION_LINES."""
    if (lines := text.count("\n")) > FILE_LINES:
        yield f"{lines} lines, {FILE_LINES} at most"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {lines} lines, {FUNCTION_LINES} at most"


def undocumented(text: str) -> Iterator[str]:
    """Says so if the module has no docstring."""
    if ast.get_docstring(ast.parse(text)) is None:
        yield "no module docstring"


def is_public(path: Path) -> bool:
    return not path.stem.startswith("_") or path.stem in ("__init__", "__main__")


def faults(check: Callable[[str], Iterator[str]], paths: list[Path]) -> list[str]:
    return [f"{path.relative_to(ROOT)}: {what}" for path in paths for what in check(path.read_text("utf-8"))]


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contracts of pyproject.toml over the package op25b in a directory."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--config", ROOT / "pyproject.toml"],
        env={"PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def make_package(directory: Path, files: dict[str, str]) -> Path:
    """Write a package op25b of empty modules but for the given ones."""
    folders = {folder for name in (*PURE_FILES, *(f"{room}x" for room in PURE_ROOMS)) for folder in Path(name).parents}
    empty = dict.fromkeys([*(f"{folder}/__init__.py" for folder in folders), *PURE_FILES], "")
    for name, text in (empty | files).items():
        path = directory / "op25b" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def test_imports_point_down_and_pure_rooms_import_no_io() -> None:
    result = lint_imports(SOURCE.parent)
    assert result.returncode == 0, result.stdout + result.stderr


def test_pure_rooms_call_no_io() -> None:
    assert PURE_MODULES
    assert faults(impure_calls, PURE_MODULES) == []


def test_files_and_functions_fit_on_a_screen() -> None:
    assert faults(oversized, MODULES) == []


def test_public_modules_say_what_they_are_for() -> None:
    assert faults(undocumented, [path for path in MODULES if is_public(path)]) == []


def test_the_contracts_pass_a_sound_package(tmp_path: Path) -> None:
    files = {"ruleset/lower.py": "import op25b.policy", "cli/__init__.py": "", "cli/main.py": "import os"}
    result = lint_imports(make_package(tmp_path, files))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        # Upwards, sideways, impure, impure by way of another module, a room without a floor.
        ({"policy/bad.py": "import op25b.answers"}, "op25b.policy.bad -> op25b.answers"),
        ({"answers/bad.py": "import op25b.ruleset"}, "op25b.answers.bad -> op25b.ruleset"),
        ({"policy/bad.py": "import os.path"}, "op25b.policy.bad -> os"),
        ({"errors.py": "import socket", "policy/bad.py": "import op25b.errors"}, "op25b.errors -> socket"),
        ({"attic/__init__.py": ""}, "op25b.attic"),
    ],
)
def test_the_contracts_can_fail(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    result = lint_imports(make_package(tmp_path, files))
    assert result.returncode == 1
    assert complaint in result.stdout


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (impure_calls, "from datetime import datetime\nstamp = datetime.now(None)\n"),
        (impure_calls, "import datetime\nday = datetime.date.today()\n"),
        (impure_calls, "def load(path):\n    with open(path) as file:\n        return file\n"),
        (impure_calls, "print('hello')\n"),
        (impure_calls, "import numpy as np\nbits = np.random.default_rng()\n"),
        (oversized, "\n" * (FILE_LINES + 1)),
        (oversized, "def long():\n" + "    pass\n" * FUNCTION_LINES),
        (oversized, "async def long():\n" + "    pass\n" * FUNCTION_LINES),
        (undocumented, "import re\n"),
    ],
)
def test_the_checks_can_fail(check: Callable[[str], Iterator[str]], text: str) -> None:
    assert len(list(check(text))) == 1


def test_the_checks_pass_sound_code() -> None:
    text = '"""Sound."""\ndef later(at, delay):\n' + "    at += delay\n" * (FUNCTION_LINES - 1)
    assert [fault for check in (impure_calls, oversized, undocumented) for fault in check(text)] == []
