"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

from op25b.cli.main import app
from op25b.cli.service import config

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "README.ja.md",
    "docs/tutorial.md",
    "docs/how-to-serve.md",
    "docs/how-to-enforce.md",
    "docs/how-to-exempt.md",
    "docs/how-to-set-up-mail-programs.md",
    "docs/how-to-credentials.md",
    "docs/how-to-notify.md",
)


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(_generator().PAGES))
def test_the_reference_is_the_one_that_the_code_gives(name: str) -> None:
    page = _generator().PAGES[name]()
    assert (ROOT / "docs" / "reference" / name).read_text() == page, "run `make docs`"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_target_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text().replace("```", "")
    group: Any = typer.main.get_command(app)
    commands = set(group.list_commands(None))
    named = set(re.findall(r"\bop25b ([a-z]+)\b", "\n".join(re.findall(r"`[^`]+`|^    .*$|^\$ .*$", text, re.M))))
    assert named, "no command was found: is the pattern still right?"
    assert named <= commands
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets


@pytest.mark.parametrize("page", [*PAGES, *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("docs/*/*.md")))])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs" / "flows").glob("*.md")))
def test_every_file_that_a_flow_names_is_there(page: str) -> None:
    named = set(re.findall(r"`((?:\w+/)+\w+\.(?:py|toml))", (ROOT / "docs" / "flows" / page).read_text()))
    assert named, "no file was found: is the pattern still right?"
    rooms = [ROOT / "src" / "op25b" / each for each in ("", "submission", "subscribers")]
    assert [name for name in named if not any((room / name).exists() for room in rooms)] == []


@pytest.mark.parametrize("name", ["service", "service-router", "service-leases"])
def test_every_setting_of_the_examples_is_one(name: str) -> None:
    config.load(ROOT / "examples" / f"{name}.toml")


def test_both_readmes_give_the_same_figures() -> None:
    # the first column is words
    tables = [
        [
            re.findall(r"\d[\d.,]*", row.split("|", 2)[2])
            for row in (ROOT / page).read_text().splitlines()
            if row[:2] == "| "
        ]
        for page in ("README.md", "README.ja.md")
    ]
    assert len(tables[0]) > 5
    assert tables[0] == tables[1]
